//! The unit cache: the units two trees differ in, read on both sides, each read once for the same inputs.

use super::{
    lru::Lru,
    source::{TreeFiles, irregular, join},
};
use crate::{
    core::model::{Desired, FileId, Fingerprint, Refusal, Str, TreeId, Unit},
    formats::{Format, Home, Scope, UnitRead},
    ports::{Changed, Mode, RepoError, StateRepo, TreeEntry},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

/// Bytes of read units that stay in memory, estimated: enough for the units of some hundred open changes.
const BOUND: usize = 128 << 20;

/// What one read resource weighs, estimated: id, value with two or three strings, place.
const RESOURCE: usize = 600;

/// How many readings of one unit are kept: base, merged, and some other open changes.
const VARIANTS: usize = 6;

/// A part of the repository with one format, as `trueup.yaml` maps it.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The folder relative to the root; empty: the root.
    pub folder: &'a str,
    pub format: &'a dyn Format,
    pub scope: &'a Scope,
}

/// What reading one unit gave: desired state with its inputs, or every fault found.
pub type UnitSide = Arc<Result<UnitRead, Vec<Refusal>>>;

/// A unit that two trees may differ in, read on both sides; a side without files asks for nothing.
#[derive(Clone, Debug)]
pub struct UnitPair {
    pub unit: Unit,
    pub base: UnitSide,
    pub merged: UnitSide,
}

/// The units of one source that two trees differ in.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    /// In the order of their names.
    pub units: Vec<UnitPair>,
    /// Faults of changed paths that belong to no unit: a link or submodule inside the source.
    pub refusals: Vec<Refusal>,
}

/// Read units of one repository by what they were read from. Bounded in bytes; forgetting costs time, never correctness.
pub struct UnitCache {
    read: Mutex<Lru<UnitKey, Vec<Variant>>>,
    /// For sources whose units read beyond their own files: who reads what, for one tree each.
    includes: Mutex<BTreeMap<Fingerprint, Includes>>,
}

type UnitKey = (Fingerprint, Unit);

/// One of a unit's own files; the mode counts, because a link's text can be a file's bytes.
type Own = (Str, FileId, Mode);

/// One reading with everything it depends on.
#[derive(Clone)]
struct Variant {
    /// The unit's own files, with what they were.
    own: Vec<Own>,
    /// Other paths that were asked for; `None`: not there.
    beyond: Vec<(Str, Option<FileId>)>,
    side: UnitSide,
    weight: usize,
}

/// Which units of a source read files that are not their own, in one tree.
#[derive(Clone)]
struct Includes {
    tree: TreeId,
    by_unit: BTreeMap<Unit, BTreeSet<Str>>,
}

impl Default for UnitCache {
    fn default() -> Self {
        Self::new(BOUND)
    }
}

impl UnitCache {
    /// Keeps at most about `bytes` of read units.
    pub fn new(bytes: usize) -> Self {
        Self { read: Mutex::new(Lru::new(bytes)), includes: Mutex::default() }
    }

    /// Reads the units of a source that `changed` (the difference of the two trees) touches, on both sides.
    pub fn touched(&self, repo: &dyn StateRepo, source: &Source<'_>, base: &TreeId, merged: &TreeId, changed: &[Changed]) -> Result<Touched, RepoError> {
        let mut found = Touched::default();
        for change in changed {
            found.refusals.extend(match relative(source.folder, &change.path) {
                Some(_) => not_read(change),
                None => covered(source.folder, change),
            });
        }
        let units = self.reached(repo, source, base, changed)?;
        for unit in units {
            let base = self.unit(repo, source, base, &unit)?;
            let merged = self.unit(repo, source, merged, &unit)?;
            found.units.push(UnitPair { unit, base, merged });
        }
        Ok(found)
    }

    /// The units whose files `changed` touches, their own and those they read in `base`.
    pub(super) fn reached(&self, repo: &dyn StateRepo, source: &Source<'_>, base: &TreeId, changed: &[Changed]) -> Result<BTreeSet<Unit>, RepoError> {
        let paths: BTreeSet<Str> = changed.iter().filter_map(|change| relative(source.folder, &change.path)).map(Str::from).collect();
        let mut units: BTreeSet<Unit> = paths.iter().filter_map(|path| source.format.unit_of(path)).collect();
        if source.format.reads_beyond() && !paths.is_empty() {
            let includes = self.includes(repo, source, base)?;
            units.extend(includes.by_unit.iter().filter(|(_, read)| !read.is_disjoint(&paths)).map(|(unit, _)| unit.clone()));
        }
        Ok(units)
    }

    /// Reads one unit in one tree; a unit without files asks for nothing.
    pub fn unit(&self, repo: &dyn StateRepo, source: &Source<'_>, tree: &TreeId, unit: &Unit) -> Result<UnitSide, RepoError> {
        let own = own_files(repo, source, tree, unit)?;
        let key = (fingerprint(source), unit.clone());
        let known: Vec<Variant> = lock(&self.read).get(&key).cloned().unwrap_or_default();
        for variant in &known {
            if variant.own == own && self.same_beyond(repo, source, tree, variant)? {
                return Ok(variant.side.clone());
            }
        }
        let variant = read(repo, source, tree, unit, own)?;
        let side = variant.side.clone();
        let mut kept = lock(&self.read);
        let mut variants = kept.get(&key).cloned().unwrap_or_default();
        variants.insert(0, variant);
        variants.truncate(VARIANTS);
        let weight = variants.iter().map(|variant| variant.weight).sum();
        kept.put(key, variants, weight);
        Ok(side)
    }

    /// Reads one unit past the cache, for what looks at a whole source and must not push out what plans need.
    pub fn once(&self, repo: &dyn StateRepo, source: &Source<'_>, tree: &TreeId, unit: &Unit) -> Result<UnitSide, RepoError> {
        side_once(repo, source, tree, unit)
    }

    /// All units of a source in one tree. Costs the whole source: for seeding, validating and imports, never for planning.
    pub fn units(&self, repo: &dyn StateRepo, source: &Source<'_>, tree: &TreeId) -> Result<BTreeSet<Unit>, RepoError> {
        let files = repo.files(tree, source.folder)?;
        Ok(files.iter().filter_map(|entry| source.format.unit_of(relative(source.folder, &entry.path)?)).collect())
    }

    /// The units of a source in one tree that may speak of the same resources as `units`, which are not among them.
    pub fn beside(&self, repo: &dyn StateRepo, source: &Source<'_>, tree: &TreeId, units: &BTreeSet<Unit>) -> Result<BTreeSet<Unit>, RepoError> {
        let homes: BTreeSet<Home> = units.iter().flat_map(|unit| source.format.beside(unit)).collect();
        let mut found = BTreeSet::new();
        for home in homes {
            let entries = entries(repo, source, tree, &home)?;
            found.extend(entries.iter().filter_map(|entry| source.format.unit_of(relative(source.folder, &entry.path)?)).filter(|unit| !units.contains(unit)));
        }
        Ok(found)
    }

    /// The files among `paths` that units beside this one read too, each with those units: an edit of such a file is an edit of all of them.
    pub fn shared(&self, repo: &dyn StateRepo, source: &Source<'_>, tree: &TreeId, unit: &Unit, paths: &[Str]) -> Result<BTreeMap<Str, BTreeSet<Unit>>, RepoError> {
        let mut found: BTreeMap<Str, BTreeSet<Unit>> = BTreeMap::new();
        let includes = self.includes(repo, source, tree)?;
        for path in paths {
            let readers = includes.by_unit.iter().filter(|(_, read)| read.contains(path)).map(|(reader, _)| reader.clone());
            let others: BTreeSet<Unit> = readers.chain(source.format.unit_of(path)).filter(|reader| reader != unit).collect();
            if !others.is_empty() {
                found.insert(path.clone(), others);
            }
        }
        Ok(found)
    }

    fn same_beyond(&self, repo: &dyn StateRepo, source: &Source<'_>, tree: &TreeId, variant: &Variant) -> Result<bool, RepoError> {
        for (path, id) in &variant.beyond {
            if repo.entry(tree, &join(source.folder, path))?.map(|entry| entry.id) != *id {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Who reads what beyond its own files in `tree`: from the last tree asked about by what differs, or by reading the source once.
    fn includes(&self, repo: &dyn StateRepo, source: &Source<'_>, tree: &TreeId) -> Result<Includes, RepoError> {
        let key = fingerprint(source);
        let known = lock(&self.includes).get(&key).cloned();
        let (mut includes, stale) = match known {
            Some(known) if known.tree == *tree => return Ok(known),
            Some(known) => {
                let changed = repo.changed(&known.tree, tree)?;
                let paths: BTreeSet<Str> = changed.iter().filter_map(|change| relative(source.folder, &change.path)).map(Str::from).collect();
                let mut stale: BTreeSet<Unit> = paths.iter().filter_map(|path| source.format.unit_of(path)).collect();
                stale.extend(known.by_unit.iter().filter(|(_, read)| !read.is_disjoint(&paths)).map(|(unit, _)| unit.clone()));
                (known, stale)
            }
            None => (Includes { tree: tree.clone(), by_unit: BTreeMap::new() }, self.units(repo, source, tree)?),
        };
        for unit in stale {
            includes.by_unit.remove(&unit);
            let beyond: BTreeSet<Str> = read_once(repo, source, tree, &unit)?.beyond.into_iter().map(|(path, _)| path).collect();
            if !beyond.is_empty() {
                includes.by_unit.insert(unit, beyond);
            }
        }
        includes.tree = tree.clone();
        lock(&self.includes).insert(key, includes.clone());
        Ok(includes)
    }
}

/// Reads a unit past the cache, for what looks at a whole source.
fn read_once(repo: &dyn StateRepo, source: &Source<'_>, tree: &TreeId, unit: &Unit) -> Result<Variant, RepoError> {
    let own = own_files(repo, source, tree, unit)?;
    read(repo, source, tree, unit, own)
}

/// Reads a unit's desired state past the cache.
pub(super) fn side_once(repo: &dyn StateRepo, source: &Source<'_>, tree: &TreeId, unit: &Unit) -> Result<UnitSide, RepoError> {
    Ok(read_once(repo, source, tree, unit)?.side)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is cached is replaced whole, so a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The source's identity: folder, format, and everything of the scope that reading may depend on.
pub(super) fn fingerprint(source: &Source<'_>) -> Fingerprint {
    let Scope { targets, policy } = source.scope;
    let names: Vec<&[u8]> = targets.iter().map(|target| target.as_bytes()).collect();
    let targets = Fingerprint::of("targets", &names);
    // Reading asks policy only for the types it leaves out and for leniency; a change of any other rule must not read everything again.
    let skip = policy.skip.iter().flat_map(|skipped| [skipped.r#type.as_bytes(), skipped.reason.as_bytes()]).collect::<Vec<_>>();
    let skip = Fingerprint::of("skip", &skip);
    Fingerprint::of("source", &[source.folder.as_bytes(), source.format.name().as_bytes(), source.format.settings().as_bytes(), &targets.0, &skip.0, &[u8::from(policy.lenient)]])
}

fn read(repo: &dyn StateRepo, source: &Source<'_>, tree: &TreeId, unit: &Unit, own: Vec<Own>) -> Result<Variant, RepoError> {
    if own.is_empty() {
        let side = Arc::new(Ok(UnitRead { desired: Desired::default(), inputs: Vec::new() }));
        return Ok(Variant { own, beyond: Vec::new(), side, weight: RESOURCE });
    }
    let names: Vec<Str> = own.iter().map(|(path, ..)| path.clone()).collect();
    let files = TreeFiles::new(repo, tree, source.folder, names.clone());
    let answer = source.format.read(unit, &files, source.scope);
    let asked = files.into_asked()?;
    let own_names: BTreeSet<&Str> = names.iter().collect();
    let beyond: Vec<_> = asked.into_iter().filter(|(path, _)| !own_names.contains(path)).collect();
    let inputs = names.iter().cloned().chain(beyond.iter().map(|(path, _)| path.clone())).collect();
    let weight = RESOURCE * (1 + answer.as_ref().map_or(0, |desired| desired.resources.len() + desired.left.len()) + own.len() + beyond.len());
    let side = Arc::new(answer.map(|desired| UnitRead { desired, inputs }));
    Ok(Variant { own, beyond, side, weight })
}

/// The unit's own files in one tree, by path relative to the source.
fn own_files(repo: &dyn StateRepo, source: &Source<'_>, tree: &TreeId, unit: &Unit) -> Result<Vec<Own>, RepoError> {
    let entries: Vec<TreeEntry> = match source.format.homes(unit) {
        None => repo.files(tree, source.folder)?,
        Some(homes) => {
            let mut found = Vec::new();
            for home in &homes {
                found.extend(entries(repo, source, tree, home)?);
            }
            found
        }
    };
    let mut own: Vec<Own> = entries
        .into_iter()
        .filter_map(|entry| {
            let path = relative(source.folder, &entry.path)?;
            (source.format.unit_of(path).as_ref() == Some(unit)).then(|| (path.into(), entry.id, entry.mode))
        })
        .collect();
    own.sort_by(|a, b| a.0.cmp(&b.0));
    own.dedup();
    Ok(own)
}

/// The files at one place of a source.
fn entries(repo: &dyn StateRepo, source: &Source<'_>, tree: &TreeId, home: &Home) -> Result<Vec<TreeEntry>, RepoError> {
    match home {
        Home::File(path) => Ok(repo.entry(tree, &join(source.folder, path))?.filter(|entry| entry.mode != Mode::Tree).into_iter().collect()),
        // A file of that name is no folder.
        Home::Folder(path) if !path.is_empty() && repo.entry(tree, &join(source.folder, path))?.is_none_or(|entry| entry.mode != Mode::Tree) => Ok(Vec::new()),
        Home::Folder(path) => repo.files(tree, &join(source.folder, path)),
    }
}

/// The path relative to the source's folder; `None`: it is not inside.
fn relative<'p>(folder: &str, path: &'p str) -> Option<&'p str> {
    match folder.trim_matches('/') {
        "" => Some(path),
        folder => path.strip_prefix(folder)?.strip_prefix('/'),
    }
}

/// A link or submodule that a change puts inside the source.
fn not_read(change: &Changed) -> Option<Refusal> {
    let (id, mode) = change.new.as_ref()?;
    irregular(&TreeEntry { path: change.path.clone(), id: id.clone(), mode: *mode })
}

/// A change that puts something else where the source's folder was: without this, a link there would read as "delete everything".
fn covered(folder: &str, change: &Changed) -> Option<Refusal> {
    let folder = folder.trim_matches('/');
    let (id, mode) = change.new.as_ref()?;
    let above = folder == &*change.path || folder.strip_prefix(&*change.path).is_some_and(|rest| rest.starts_with('/'));
    if !above {
        return None;
    }
    let entry = TreeEntry { path: change.path.clone(), id: id.clone(), mode: *mode };
    irregular(&entry).or_else(|| {
        let what = format!("`{}` is a file where the source `{folder}` has its folder", change.path);
        Some(
            Refusal::new(crate::core::model::RefusalKind::Path, what)
                .at(crate::core::model::Place::file(change.path.clone()))
                .advice("put the folder back, or take the source out of trueup.yaml"),
        )
    })
}
