//! What merging a head into a base would bring: which commits, what they say, how many files.

use super::{
    lru::Lru,
    repo::oid,
    tree::{Trees, wrong},
};
use crate::{
    core::model::{CommitId, Str},
    ports::{Brought, RepoError},
};
use git2::{ErrorCode, Oid, Repository};
use std::sync::{Arc, Mutex, PoisonError};

/// Commits walked of one merge request; one of more is told as one of so many.
const COMMITS: usize = 10_000;

/// Bytes kept of one message: a rule or a link looks at what people write first.
const MESSAGE_BYTES: usize = 400;

/// Bytes kept of all messages of one merge request, each counted with what goes with it; a journal repeats them with each look that shows news.
const ALL_BYTES: usize = 64 << 10;

/// What goes with each message.
const WITH_EACH: usize = 40;

/// Answers kept, by weight: a look asks the same again and again.
const KEPT: usize = 4 << 20;

/// Answers by base and head, which fix them.
pub struct Answers(Mutex<Lru<(Oid, Oid), Arc<Brought>>>);

impl Default for Answers {
    fn default() -> Self {
        Self(Mutex::new(Lru::new(KEPT)))
    }
}

impl Answers {
    /// What `head` would bring to `base`.
    pub fn of(&self, repo: &Repository, trees: &Trees, base: &CommitId, head: &CommitId) -> Result<Arc<Brought>, RepoError> {
        let key = (oid(base.as_str())?, oid(head.as_str())?);
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let found = Arc::new(brought(repo, trees, key.0, key.1)?);
        let weight = 200 + found.commits.len() * 80 + found.messages.iter().map(|message| message.len() + 40).sum::<usize>();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, found.clone(), weight);
        Ok(found)
    }
}

fn brought(repo: &Repository, trees: &Trees, base: Oid, head: Oid) -> Result<Brought, RepoError> {
    for id in [base, head] {
        repo.find_commit(id).map_err(|_| RepoError::NoSuchRev { rev: id.to_string() })?;
    }
    let mut walk = repo.revwalk().map_err(wrong)?;
    walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::TIME).map_err(wrong)?;
    walk.push(head).map_err(wrong)?;
    walk.hide(base).map_err(wrong)?;
    let (mut commits, mut messages, mut whole) = (Vec::new(), Vec::new(), true);
    let (mut bytes, mut unsaid) = (0, 0);
    for id in walk {
        let id = id.map_err(wrong)?;
        if commits.len() == COMMITS {
            // How many more there are nobody counted.
            (whole, unsaid) = (false, unsaid + 1);
            break;
        }
        commits.push(CommitId::new(id.to_string()));
        let commit = repo.find_commit(id).map_err(wrong)?;
        if commit.parent_count() > 1 {
            continue;
        }
        let message = String::from_utf8_lossy(commit.message_bytes());
        let (kept, whole_line) = cut(&message);
        bytes += kept.len() + WITH_EACH;
        if bytes > ALL_BYTES {
            unsaid += 1;
            continue;
        }
        unsaid += usize::from(!whole_line);
        messages.push(kept);
    }
    let left_at = match repo.merge_base(base, head) {
        Ok(at) => Some(at),
        Err(error) if error.code() == ErrorCode::NotFound => None,
        Err(error) => return Err(wrong(error)),
    };
    let tree = |id: Oid| Ok::<Oid, RepoError>(repo.find_commit(id).map_err(wrong)?.tree_id());
    let files = trees.diff(repo, tree(left_at.unwrap_or(base))?, tree(head)?)?.len();
    Ok(Brought { commits, whole, messages, unsaid, files })
}

/// The beginning of a message, and whether its first line is in it whole.
fn cut(message: &str) -> (Str, bool) {
    let message = message.trim();
    let kept = &message[..message.floor_char_boundary(MESSAGE_BYTES)];
    (kept.into(), kept.len() == message.len() || kept.contains('\n'))
}
