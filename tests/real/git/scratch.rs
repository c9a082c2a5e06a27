//! Bare repositories in a temporary folder, written commit by commit.

use git2::{FileMode, Oid, Repository, Signature, build::TreeUpdateBuilder};
use std::path::Path;
use trueup::{core::model::CommitId, git::GitRepo};

/// A bare repository that ends with the test.
pub struct Scratch {
    _dir: tempfile::TempDir,
    pub repo: Repository,
}

/// One path of a commit.
pub enum Put<'a> {
    File(&'a str, &'a str),
    Bytes(&'a [u8], &'a [u8]),
    Link(&'a str, &'a str),
    Submodule(&'a str),
    Gone(&'a str),
}

impl Scratch {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let repo = Repository::init_bare(dir.path().join("state.git")).unwrap();
        repo.set_head("refs/heads/main").unwrap();
        Self { _dir: dir, repo }
    }

    pub fn path(&self) -> &Path {
        self.repo.path()
    }

    pub fn open(&self) -> GitRepo {
        GitRepo::open(self.path()).unwrap()
    }

    /// Commits on a branch; its first commit stands on `parent`, or on nothing.
    pub fn commit(&self, branch: &str, parent: Option<&CommitId>, puts: &[Put<'_>]) -> CommitId {
        let name = format!("refs/heads/{branch}");
        let tip = self.repo.refname_to_id(&name).ok().or_else(|| parent.map(|parent| Oid::from_str(parent.as_str()).unwrap()));
        let parents: Vec<_> = tip.into_iter().map(|id| self.repo.find_commit(id).unwrap()).collect();
        let tree = match parents.first() {
            Some(parent) => parent.tree().unwrap(),
            None => self.repo.find_tree(self.repo.treebuilder(None).unwrap().write().unwrap()).unwrap(),
        };
        let mut update = TreeUpdateBuilder::new();
        for put in puts {
            match put {
                Put::File(path, text) => update.upsert(*path, self.repo.blob(text.as_bytes()).unwrap(), FileMode::Blob),
                Put::Bytes(path, bytes) => update.upsert(*path, self.repo.blob(bytes).unwrap(), FileMode::Blob),
                Put::Link(path, to) => update.upsert(*path, self.repo.blob(to.as_bytes()).unwrap(), FileMode::Link),
                Put::Submodule(path) => update.upsert(*path, Oid::from_str("1111111111111111111111111111111111111111").unwrap(), FileMode::Commit),
                Put::Gone(path) => update.remove(*path),
            };
        }
        let tree = self.repo.find_tree(update.create_updated(&self.repo, &tree).unwrap()).unwrap();
        let who = Signature::new("Ana", "ana@example.com", &git2::Time::new(1_700_000_000, 0)).unwrap();
        let parents: Vec<_> = parents.iter().collect();
        let id = self.repo.commit(None, &who, &who, "a change", &tree, &parents).unwrap();
        self.repo.reference(&name, id, true, "test").unwrap();
        CommitId::new(id.to_string())
    }

    /// A merge commit of two commits with the tree of the second, to which the branch moves.
    pub fn merge(&self, branch: &str, one: &CommitId, two: &CommitId) -> CommitId {
        let parents = [one, two].map(|id| self.repo.find_commit(Oid::from_str(id.as_str()).unwrap()).unwrap());
        let who = Signature::new("Ana", "ana@example.com", &git2::Time::new(1_700_000_000, 0)).unwrap();
        let id = self.repo.commit(None, &who, &who, "a merge", &parents[1].tree().unwrap(), &[&parents[0], &parents[1]]).unwrap();
        self.repo.reference(&format!("refs/heads/{branch}"), id, true, "test").unwrap();
        CommitId::new(id.to_string())
    }
}
