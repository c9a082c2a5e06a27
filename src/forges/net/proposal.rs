//! Merge requests of the server's own on any forge: the commit is made in the mirror, says itself what it proposes, and is pushed.
//!
//! What stands in a commit cannot be changed by anybody who does not thereby push: so the commit says whose it is, and its description only finds it again.

use super::{Mirror, NetError};
use crate::{
    core::model::{CommitId, Fingerprint, Str, Time, User},
    git::{NewCommit, commit_files},
    ports::{ForgeErrorKind, Proposal},
};

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
pub struct Standing {
    pub key: Str,
    /// The content; none once it was withdrawn.
    pub content: Option<Fingerprint>,
}

impl Standing {
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

impl Mirror {
    /// Makes the commit of a proposal; no branch moves.
    pub async fn commit(&self, proposal: &Proposal, bot: &User, at: Time) -> Result<CommitId, NetError> {
        let (git, proposal, bot) = (self.git().clone(), proposal.clone(), bot.clone());
        let made = tokio::task::spawn_blocking(move || {
            let mut message = format!("{}\n\n{PROPOSED}: {} {}\n", proposal.message.trim_end(), proposal.key, proposal.content());
            if let Some(by) = &proposal.asked_by {
                message.push_str(&format!("{ASKED_BY}: {by}\n"));
            }
            let scratch = format!("refs/trueup/proposed/{}", proposal.key);
            commit_files(git.dir(), &NewCommit { scratch, base: &proposal.base, files: &proposal.files, message: &message, name: bot.as_str(), at })
        });
        Ok(made.await.map_err(|stopped| NetError::new(ForgeErrorKind::Unavailable, format!("git work ended early: {stopped}")))??)
    }

    /// What a commit of ours proposes under a key; `None`: it is no such commit.
    pub fn proposes(&self, commit: &CommitId, key: &str) -> Option<Fingerprint> {
        let said = self.git().trailer(commit, PROPOSED).ok().flatten()?;
        let (under, content) = said.rsplit_once(' ')?;
        if under == key { Fingerprint::parse(content) } else { None }
    }

    /// Who had a proposal made.
    pub fn asked_by(&self, commit: &CommitId) -> Option<User> {
        self.git().trailer(commit, ASKED_BY).ok().flatten().map(User::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_says_what_it_proposes_until_it_is_withdrawn() {
        let said = Standing { key: "drift".into(), content: Some(Fingerprint::of("x", &[])) };
        assert_eq!(Standing::read(&said.description()), Some(said.clone()));
        let withdrawn = Standing { content: None, ..said };
        assert_eq!(Standing::read(&withdrawn.description()), Some(withdrawn));
        assert_eq!(Standing::read("hello"), None);
    }
}
