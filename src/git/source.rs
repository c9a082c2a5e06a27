//! The files of one unit of one source in one tree, and nothing outside it.

use crate::{
    core::model::{FileId, Place, Refusal, RefusalKind, Str, TreeId},
    formats::Files,
    ports::{Mode, RepoError, StateRepo, TreeEntry},
};
use std::{cell::RefCell, collections::BTreeMap};

/// The largest file that is read: ten times the largest zone file met so far; a 50 MB file is a mistake, not desired state.
pub const LARGEST: u64 = 16 << 20;

/// Reads by path for a format, refuses what is no regular file inside the source's folder, and records what was asked for.
pub struct TreeFiles<'a> {
    repo: &'a dyn StateRepo,
    tree: &'a TreeId,
    /// The source's folder; empty for the root.
    folder: &'a str,
    own: Vec<Str>,
    limit: u64,
    /// What each path asked for was, by path relative to the source; `None`: not there.
    asked: RefCell<BTreeMap<Str, Option<FileId>>>,
    /// The world's fault, which is no refusal: the reader gets one, the caller this.
    broken: RefCell<Option<RepoError>>,
}

impl<'a> TreeFiles<'a> {
    /// `own`: the unit's files relative to the source, sorted.
    pub fn new(repo: &'a dyn StateRepo, tree: &'a TreeId, folder: &'a str, own: Vec<Str>) -> Self {
        Self { repo, tree, folder, own, limit: LARGEST, asked: RefCell::default(), broken: RefCell::default() }
    }

    /// Reads files up to another size.
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// The paths asked for with what was there, and the world's fault if there was one.
    pub fn into_asked(self) -> Result<BTreeMap<Str, Option<FileId>>, RepoError> {
        match self.broken.into_inner() {
            Some(error) => Err(error),
            None => Ok(self.asked.into_inner()),
        }
    }

    fn refuse(&self, path: &str, what: String, advice: &str) -> Refusal {
        Refusal::new(RefusalKind::Path, what).at(Place::file(self.in_repository(path))).advice(advice)
    }

    /// Says the world's fault to the format as a refusal, and keeps it for the caller.
    fn world(&self, path: &str, error: RepoError) -> Refusal {
        let refusal = self.refuse(path, format!("cannot be read: {error}"), "this is not the file's fault; ask for the plan again");
        self.broken.borrow_mut().get_or_insert(error);
        refusal
    }

    fn missing(&self, path: &str, full: &str) -> Refusal {
        // A folder on the way that is a link or another repository is the real reason, so it is said.
        for (end, _) in full.match_indices('/') {
            if let Ok(Some(entry)) = self.repo.entry(self.tree, &full[..end])
                && entry.mode != Mode::Tree
                && let Some(refusal) = irregular(&entry)
            {
                return refusal;
            }
        }
        if full.contains("\\x") {
            return self.refuse(path, "the file's name is not UTF-8".into(), "rename the file");
        }
        self.refuse(path, "there is no such file".into(), "check the path; paths are relative to the source's folder")
    }
}

impl Files for TreeFiles<'_> {
    fn list(&self) -> Vec<Str> {
        self.own.clone()
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, Refusal> {
        let inside = inside(path).map_err(|why| self.refuse(path, format!("`{}` {why}", path.escape_debug()), "name a file inside the source's folder"))?;
        let full = self.in_repository(&inside);
        let entry = self.repo.entry(self.tree, &full).map_err(|error| self.world(path, error))?;
        self.asked.borrow_mut().insert(inside.into(), entry.as_ref().map(|entry| entry.id.clone()));
        let Some(entry) = entry else { return Err(self.missing(path, &full)) };
        if let Some(refusal) = irregular(&entry) {
            return Err(refusal);
        }
        self.repo.blob(&entry.id, self.limit).map_err(|error| match error {
            RepoError::TooLarge { len, limit, .. } => {
                Refusal::new(RefusalKind::Budget, format!("the file is {len} bytes; at most {limit} are read")).at(Place::file(full.clone())).advice("split it into several files")
            }
            error @ (RepoError::NoSuchRev { .. } | RepoError::Git { .. }) => self.world(path, error),
        })
    }

    fn has(&self, path: &str) -> bool {
        let Ok(inside) = inside(path) else { return false };
        match self.repo.entry(self.tree, &self.in_repository(&inside)) {
            Ok(entry) => {
                self.asked.borrow_mut().insert(inside.into(), entry.as_ref().map(|entry| entry.id.clone()));
                entry.is_some()
            }
            Err(error) => {
                self.broken.borrow_mut().get_or_insert(error);
                false
            }
        }
    }

    fn in_repository(&self, path: &str) -> Str {
        join(self.folder, path)
    }
}

/// Why an entry is never read as desired state; `None`: it is a regular file.
pub fn irregular(entry: &TreeEntry) -> Option<Refusal> {
    let (what, advice) = match entry.mode {
        Mode::File | Mode::Executable => return None,
        Mode::Symlink => ("is a symbolic link, which is never followed", "put the file itself there"),
        Mode::Submodule => ("is a submodule, which is never read", "put the files themselves there"),
        Mode::Tree => ("is a folder", "name a file in it"),
    };
    Some(Refusal::new(RefusalKind::Path, format!("`{}` {what}", entry.path)).at(Place::file(entry.path.clone())).advice(advice))
}

/// A path below a folder as the repository names it.
pub fn join(folder: &str, path: &str) -> Str {
    match folder.trim_matches('/') {
        "" => path.into(),
        folder => format!("{folder}/{path}").into(),
    }
}

/// The path with `.` and inner `..` resolved, or why it leads nowhere inside.
fn inside(path: &str) -> Result<String, &'static str> {
    if path.starts_with('/') {
        return Err("is an absolute path");
    }
    if path.contains('\0') {
        return Err("holds a character that no path here may have");
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop().ok_or("leads out of the source's folder")?),
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        return Err("names no file");
    }
    Ok(parts.join("/"))
}
