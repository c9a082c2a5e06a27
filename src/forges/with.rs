//! Whose merge brought a head to a branch: a forge calls a request merged as soon as the branch holds its head, whoever asked for that.

#[cfg(feature = "forges")]
use crate::core::{model::User, review::MrState};
use crate::{
    core::model::{CommitId, MrId, RepoId},
    git::{GitRepo, oid},
    ports::RepoError,
};

/// Commits of a branch that are searched for a merge of ours: a change waits days, not this many merges.
pub const SEARCHED: usize = 10_000;

/// The trailer of our merges that names the change.
pub const CHANGE: &str = "Trueup-Change";

/// The merge of a merge request, made by us, that brought `head` to the branch at `tip`: the first of its first parents that holds it.
pub fn brought_by_us(git: &GitRepo, tip: &CommitId, head: &CommitId) -> Result<Option<(CommitId, MrId)>, RepoError> {
    let (start, head) = (oid(tip.as_str())?, oid(head.as_str())?);
    git.with_repo(|repo| {
        let wrong = |error: git2::Error| RepoError::Git { what: error.message().to_owned() };
        let holds = |commit: git2::Oid| Ok(commit == head || repo.graph_descendant_of(commit, head).map_err(wrong)?);
        let mut walk = repo.revwalk().map_err(wrong)?;
        walk.simplify_first_parent().and_then(|()| walk.push(start)).map_err(wrong)?;
        let chain = walk.take(SEARCHED).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        // Newest first, those that hold it come before those that do not. What was squashed or rebased is held by none.
        let (mut held, mut not) = (0, chain.len());
        while held < not {
            let half = held.midpoint(not);
            if holds(chain[half])? { held = half + 1 } else { not = half }
        }
        let Some(brought) = held.checked_sub(1).filter(|_| held < chain.len()).map(|last| chain[last]) else { return Ok(None) };
        let at = repo.find_commit(brought).map_err(wrong)?;
        let message = String::from_utf8_lossy(at.message_bytes()).into_owned();
        let named = message.lines().find_map(|line| line.strip_prefix(CHANGE)?.strip_prefix(": ")?.rsplit_once('!'));
        let whose = named.and_then(|(repo, number)| Some(MrId { repo: RepoId::new(repo), number: number.parse().ok()? }));
        Ok(whose.filter(|_| at.parent_count() == 2 && at.id() != head).map(|mr| (CommitId::new(at.id().to_string()), mr)))
    })
}

/// What a forge says was merged by our account, with whose merge that was where it was another's.
#[cfg(feature = "forges")]
pub fn with_whom(git: &GitRepo, mr: &MrId, state: MrState, bot: &User, tip: &CommitId, head: &CommitId) -> Result<MrState, RepoError> {
    let MrState::Merged { commit, by, with: None } = state else { return Ok(state) };
    if by != *bot {
        return Ok(MrState::Merged { commit, by, with: None });
    }
    Ok(match brought_by_us(git, tip, head)?.filter(|(_, other)| other != mr) {
        Some((at, other)) => MrState::Merged { commit: at, by, with: Some(other) },
        None => MrState::Merged { commit, by, with: None },
    })
}
