//! A repository on disk as a `StateRepo`: libgit2 reads objects, the `git` program merges.

use super::{
    brought::Answers,
    merge,
    tree::{Trees, wrong},
};
use crate::{
    core::model::{CommitId, FileId, Str, TreeId},
    ports::{Brought, Changed, Merge, RepoError, StateRepo, TreeEntry},
};
use git2::{ErrorCode, ObjectType, Oid, Repository};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// Open handles that are kept for the next call. A libgit2 handle serves one thread at a time; more at once are opened and dropped.
const POOLED: usize = 4;

/// A bare repository, or the one inside a checkout.
pub struct GitRepo {
    dir: PathBuf,
    pool: Mutex<Vec<Repository>>,
    trees: Trees,
    brought: Answers,
}

impl GitRepo {
    /// Opens a bare repository, a checkout, or a checkout's `.git`.
    pub fn open(path: &Path) -> Result<Self, RepoError> {
        let opened = Repository::open(path).map_err(|error| RepoError::Git { what: format!("no repository at {}: {}", path.display(), error.message()) })?;
        Ok(Self::with(opened))
    }

    /// Opens the repository that a folder is in, as git itself finds it.
    pub fn discover(path: &Path) -> Result<Self, RepoError> {
        let found = Repository::discover(path).map_err(|error| RepoError::Git { what: format!("no repository at or above {}: {}", path.display(), error.message()) })?;
        Ok(Self::with(found))
    }

    fn with(repo: Repository) -> Self {
        Self { dir: repo.path().to_owned(), pool: Mutex::new(vec![repo]), trees: Trees::default(), brought: Answers::default() }
    }

    /// The git directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The address of `origin`; `None`: there is none.
    pub fn origin(&self) -> Result<Option<String>, RepoError> {
        self.with_repo(|repo| Ok(repo.find_remote("origin").ok().and_then(|remote| remote.url().ok().map(str::to_owned))))
    }

    /// Runs `work` with a handle of its own.
    pub fn with_repo<T>(&self, work: impl FnOnce(&Repository) -> Result<T, RepoError>) -> Result<T, RepoError> {
        let pooled = self.lock().pop();
        let repo = match pooled {
            Some(repo) => repo,
            None => Repository::open(&self.dir).map_err(wrong)?,
        };
        let done = work(&repo);
        let mut pool = self.lock();
        if pool.len() < POOLED {
            pool.push(repo);
        }
        done
    }

    /// The tree that setting what `head` brings onto `base`, commit by commit, would give.
    pub fn replay(&self, base: &CommitId, head: &CommitId) -> Result<Merge, RepoError> {
        let (base, head) = (oid(base.as_str())?, oid(head.as_str())?);
        self.with_repo(|repo| merge::replay(repo, base, head))
    }

    /// The parents of a commit, in its order.
    pub fn parents(&self, commit: &CommitId) -> Result<Vec<CommitId>, RepoError> {
        let id = oid(commit.as_str())?;
        self.with_repo(|repo| Ok(repo.find_commit(id).map_err(wrong)?.parent_ids().map(|id| CommitId::new(id.to_string())).collect()))
    }

    /// What the last paragraph of a commit's message says under a key (`Key: value`).
    pub fn trailer(&self, commit: &CommitId, key: &str) -> Result<Option<String>, RepoError> {
        Ok(self.trailers(commit, key)?.into_iter().next())
    }

    /// All of them, where there are several.
    pub fn trailers(&self, commit: &CommitId, key: &str) -> Result<Vec<String>, RepoError> {
        let id = oid(commit.as_str())?;
        self.with_repo(|repo| {
            let commit = repo.find_commit(id).map_err(wrong)?;
            let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
            let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
            Ok(last.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(": ")).map(str::to_owned).collect())
        })
    }

    /// Whether its history is cut somewhere.
    pub fn is_shallow(&self) -> Result<bool, RepoError> {
        self.with_repo(|repo| Ok(repo.is_shallow()))
    }

    /// Whether all of what two commits do not share is here, and a commit where they parted: only then does a shallow clone merge as a whole one does.
    pub fn parted(&self, one: &CommitId, other: &CommitId) -> Result<bool, RepoError> {
        let (one, other) = (oid(one.as_str())?, oid(other.as_str())?);
        self.with_repo(|repo| {
            let cut = std::fs::read_to_string(repo.commondir().join("shallow")).unwrap_or_default();
            let cut: std::collections::BTreeSet<&str> = cut.lines().map(str::trim).collect();
            let bases = match repo.merge_bases(one, other) {
                Ok(bases) => bases,
                Err(error) if error.code() == ErrorCode::NotFound => return Ok(false),
                Err(error) => return Err(wrong(error)),
            };
            // One is the other's own history: nothing is merged, the later one is taken as it is.
            if bases.iter().any(|base| *base == one || *base == other) {
                return Ok(true);
            }
            let mut walk = repo.revwalk().map_err(wrong)?;
            for tip in [one, other] {
                walk.push(tip).map_err(wrong)?;
            }
            for base in bases.iter() {
                walk.hide(*base).map_err(wrong)?;
            }
            for id in walk {
                if cut.contains(id.map_err(wrong)?.to_string().as_str()) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Repository>> {
        // Handles are only moved in and out, so a panic elsewhere leaves the list whole.
        self.pool.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Reads an object id; anything else must never reach an argument list or a lookup.
pub fn oid(id: &str) -> Result<Oid, RepoError> {
    let whole = id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then(|| Oid::from_str(id)).transpose().map_err(wrong)?.ok_or_else(|| RepoError::Git { what: format!("`{}` is no object id", id.escape_default()) })
}

impl StateRepo for GitRepo {
    fn commit(&self, rev: &str) -> Result<CommitId, RepoError> {
        let missing = || RepoError::NoSuchRev { rev: rev.to_owned() };
        self.with_repo(|repo| {
            let found = repo.revparse_single(rev).and_then(|object| object.peel(ObjectType::Commit));
            match found {
                Ok(commit) => Ok(CommitId::new(commit.id().to_string())),
                Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec | ErrorCode::Ambiguous | ErrorCode::Peel) => Err(missing()),
                Err(error) => Err(wrong(error)),
            }
        })
    }

    fn branches(&self) -> Result<Vec<Str>, RepoError> {
        self.with_repo(|repo| {
            let found = repo.references_glob("refs/heads/*").map_err(wrong)?;
            // What is no text is no branch that anybody could name.
            Ok(found.filter_map(|reference| Some(reference.ok()?.name().ok()?.strip_prefix("refs/heads/")?.into())).collect())
        })
    }

    fn tree(&self, commit: &CommitId) -> Result<TreeId, RepoError> {
        let id = oid(commit.as_str())?;
        self.with_repo(|repo| match repo.find_commit(id) {
            Ok(commit) => Ok(TreeId::new(commit.tree_id().to_string())),
            Err(error) if error.code() == ErrorCode::NotFound => Err(RepoError::NoSuchRev { rev: id.to_string() }),
            Err(error) => Err(wrong(error)),
        })
    }

    fn first_parent(&self, commit: &CommitId) -> Result<Option<CommitId>, RepoError> {
        let id = oid(commit.as_str())?;
        self.with_repo(|repo| {
            let parent = repo.find_commit(id).map_err(wrong)?.parent_id(0);
            // A shallow clone names parents that it does not hold.
            Ok(parent.ok().filter(|parent| repo.find_commit(*parent).is_ok()).map(|parent| CommitId::new(parent.to_string())))
        })
    }

    fn brought(&self, base: &CommitId, head: &CommitId) -> Result<Arc<Brought>, RepoError> {
        self.with_repo(|repo| self.brought.of(repo, &self.trees, base, head))
    }

    fn merge(&self, base: &CommitId, head: &CommitId) -> Result<Merge, RepoError> {
        for commit in [base, head] {
            self.tree(commit)?;
        }
        merge::merge_tree(&self.dir, base, head)
    }

    fn changed(&self, from: &TreeId, to: &TreeId) -> Result<Vec<Changed>, RepoError> {
        let (from, to) = (oid(from.as_str())?, oid(to.as_str())?);
        self.with_repo(|repo| self.trees.diff(repo, from, to))
    }

    fn files(&self, tree: &TreeId, prefix: &str) -> Result<Vec<TreeEntry>, RepoError> {
        let mut root = oid(tree.as_str())?;
        let prefix = prefix.trim_matches('/');
        self.with_repo(|repo| {
            if !prefix.is_empty() {
                match self.trees.entry(repo, root, prefix)? {
                    Some(folder) if folder.mode == crate::ports::Mode::Tree => root = oid(folder.id.as_str())?,
                    Some(_) | None => return Ok(Vec::new()),
                }
            }
            let mut found = Vec::new();
            self.trees.walk(repo, root, prefix, &mut found)?;
            Ok(found)
        })
    }

    fn entry(&self, tree: &TreeId, path: &str) -> Result<Option<TreeEntry>, RepoError> {
        let root = oid(tree.as_str())?;
        self.with_repo(|repo| self.trees.entry(repo, root, path))
    }

    fn blob(&self, id: &FileId, limit: u64) -> Result<Vec<u8>, RepoError> {
        let id = oid(id.as_str())?;
        self.with_repo(|repo| {
            let odb = repo.odb().map_err(wrong)?;
            // The header alone tells the size: a huge blob is never inflated.
            let (len, kind) = odb.read_header(id).map_err(wrong)?;
            if kind != ObjectType::Blob {
                return Err(RepoError::Git { what: format!("{id} is no file") });
            }
            if len as u64 > limit {
                return Err(RepoError::TooLarge { path: id.to_string(), len: len as u64, limit });
            }
            Ok(odb.read(id).map_err(wrong)?.data().to_vec())
        })
    }
}
