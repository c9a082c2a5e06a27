//! Pull requests of our own: found or made by a key, on a branch of their own, kept as what is proposed changes.
//!
//! What was proposed last stands in a hidden line of the request's description, because nothing else outlives a crash on both sides.

use super::{
    api::part,
    forge::{GitHub, Place},
    look::git,
    wire::{GitCommit, Object, Pull, Reference},
};
use crate::{
    core::model::{CommitId, Fingerprint, MrId, RepoId, User},
    forges::net::{NetError, Weight, told},
    ports::{self, ForgeErrorKind, Proposal},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value as Json, json};

const BEGIN: &str = "<!-- trueup:proposed ";
const END: &str = " -->";

/// In the commit's message, where nobody edits it away: who had it made.
const ASKED: &str = "Trueup-Asked-By: ";

/// Pages of open requests searched for ours.
const PAGES: usize = 20;

/// What the hidden line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    pub key: String,
    /// The content of what is proposed.
    content: String,
    /// What the branch holds, or will in a moment.
    head: String,
    /// What it held before; after a crash in between it still does.
    before: String,
    /// We closed it ourselves: the same may be proposed again.
    withdrawn: bool,
}

impl Proposed {
    /// Reads the hidden line of a description.
    pub fn of(body: &str) -> Option<Self> {
        let (line, _) = body.split_once(BEGIN)?.1.split_once(END)?;
        let mut words = line.split(' ').map(str::to_owned);
        let [key, content, head, before, state] = [words.next()?, words.next()?, words.next()?, words.next()?, words.next()?];
        Some(Self { key, content, head, before, withdrawn: state == "withdrawn" })
    }

    fn body(&self) -> String {
        let Self { key, content, head, before, withdrawn } = self;
        format!("{BEGIN}{key} {content} {head} {before} {}{END}\n", if *withdrawn { "withdrawn" } else { "stands" })
    }

    fn is_ours(&self, tip: &str) -> bool {
        tip == self.head || tip == self.before
    }
}

impl GitHub {
    pub(super) async fn proposed(&self, proposal: &Proposal) -> Result<ports::Proposed, NetError> {
        let place = self.place(&proposal.repo)?;
        let content = content(proposal).to_string();
        let known = self.newest(place, proposal).await?;
        if let Some((pull, said)) = &known {
            let mr = Self::mr(place, pull.number);
            match (pull.is_open(), said.content == content) {
                (true, _) if !said.is_ours(&pull.head.sha) => return Ok(ports::Proposed::Taken(mr)),
                (true, true) if said.head == pull.head.sha => return Ok(ports::Proposed::Open(mr)),
                // A person closed exactly this: it is not opened again until there is something else to say.
                (false, true) if pull.merged_at.is_none() && !said.withdrawn => return Ok(ports::Proposed::Declined(mr)),
                (true | false, _) => {}
            }
        }
        let tip = self.branch(place, &proposal.branch).await?;
        let commit = self.commit(place, proposal).await?;
        let before = tip.clone().unwrap_or_else(|| "none".to_owned());
        let said = Proposed { key: proposal.key.to_string(), content, head: commit.clone(), before, withdrawn: false };
        if let Some((pull, _)) = known.filter(|(pull, _)| pull.is_open()) {
            let edit = json!({ "title": proposal.title, "body": said.body() });
            self.api.send(Weight::Comment, Method::PATCH, &place.path(format!("/pulls/{}", pull.number)), &edit).await?;
            self.point(place, &proposal.branch, &commit, tip.is_some()).await?;
            return Ok(ports::Proposed::Open(Self::mr(place, pull.number)));
        }
        if let Some(tip) = &tip {
            self.must_be_ours(place, &proposal.branch, tip).await?;
        }
        self.point(place, &proposal.branch, &commit, tip.is_some()).await?;
        let new = json!({ "title": proposal.title, "head": proposal.branch, "base": place.project.branch, "body": said.body() });
        let pull: Pull = self.api.send(Weight::Comment, Method::POST, &place.path("/pulls"), &new).await?.json()?;
        Ok(ports::Proposed::Open(Self::mr(place, pull.number)))
    }

    pub(super) async fn withdrawn(&self, repo: &RepoId, key: &str, why: &str) -> Result<Option<MrId>, NetError> {
        let place = self.place(repo)?;
        let bot = self.bot().await?;
        let open: Vec<Pull> = self.api.whole(&place.path("/pulls?state=open&per_page=100"), PAGES).await?;
        let ours = open.into_iter().filter(|pull| self.user(pull.user.as_ref()) == *bot);
        let found = ours.filter_map(|pull| Some((Proposed::of(pull.body.as_deref()?)?, pull))).find(|(said, _)| said.key == key);
        let Some((said, pull)) = found else { return Ok(None) };
        // Somebody pushed to it, and so made it theirs.
        if said.head != pull.head.sha {
            return Ok(None);
        }
        let mr = Self::mr(place, pull.number);
        self.say_once(place, &mr, &told(why), why).await?;
        let edit = json!({ "body": Proposed { withdrawn: true, ..said }.body(), "state": "closed" });
        self.api.send(Weight::Comment, Method::PATCH, &place.path(format!("/pulls/{}", pull.number)), &edit).await?;
        Ok(Some(mr))
    }

    /// The newest request of ours under a key on its branch.
    async fn newest(&self, place: &Place, proposal: &Proposal) -> Result<Option<(Pull, Proposed)>, NetError> {
        let owner = place.project.path.split('/').next().unwrap_or_default();
        let asked = format!("/pulls?state=all&head={}&sort=created&direction=desc&per_page=30", part(&format!("{owner}:{}", proposal.branch)));
        let (all, _): (Vec<Pull>, bool) = self.api.pages(&place.path(asked), 1).await?;
        let bot = self.bot().await?;
        let ours = all.into_iter().filter(|pull| self.user(pull.user.as_ref()) == *bot);
        Ok(ours.filter_map(|pull| Some((Proposed::of(pull.body.as_deref()?)?, pull))).find(|(said, _)| *said.key == *proposal.key).map(|(said, pull)| (pull, said)))
    }

    async fn branch(&self, place: &Place, branch: &str) -> Result<Option<String>, NetError> {
        let found: Option<Reference> = self.api.find(&place.path(format!("/git/ref/heads/{}", part(branch).replace("%2F", "/")))).await?;
        Ok(found.map(|found| found.object.sha))
    }

    /// A branch without a request of ours may be what a crash left, or somebody's work.
    async fn must_be_ours(&self, place: &Place, branch: &str, tip: &str) -> Result<(), NetError> {
        let commit: super::wire::Commit = self.api.get(&place.path(format!("/commits/{tip}"))).await?;
        let by = commit.author.and_then(|author| author.login).map(|login| self.people.by_login(&login));
        if by.as_ref() == Some(self.bot().await?) {
            return Ok(());
        }
        let what = format!("`{branch}` of {} holds work of somebody else; delete it or open a pull request from it", place.project.path);
        Err(NetError::new(ForgeErrorKind::Conflict, what))
    }

    /// Makes the commit; no branch moves.
    async fn commit(&self, place: &Place, proposal: &Proposal) -> Result<String, NetError> {
        let base: GitCommit = self.api.get(&place.path(format!("/git/commits/{}", proposal.base))).await?;
        let mut entries: Vec<Json> = Vec::new();
        for (path, bytes) in &proposal.files {
            let sha = match bytes {
                Some(bytes) => Some(self.made(place, "blobs", &json!({ "content": STANDARD.encode(bytes), "encoding": "base64" })).await?),
                None => None,
            };
            entries.push(json!({ "path": path, "mode": "100644", "type": "blob", "sha": sha }));
        }
        let tree = self.made(place, "trees", &json!({ "base_tree": base.tree.sha, "tree": entries })).await?;
        let asked = proposal.asked_by.as_ref().map_or_else(String::new, |by| format!("\n\n{ASKED}{by}"));
        self.made(place, "commits", &json!({ "message": format!("{}{asked}", proposal.message.trim_end()), "tree": tree, "parents": [proposal.base] })).await
    }

    /// Makes a git object; its id.
    async fn made(&self, place: &Place, kind: &str, body: &Json) -> Result<String, NetError> {
        let made: Object = self.api.send(Weight::Comment, Method::POST, &place.path(format!("/git/{kind}")), body).await?.json()?;
        Ok(made.sha)
    }

    async fn point(&self, place: &Place, branch: &str, commit: &str, there: bool) -> Result<(), NetError> {
        let done = if there {
            let name = part(branch).replace("%2F", "/");
            self.api.send(Weight::Comment, Method::PATCH, &place.path(format!("/git/refs/heads/{name}")), &json!({ "sha": commit, "force": true })).await
        } else {
            self.api.send(Weight::Comment, Method::POST, &place.path("/git/refs"), &json!({ "ref": format!("refs/heads/{branch}"), "sha": commit })).await
        };
        done.map(drop)
    }

    /// Who had the commits made that are ours, as their messages say.
    pub(super) fn asked_for(&self, place: &Place, _bot: &User, head: &CommitId) -> Result<Option<User>, NetError> {
        let id = crate::git::oid(head.as_str()).map_err(|error| git(place, error))?;
        let message = place.mirror.git().with_repo(|repo| Ok(repo.find_commit(id).ok().map(|commit| String::from_utf8_lossy(commit.message_bytes()).into_owned())));
        let message = message.map_err(|error| git(place, error))?.unwrap_or_default();
        Ok(message.lines().rev().find_map(|line| line.strip_prefix(ASKED)).map(|login| self.people.by_login(login.trim())))
    }
}

/// What is proposed, whatever it stands on.
fn content(proposal: &Proposal) -> Fingerprint {
    let parts: Vec<&[u8]> =
        proposal.files.iter().flat_map(|(path, bytes)| [path.as_bytes(), if bytes.is_some() { b"is" } else { b"goes" }, bytes.as_deref().unwrap_or_default()]).collect();
    Fingerprint::of("proposal", &parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_proposed_is_read_back_from_the_description() {
        let said = Proposed { key: "drift".into(), content: "c".into(), head: "1".into(), before: "none".into(), withdrawn: false };
        assert_eq!(Proposed::of(&format!("above\n{}below", said.body())), Some(said.clone()));
        let gone = Proposed { withdrawn: true, ..said };
        assert_eq!(Proposed::of(&gone.body()), Some(gone));
        assert_eq!(Proposed::of("<!-- trueup:proposed drift -->"), None);
        assert_eq!(Proposed::of(""), None);
    }
}
