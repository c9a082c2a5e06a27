//! One bare repository on disk: made when it is missing, its branches read, its governed branch protected.

use super::{
    error::{LocalError, LocalErrorKind},
    hooks,
};
use crate::{
    core::model::{CommitId, RepoId},
    git::{GitRepo, Held, Standing, program},
    ports::Governed,
};
use git2::{ErrorCode, Repository, RepositoryInitOptions};
use std::path::{Path, PathBuf};

/// One repository of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalRepository {
    pub id: RepoId,
    /// The bare repository; made when nothing is there.
    pub path: PathBuf,
    /// The governed branch.
    pub branch: Governed,
}

/// Settings every governed repository has: pushes over HTTP, and nothing answered before it is on disk.
const SETTINGS: [(&str, &str); 13] = [
    ("http.receivepack", "true"),
    ("http.uploadpack", "true"),
    ("core.fsync", "all"),
    ("receive.advertisePushOptions", "false"),
    // Our hook refuses with a reason where git would refuse without one.
    ("receive.denyDeleteCurrent", "ignore"),
    // A tree that names one file twice reads differently here and in a checkout: what was planned is not what people would see.
    ("receive.fsckObjects", "true"),
    // What old histories hold and what cannot mislead a reader of trees is taken.
    ("receive.fsck.badDate", "ignore"),
    ("receive.fsck.badEmail", "ignore"),
    ("receive.fsck.badTimezone", "ignore"),
    ("receive.fsck.missingEmail", "ignore"),
    ("receive.fsck.missingNameBeforeEmail", "ignore"),
    ("receive.fsck.missingSpaceBeforeDate", "ignore"),
    ("receive.fsck.zeroPaddedFilemode", "ignore"),
];

/// git holds the lock on a branch for the length of one small write; nothing alive holds it this long.
const LOCKED: std::time::Duration = std::time::Duration::from_secs(60);

/// An open repository with its configuration.
pub struct Place {
    pub id: RepoId,
    pub branch: Governed,
    /// The first of the repositories over the same folder: under its name stands what is known of branches, whoever governs them.
    pub chief: RepoId,
    /// All of them.
    pub beside: Vec<RepoId>,
    pub git: GitRepo,
    held: Held,
}

impl Place {
    /// Opens or makes the repository and installs what protects it. `shared`: other processes may be moving its branch.
    pub fn prepare(repository: &LocalRepository, all: &[LocalRepository], shared: bool) -> Result<Self, LocalError> {
        let LocalRepository { id, path, branch: governed } = repository;
        let beside: Vec<&LocalRepository> = all.iter().filter(|other| other.path == *path).collect();
        let branches: Vec<Governed> = beside.iter().map(|other| other.branch.clone()).collect();
        let chief = beside.first().map_or(id, |first| &first.id);
        let branch = &governed.said();
        let wrong = |what: String| LocalError::new(LocalErrorKind::Unavailable, format!("repository {id}: {what}"));
        let one = governed.pattern().is_none();
        let wrong_name = || LocalError::new(LocalErrorKind::Invalid, format!("repository {id}: `{branch}` is no branch name"));
        let full = if one { branch_ref(branch).ok_or_else(wrong_name)? } else { String::new() };
        if !path.join("HEAD").exists() && !path.join(".git").exists() {
            let mut options = RepositoryInitOptions::new();
            options.bare(true).mkpath(true).external_template(false);
            if one {
                options.initial_head(branch);
            }
            Repository::init_opts(path, &options).map_err(|error| wrong(format!("cannot make {}: {}", path.display(), error.message())))?;
        }
        let git = GitRepo::open(path)?;
        let bare = git.with_repo(|repo| Ok(repo.is_bare()))?;
        if !bare {
            let what = format!("{} is a checkout, and merging would leave its files behind; name a bare repository (git clone --bare)", path.display());
            return Err(LocalError::new(LocalErrorKind::Invalid, format!("repository {id}: {what}")));
        }
        git.with_repo(|repo| {
            let mut config = repo.config().and_then(|config| config.open_level(git2::ConfigLevel::Local)).map_err(said)?;
            for (key, value) in SETTINGS {
                if config.get_string(key).ok().as_deref() != Some(value) {
                    config.set_str(key, value).map_err(said)?;
                }
            }
            // The first one's branch is what people who clone see.
            if chief == id && one && repo.find_reference("HEAD").ok().and_then(|head| head.symbolic_target().ok().flatten().map(str::to_owned)).as_deref() != Some(&full) {
                repo.set_head(&full).map_err(said)?;
            }
            Ok(())
        })?;
        hooks::install(git.dir(), &branches)?;
        let beside = beside.iter().map(|other| other.id.clone()).collect();
        let place = Self { id: id.clone(), branch: governed.clone(), chief: chief.clone(), beside, git, held: Held::default() };
        if shared {
            place.unlock(branch);
        } else if one {
            // Only we move this branch, and we do not run yet: a lock is what a killed process left.
            let _ = std::fs::remove_file(place.lock(&full));
        }
        Ok(place)
    }

    fn lock(&self, full: &str) -> std::path::PathBuf {
        self.git.dir().join(format!("{full}.lock"))
    }

    /// Removes the lock on a governed branch when it is too old to be of a merge that is under way: what a killed replica left.
    pub fn unlock(&self, branch: &str) {
        let Some(lock) = branch_ref(branch).map(|full| self.lock(&full)) else { return };
        let age = std::fs::metadata(&lock).and_then(|about| about.modified()).ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > LOCKED) {
            let _ = std::fs::remove_file(lock);
        }
    }

    /// The tip of a branch; `None`: no such branch.
    pub fn tip(&self, branch: &str) -> Result<Option<CommitId>, LocalError> {
        let Some(name) = branch_ref(branch) else { return Ok(None) };
        let tip = self.git.with_repo(|repo| match repo.refname_to_id(&name) {
            Ok(id) => Ok(Some(CommitId::new(id.to_string()))),
            Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => Ok(None),
            Err(error) => Err(said(error)),
        });
        Ok(tip?)
    }

    /// How a commit stands to a branch as it is now; `None`: no such branch.
    pub fn standing(&self, branch: &str, head: &CommitId) -> Result<Option<Standing>, LocalError> {
        let Some(name) = branch_ref(branch) else { return Ok(None) };
        Ok(self.held.standing(&self.git, &name, head)?)
    }

    /// Whether a commit is in the repository, not in a push that is still under way.
    pub fn has(&self, commit: &str) -> bool {
        let Ok(id) = crate::git::oid(commit) else { return false };
        self.git.with_repo(|repo| Ok(repo.odb().is_ok_and(|odb| odb.exists(id)))).unwrap_or(false)
    }

    /// Keeps a merge request's head reachable whatever becomes of its branch.
    pub fn keep(&self, number: u64, head: &CommitId) -> Result<(), LocalError> {
        let id = crate::git::oid(head.as_str())?;
        let name = match self.id.as_str().strip_prefix(self.chief.as_str()) {
            Some(of) if self.id != self.chief => format!("refs/merge-requests{of}/{number}/head"),
            _ => format!("refs/merge-requests/{number}/head"),
        };
        self.git.with_repo(|repo| match repo.refname_to_id(&name) {
            Ok(there) if there == id => Ok(()),
            _ => repo.reference(&name, id, true, "merge request").map(|_| ()).map_err(said),
        })?;
        Ok(())
    }

    pub fn dir(&self) -> &Path {
        self.git.dir()
    }

    pub fn program(&self) -> std::process::Command {
        program::git(self.dir())
    }
}

/// The full name of a branch; `None` when git would not take it.
pub fn branch_ref(branch: &str) -> Option<String> {
    let full = format!("refs/heads/{branch}");
    (git2::Reference::is_valid_name(&full) && !branch.starts_with('-')).then_some(full)
}

fn said(error: git2::Error) -> crate::ports::RepoError {
    crate::ports::RepoError::Git { what: error.message().to_owned() }
}
