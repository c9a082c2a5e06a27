//! What a branch holds: every commit its tip reaches, read once and followed as the tip moves.

use super::{
    repo::{GitRepo, oid},
    tree::wrong,
};
use crate::{
    core::model::{CommitId, User},
    ports::RepoError,
};
use git2::{ErrorCode, Oid, Repository};
use std::{
    collections::{BTreeSet, HashSet},
    sync::{Mutex, PoisonError},
};

/// The commits of one branch.
///
/// Asking git costs the commits since a merge request forked, at every look; here a question costs what the branch gained since the last
/// one and what the head is ahead by. Some forty bytes a commit stay in memory.
#[derive(Default)]
pub struct Held(Mutex<Known>);

#[derive(Default)]
struct Known {
    branch: String,
    tip: Option<Oid>,
    commits: HashSet<Oid>,
}

/// How a commit stands to a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The branch's tip, which this is about.
    pub tip: CommitId,
    /// The branch holds the commit.
    pub held: bool,
    /// The commit does not hold the branch's tip.
    pub behind: bool,
    /// Authors and committers of what the branch lacks, as `name <email>`.
    pub authors: BTreeSet<User>,
    /// What the branch lacks, in no order.
    pub ahead: Vec<CommitId>,
}

/// The address of `name <address>`.
pub fn mail(who: &User) -> Option<&str> {
    who.as_str().rsplit_once('<').and_then(|(_, rest)| rest.strip_suffix('>'))
}

impl Held {
    /// How `head` stands to a branch, named in full, as it is now; `None`: there is no such branch.
    pub fn standing(&self, git: &GitRepo, branch: &str, head: &CommitId) -> Result<Option<Standing>, RepoError> {
        let head = oid(head.as_str())?;
        git.with_repo(|repo| {
            // A panic elsewhere may leave commits without their tip: then everything is read again.
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Read under the lock, so that what is known never goes back to an older tip.
            let tip = match repo.refname_to_id(branch) {
                Ok(tip) => tip,
                Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => return Ok(None),
                Err(error) => return Err(wrong(error)),
            };
            known.follow(repo, branch, tip)?;
            let (ahead, met) = lacking(repo, head, &known.commits)?;
            let mut authors = BTreeSet::new();
            for id in &ahead {
                let commit = repo.find_commit(*id).map_err(wrong)?;
                for who in [commit.author(), commit.committer()] {
                    let (name, email) = (String::from_utf8_lossy(who.name_bytes()), String::from_utf8_lossy(who.email_bytes()));
                    authors.insert(User::new(format!("{name} <{email}>")));
                }
            }
            let (held, behind) = (ahead.is_empty(), !met.contains(&tip));
            let ahead = ahead.iter().map(|id| CommitId::new(id.to_string())).collect();
            Ok(Some(Standing { tip: CommitId::new(tip.to_string()), held, behind, authors, ahead }))
        })
    }
}

impl Known {
    fn follow(&mut self, repo: &Repository, branch: &str, tip: Oid) -> Result<(), RepoError> {
        let known = self.tip.filter(|_| self.branch == branch);
        if known == Some(tip) {
            return Ok(());
        }
        if let Some(old) = known {
            let (gained, met) = lacking(repo, tip, &self.commits)?;
            if met.contains(&old) {
                self.tip = None;
                self.commits.extend(gained);
                self.tip = Some(tip);
                return Ok(());
            }
        }
        // The first question, another branch, or one that was set back: some of what is known may be gone.
        self.tip = None;
        let mut walk = repo.revwalk().map_err(wrong)?;
        walk.push(tip).map_err(wrong)?;
        self.commits = walk.collect::<Result<_, _>>().map_err(wrong)?;
        branch.clone_into(&mut self.branch);
        self.tip = Some(tip);
        Ok(())
    }
}

/// The commits that `from` reaches and that are not held, and the held ones they stand on.
fn lacking(repo: &Repository, from: Oid, held: &HashSet<Oid>) -> Result<(HashSet<Oid>, HashSet<Oid>), RepoError> {
    let (mut found, mut met, mut next) = (HashSet::new(), HashSet::new(), vec![from]);
    while let Some(id) = next.pop() {
        if held.contains(&id) {
            met.insert(id);
        } else if found.insert(id) {
            next.extend(repo.find_commit(id).map_err(wrong)?.parent_ids());
        }
    }
    Ok((found, met))
}
