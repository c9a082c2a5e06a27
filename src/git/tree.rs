//! Git tree objects as bytes: found by name, walked side by side, kept in a small cache.

use super::lru::Lru;
use crate::{
    core::model::{FileId, Str},
    ports::{Changed, Mode, RepoError, TreeEntry},
};
use git2::{ObjectType, Oid, Repository};
use std::{
    cmp::Ordering,
    sync::{Arc, Mutex},
};

/// Bytes of tree objects that stay in memory: a flat folder of 100,000 files is 4 MB, so the trees of several merge requests fit.
const CACHED: usize = 32 << 20;

/// How deep folders may nest; git itself has no limit, the walk's stack has.
const DEEPEST: usize = 512;

/// Length of an object id in a tree object.
const ID: usize = 20;

/// One tree object, with the offset of each entry so that a name is found without a scan.
pub struct RawTree {
    bytes: Vec<u8>,
    starts: Vec<u32>,
}

/// One entry of a tree object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawEntry<'a> {
    pub mode: u32,
    pub name: &'a [u8],
    pub id: &'a [u8],
}

impl RawTree {
    fn parse(bytes: Vec<u8>) -> Option<Self> {
        let mut starts = Vec::new();
        let mut at = 0;
        let mut before: &[u8] = &[];
        while at < bytes.len() {
            starts.push(u32::try_from(at).ok()?);
            let nul = at + bytes[at..].iter().position(|byte| *byte == 0)?;
            let space = at + bytes[at..nul].iter().position(|byte| *byte == b' ')?;
            let name = &bytes[space + 1..nul];
            // Two entries of one name: whoever reads the tree another way sees another file, so nothing of it can be trusted.
            if name == before {
                return None;
            }
            before = name;
            at = nul + 1 + ID;
        }
        (at == bytes.len()).then_some(Self { bytes, starts })
    }

    /// The bytes of an entry; equal bytes are equal entries.
    fn raw(&self, index: usize) -> Option<&[u8]> {
        let start = *self.starts.get(index)? as usize;
        let end = self.starts.get(index + 1).map_or(self.bytes.len(), |next| *next as usize);
        Some(&self.bytes[start..end])
    }

    fn get(&self, index: usize) -> Option<RawEntry<'_>> {
        let raw = self.raw(index)?;
        let (head, id) = raw.split_at(raw.len() - ID);
        let space = head.iter().position(|byte| *byte == b' ')?;
        let mode = u32::from_str_radix(std::str::from_utf8(&head[..space]).ok()?, 8).ok()?;
        Some(RawEntry { mode, name: &head[space + 1..head.len() - 1], id })
    }

    fn iter(&self) -> impl Iterator<Item = RawEntry<'_>> {
        (0..self.starts.len()).filter_map(|index| self.get(index))
    }

    /// Finds an entry by name: folders sort as if a slash followed their name, so both places are tried.
    fn find(&self, name: &[u8]) -> Option<RawEntry<'_>> {
        [false, true].into_iter().find_map(|folder| {
            let (mut low, mut high) = (0, self.starts.len());
            while low < high {
                let middle = usize::midpoint(low, high);
                let entry = self.get(middle)?;
                match order((entry.name, entry.is_folder()), (name, folder)) {
                    Ordering::Less => low = middle + 1,
                    Ordering::Greater => high = middle,
                    Ordering::Equal => return Some(entry),
                }
            }
            None
        })
    }

    fn weight(&self) -> usize {
        self.bytes.len() + self.starts.len() * size_of::<u32>()
    }
}

impl RawEntry<'_> {
    pub fn is_folder(&self) -> bool {
        self.mode == 0o040_000
    }

    fn mode(&self) -> Mode {
        match self.mode {
            0o040_000 => Mode::Tree,
            0o120_000 => Mode::Symlink,
            0o160_000 => Mode::Submodule,
            mode if mode & 0o111 != 0 => Mode::Executable,
            _ => Mode::File,
        }
    }

    fn oid(&self) -> Result<Oid, RepoError> {
        Oid::from_bytes(self.id).map_err(wrong)
    }

    fn file_id(&self) -> FileId {
        FileId::new(hex(self.id))
    }
}

/// Git's order of tree entries.
fn order(a: (&[u8], bool), b: (&[u8], bool)) -> Ordering {
    let bytes = |(name, folder): (&[u8], bool), at: usize| name.get(at).copied().or_else(|| (folder && at == name.len()).then_some(b'/'));
    let common = a.0.len().min(b.0.len());
    a.0[..common].cmp(&b.0[..common]).then_with(|| bytes(a, common).cmp(&bytes(b, common))).then_with(|| a.0.len().cmp(&b.0.len())).then_with(|| a.1.cmp(&b.1))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A path for people and for lookups; bytes that are no UTF-8 are written `\xNN`, so such a path can be named but never read.
fn text(path: &[u8]) -> Str {
    let mut out = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        out.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("\\x{byte:02x}")));
    }
    out.into()
}

pub fn wrong(error: git2::Error) -> RepoError {
    RepoError::Git { what: error.message().to_owned() }
}

/// Tree objects by id, read once while they fit.
pub struct Trees(Mutex<Lru<Oid, Arc<RawTree>>>);

impl Default for Trees {
    fn default() -> Self {
        Self(Mutex::new(Lru::new(CACHED)))
    }
}

impl Trees {
    pub fn load(&self, repo: &Repository, id: Oid) -> Result<Arc<RawTree>, RepoError> {
        if let Some(tree) = self.lock().get(&id) {
            return Ok(tree.clone());
        }
        let odb = repo.odb().map_err(wrong)?;
        let object = odb.read(id).map_err(wrong)?;
        if object.kind() != ObjectType::Tree {
            return Err(RepoError::Git { what: format!("{id} is no tree") });
        }
        let tree = RawTree::parse(object.data().to_vec()).ok_or_else(|| RepoError::Git { what: format!("tree {id} is damaged; run git fsck") })?;
        let tree = Arc::new(tree);
        self.lock().put(id, tree.clone(), tree.weight());
        Ok(tree)
    }

    /// The entry at a path below `root`, if there is one.
    pub fn entry(&self, repo: &Repository, root: Oid, path: &str) -> Result<Option<TreeEntry>, RepoError> {
        let mut at = root;
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            let tree = self.load(repo, at)?;
            let Some(found) = tree.find(part.as_bytes()) else { return Ok(None) };
            if parts.peek().is_none() {
                return Ok(Some(TreeEntry { path: path.into(), id: found.file_id(), mode: found.mode() }));
            }
            if !found.is_folder() {
                return Ok(None);
            }
            at = found.oid()?;
        }
        Ok(None)
    }

    /// Every entry below a folder that is no folder itself, in path order.
    pub fn walk(&self, repo: &Repository, root: Oid, prefix: &str, found: &mut Vec<TreeEntry>) -> Result<(), RepoError> {
        self.each(repo, root, &mut prefix.as_bytes().to_vec(), 0, &mut |path, entry| {
            found.push(TreeEntry { path: text(path), id: entry.file_id(), mode: entry.mode() });
        })
    }

    fn each(&self, repo: &Repository, root: Oid, path: &mut Vec<u8>, depth: usize, visit: &mut dyn FnMut(&[u8], RawEntry<'_>)) -> Result<(), RepoError> {
        let tree = self.load(repo, root)?;
        for entry in tree.iter() {
            below(path, &entry, depth, |path| match entry.is_folder() {
                true => self.each(repo, entry.oid()?, path, depth + 1, visit),
                false => {
                    visit(path, entry);
                    Ok(())
                }
            })?;
        }
        Ok(())
    }

    /// The files that differ. Folders with equal ids are never opened, so the cost grows with the difference.
    pub fn diff(&self, repo: &Repository, from: Oid, to: Oid) -> Result<Vec<Changed>, RepoError> {
        let mut found = Vec::new();
        self.differ(repo, (from, to), &mut Vec::new(), 0, &mut found)?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        // A file that only changed its kind stands on both sides under one name and must be one change.
        found.dedup_by(|later, first| {
            let same = later.path == first.path;
            if same {
                first.old = first.old.take().or_else(|| later.old.take());
                first.new = first.new.take().or_else(|| later.new.take());
            }
            same
        });
        Ok(found)
    }

    fn differ(&self, repo: &Repository, (from, to): (Oid, Oid), path: &mut Vec<u8>, depth: usize, found: &mut Vec<Changed>) -> Result<(), RepoError> {
        if from == to {
            return Ok(());
        }
        let (from, to) = (self.load(repo, from)?, self.load(repo, to)?);
        let (mut i, mut j) = (0, 0);
        loop {
            // The many that are equal are passed over without a look inside.
            while from.raw(i).is_some_and(|raw| Some(raw) == to.raw(j)) {
                (i, j) = (i + 1, j + 1);
            }
            let (old, new) = (from.get(i), to.get(j));
            let which = match (old, new) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => order((old.name, old.is_folder()), (new.name, new.is_folder())),
            };
            let old = old.filter(|_| which != Ordering::Greater);
            let new = new.filter(|_| which != Ordering::Less);
            i += usize::from(old.is_some());
            j += usize::from(new.is_some());
            match (old, new) {
                (Some(old), Some(new)) if old.is_folder() => {
                    let pair = (old.oid()?, new.oid()?);
                    below(path, &old, depth, |path| self.differ(repo, pair, path, depth + 1, found))?;
                }
                (Some(old), Some(new)) => below(path, &old, depth, |path| {
                    found.push(Changed { path: text(path), old: Some((old.file_id(), old.mode())), new: Some((new.file_id(), new.mode())) });
                    Ok(())
                })?,
                (old, new) => {
                    for (entry, gone) in old.map(|old| (old, true)).into_iter().chain(new.map(|new| (new, false))) {
                        self.one_sided(repo, entry, gone, path, depth, found)?;
                    }
                }
            }
        }
    }

    /// What stands on one side only: the file, or every file of the folder.
    fn one_sided(&self, repo: &Repository, entry: RawEntry<'_>, gone: bool, path: &mut Vec<u8>, depth: usize, found: &mut Vec<Changed>) -> Result<(), RepoError> {
        let mut add = |path: &[u8], entry: RawEntry<'_>| {
            let side = Some((entry.file_id(), entry.mode()));
            let (old, new) = if gone { (side, None) } else { (None, side) };
            found.push(Changed { path: text(path), old, new });
        };
        below(path, &entry, depth, |path| match entry.is_folder() {
            true => self.each(repo, entry.oid()?, path, depth + 1, &mut add),
            false => {
                add(path, entry);
                Ok(())
            }
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Lru<Oid, Arc<RawTree>>> {
        // A panic elsewhere leaves at worst a missing entry, which is read again.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Runs `inside` with the entry's name appended to the path, which is put back after.
fn below(path: &mut Vec<u8>, entry: &RawEntry<'_>, depth: usize, inside: impl FnOnce(&mut Vec<u8>) -> Result<(), RepoError>) -> Result<(), RepoError> {
    if depth >= DEEPEST {
        return Err(RepoError::Git { what: format!("folders nest deeper than {DEEPEST} below `{}`; flatten them", text(&path[..path.len().min(80)])) });
    }
    let len = path.len();
    if len > 0 {
        path.push(b'/');
    }
    path.extend_from_slice(entry.name);
    let result = inside(path);
    path.truncate(len);
    result
}
