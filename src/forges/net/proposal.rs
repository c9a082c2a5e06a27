//! Merge requests of the server's own on any forge: the commit is made in the mirror, says itself what it proposes, and is pushed; what becomes of one is decided here.
//!
//! What stands in a commit of ours cannot be changed by anybody who does not thereby commit: so the commit says whose it is, and its description only finds it again.

use super::{Mirror, NetError, Want};
use crate::{
    core::model::{CommitId, Fingerprint, MrId, Str, Time, User},
    git::{NewCommit, Standing, commit_files, oid, signature},
    ports::{ForgeErrorKind, Proposal, Proposed},
};
use std::collections::BTreeSet;

/// The trailer that says what is proposed: the key and its content.
const PROPOSED: &str = "Trueup-Proposed";
/// The trailer that says who had it made.
const ASKED_BY: &str = "Trueup-Asked-By";

const BEGIN: &str = "<!-- trueup:proposes ";
const END: &str = " -->";
/// What stands for the content once we closed it ourselves.
const WITHDRAWN: &str = "withdrawn";

/// What a description says of a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposalNote {
    pub key: Str,
    /// The content; none once it was withdrawn.
    pub content: Option<Fingerprint>,
}

impl ProposalNote {
    /// Of a proposal as it is made now.
    pub fn of(proposal: &Proposal) -> Self {
        Self { key: proposal.key.clone(), content: Some(proposal.content()) }
    }

    /// Of one that we close ourselves.
    pub fn withdrawn(key: &str) -> Self {
        Self { key: key.into(), content: None }
    }

    /// Reads a description. Only one of a merge request that our own account opened says anything.
    pub fn read(description: &str) -> Option<Self> {
        let (said, _) = description.trim_start().strip_prefix(BEGIN)?.split_once(END)?;
        let (key, content) = said.rsplit_once(' ')?;
        Some(Self { key: key.into(), content: Fingerprint::parse(content) })
    }

    /// The description that says it.
    pub fn description(&self) -> String {
        let content = self.content.as_ref().map_or(WITHDRAWN.to_owned(), ToString::to_string);
        format!("{BEGIN}{} {content}{END}\nOpened by trueup itself; push to its branch to make it yours.\n", self.key)
    }
}

/// What the forge holds of our own merge requests from one branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mine {
    pub open: Option<u64>,
    /// The newest, where a person closed it, with what it says.
    pub closed: Option<(u64, ProposalNote)>,
}

impl Mirror {
    /// Brings the tip of a branch of ours here.
    pub async fn fetch_proposal(&self, key: &str, branch: &str, tip: Option<&CommitId>) -> Result<(), NetError> {
        let want = |at: &CommitId| Want { theirs: format!("refs/heads/{branch}"), ours: format!("refs/trueup/tips/{key}"), at: at.clone() };
        self.follow(&tip.map(want).into_iter().collect::<Vec<_>>()).await
    }

    /// What has become of a proposal, by where its branch is and what the forge holds; `None`: it is to be written.
    pub fn stands(&self, proposal: &Proposal, bot: &User, base: &str, tip: Option<&CommitId>, mine: &Mine) -> Result<Option<Proposed>, NetError> {
        let Proposal { repo, key, branch, .. } = proposal;
        let mr = |number: u64| MrId { repo: repo.clone(), number };
        let stands = tip.and_then(|tip| self.proposes(tip, key, bot));
        match (mine.open, stands) {
            (Some(number), None) => Ok(Some(Proposed::Taken(mr(number)))),
            (Some(number), Some(stands)) => Ok((stands == proposal.content()).then(|| Proposed::Open(mr(number)))),
            (None, stands) => {
                // A person closed exactly this, and it is not opened again until there is something else to say.
                if let Some((number, _)) = mine.closed.as_ref().filter(|(_, said)| *said == ProposalNote::of(proposal)) {
                    return Ok(Some(Proposed::Declined(mr(*number))));
                }
                let merged = |tip: &CommitId| self.standing(base, tip).ok().flatten().is_some_and(|standing| standing.held);
                if tip.is_some_and(|tip| stands.is_none() && !merged(tip)) {
                    return Err(NetError::new(ForgeErrorKind::Conflict, format!("`{branch}` holds somebody's commits; rename that branch, it is the server's own")));
                }
                Ok(None)
            }
        }
    }

    /// Makes the commit of a proposal and moves its branch there from where it was when that was decided; if it moved since, nothing is overwritten.
    pub async fn propose(&self, proposal: &Proposal, bot: &User, at: Time, before: Option<&CommitId>) -> Result<CommitId, NetError> {
        let (git, new, by) = (self.git().clone(), proposal.clone(), bot.clone());
        // Whoever had it made before is not forgotten because it is made anew.
        let mut askers: BTreeSet<String> = before.and_then(|before| self.git().trailers(before, ASKED_BY).ok()).into_iter().flatten().collect();
        askers.extend(new.asked_by.iter().map(ToString::to_string));
        let made = tokio::task::spawn_blocking(move || {
            let mut message = format!("{}\n\n{PROPOSED}: {} {}\n", new.message.trim_end(), new.key, new.content());
            for by in &askers {
                message.push_str(&format!("{ASKED_BY}: {by}\n"));
            }
            let scratch = format!("refs/trueup/proposed/{}", new.key);
            commit_files(git.dir(), &NewCommit { scratch, base: &new.base, files: &new.files, message: &message, name: by.as_str(), at })
        });
        let made = made.await.map_err(|stopped| NetError::new(ForgeErrorKind::Unavailable, format!("git work ended early: {stopped}")))??;
        self.push(&proposal.branch, &made, before).await?;
        Ok(made)
    }

    /// Whether a branch of ours holds what we put there and nobody else's work.
    pub fn is_ours(&self, key: &str, tip: Option<&CommitId>, bot: &User) -> bool {
        tip.is_some_and(|tip| self.proposes(tip, key, bot).is_some())
    }

    /// What a commit of ours proposes under a key; `None`: it is no such commit. Whoever amends or rebases one of ours keeps its message and is its committer.
    fn proposes(&self, commit: &CommitId, key: &str, bot: &User) -> Option<Fingerprint> {
        let id = oid(commit.as_str()).ok()?;
        let committer = self.git().with_repo(|repo| Ok(repo.find_commit(id).ok().map(|commit| commit.committer().to_string()))).ok().flatten()?;
        if committer != signature(bot.as_str()) {
            return None;
        }
        let said = self.git().trailer(commit, PROPOSED).ok().flatten()?;
        let (under, content) = said.rsplit_once(' ')?;
        if under == key { Fingerprint::parse(content) } else { None }
    }

    /// Who had made what a merge request brings: what was pushed on top of it makes it nobody else's.
    pub fn asked_by(&self, standing: &Standing) -> BTreeSet<User> {
        standing.ahead.iter().filter_map(|commit| self.git().trailers(commit, ASKED_BY).ok()).flatten().map(User::new).collect()
    }
}

/// Whether everybody whose hand is in a merge request is the server itself, by its account or as its commits are signed.
pub fn only_ours(pushers: &BTreeSet<User>, bot: &User) -> bool {
    let signature = signature(bot.as_str());
    pushers.iter().all(|who| who == bot || who.as_str() == signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_says_what_it_proposes_until_it_is_withdrawn() {
        let said = ProposalNote { key: "drift".into(), content: Some(Fingerprint::of("x", &[])) };
        assert_eq!(ProposalNote::read(&said.description()), Some(said.clone()));
        let withdrawn = ProposalNote::withdrawn("drift");
        assert_eq!(ProposalNote::read(&withdrawn.description()), Some(withdrawn));
        assert_eq!(ProposalNote::read("hello"), None);
    }
}
