//! Merging exactly what a ticket pins, by the repository's own method, and reading back what landed.

use super::{
    forge::{Gitea, Place, commit},
    wire::{self, Pull},
};
use crate::{
    core::{
        gate::MergeTicket,
        model::{CommitId, Str},
        review::{MrState, words::code},
        run::MergeAnswer,
    },
    forges::net::{NetError, Weight, encoded, replays_otherwise},
    ports::{ForgeErrorKind, StateRepo as _},
};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

/// Gitea computes for a moment whether it can merge, and says so in these words.
const COMPUTES: &str = "try again later";

/// That takes well under a second; one that takes longer is tried again by the change itself.
const TRIES: u32 = 20;
const WAIT: Duration = Duration::from_millis(250);

impl Gitea {
    pub(super) async fn merge_ticket(&self, ticket: &MergeTicket) -> Result<MergeAnswer, NetError> {
        let place = self.place(&ticket.mr().repo)?;
        let mut tries = 0;
        loop {
            let pull = self.pull(place, ticket.mr().number).await?;
            if let Some(answer) = self.stands(place, ticket, &pull).await?.or_else(|| ticket.nothing_to_read()) {
                return Ok(answer);
            }
            let error = match self.send_merge(place, ticket, &pull).await {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {
                    let pull = self.pull(place, ticket.mr().number).await?;
                    if let Some(answer) = self.landed_elsewhere(ticket, &pull).await? {
                        return Ok(answer);
                    }
                    return match self.state(place, &pull) {
                        MrState::Merged { commit, by: _, with: _ } => self.landed(place, &pull, commit).await,
                        MrState::Open | MrState::Closed => Ok(refused("the forge took the merge and shows none yet".to_owned())),
                    };
                }
                Err(error) => error,
            };
            match error.kind {
                ForgeErrorKind::Conflict if error.message.contains(COMPUTES) && tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(WAIT).await;
                }
                // Whatever it was, it is read afresh: a merge whose answer was lost is found, and what moved is seen.
                ForgeErrorKind::Unavailable if error.status.is_none() && tries < TRIES => {
                    tries += TRIES;
                    tokio::time::sleep(WAIT).await;
                }
                ForgeErrorKind::Conflict if error.status == Some(405) && !error.message.contains("progress") => return Ok(refused(said(&error))),
                ForgeErrorKind::Conflict | ForgeErrorKind::Invalid | ForgeErrorKind::NotFound => return Ok(MergeAnswer::Moved { why: said(&error) }),
                ForgeErrorKind::Stranger | ForgeErrorKind::Denied | ForgeErrorKind::Limited | ForgeErrorKind::Unavailable => return Ok(refused(error.to_string())),
            }
        }
    }

    /// Why what lacks the newest of a branch is not taken; `None`: it is.
    pub(super) async fn only_newest(&self, place: &Place, branch: &str) -> Result<Option<Str>, NetError> {
        let repository: wire::Repository = self.client.read_one(&place.api).await?;
        if repository.default_merge_style == "fast-forward-only" {
            return Ok(Some("the repository merges by fast-forward alone".into()));
        }
        let tip: wire::BranchTip = self.client.read_one(&format!("{}/branches/{}", place.api, encoded(branch))).await?;
        if tip.effective_branch_protection_name.is_empty() {
            return Ok(None);
        }
        match self.client.read_one::<wire::Protection>(&format!("{}/branch_protections/{}", place.api, encoded(&tip.effective_branch_protection_name))).await {
            // Told to administrators.
            Err(error) if matches!(error.kind, ForgeErrorKind::Denied | ForgeErrorKind::NotFound) => Ok(None),
            told => Ok(told?.block_on_outdated_branch.then(|| format!("a rule of {} blocks what is outdated", code(branch)).into())),
        }
    }

    /// Why nothing is to be merged any more, or what the merge was; `None`: it stands as the ticket pins it.
    async fn stands(&self, place: &Place, ticket: &MergeTicket, pull: &Pull) -> Result<Option<MergeAnswer>, NetError> {
        let moved = |why: String| Ok(Some(MergeAnswer::Moved { why }));
        if let Some(answer) = self.landed_elsewhere(ticket, pull).await? {
            return Ok(Some(answer));
        }
        if let Some(why) = ticket.strays(&pull.base.label) {
            return moved(why);
        }
        match self.state(place, pull) {
            MrState::Merged { commit, by, with: _ } if by == *self.bot().await? && super::forge::commit(&pull.head.sha).is_none_or(|head| head == *ticket.head()) => {
                return Ok(Some(self.landed(place, pull, commit).await?));
            }
            MrState::Merged { by, .. } => return moved(format!("{by} merged it")),
            MrState::Closed => return moved(format!("{} is closed, or sent to another branch", ticket.mr())),
            MrState::Open => {}
        }
        let (head, base) = (commit(&pull.head.sha), commit(&pull.base.sha));
        if head.as_ref() != Some(ticket.head()) {
            return moved(format!("`{}` is at {}, not at {}", pull.head.label, pull.head.sha, ticket.head()));
        }
        if base.as_ref() != Some(ticket.base()) {
            return moved(format!("`{}` is at {}, not at {}", pull.base.label, pull.base.sha, ticket.base()));
        }
        Ok(None)
    }

    /// A merge of ours that went to another branch than it was meant for: Gitea takes the one to which the request goes at that instant.
    async fn landed_elsewhere(&self, ticket: &MergeTicket, pull: &Pull) -> Result<Option<MergeAnswer>, NetError> {
        let (Some(_), true, Some(landed)) = (ticket.strays(&pull.base.label), pull.merged, pull.merge_commit_sha.as_deref().and_then(commit)) else { return Ok(None) };
        let ours = self.whose(pull.merged_by.as_ref()) == *self.bot().await?;
        Ok(ours.then(|| MergeAnswer::Elsewhere { commit: landed, branch: (&*pull.base.label).into() }))
    }

    /// Asks for the merge; an answer: it was not asked for, and why.
    async fn send_merge(&self, place: &Place, ticket: &MergeTicket, pull: &Pull) -> Result<Option<MergeAnswer>, NetError> {
        let repository: wire::Repository = self.client.read_one(&place.api).await?;
        let method = match repository.default_merge_style.as_str() {
            style @ ("merge" | "rebase" | "rebase-merge" | "squash" | "fast-forward-only") => style,
            // What is merged by hand is merged by nobody here.
            _ => "merge",
        };
        if method.starts_with("rebase") {
            let (git, ticket) = (place.mirror.git().clone(), ticket.clone());
            let otherwise = tokio::task::spawn_blocking(move || replays_otherwise(&git, &ticket)).await.map_err(ended_early)??;
            if otherwise.is_some() {
                return Ok(otherwise);
            }
        }
        let title: String = pull.title.chars().filter(|c| !c.is_control()).collect();
        let body = json!({
            "do": method,
            "head_commit_id": ticket.head(),
            "merge_title_field": format!("Merge request #{}: {title}", pull.number),
            "merge_message_field": ticket.message(),
        });
        self.client.send(Weight::Merge, Method::POST, &format!("{}/merge", place.pull(pull.number)), Some(&body)).await.map(|_| None)
    }

    /// What stands on the branch now: the commit, its parents and its tree.
    async fn landed(&self, place: &Place, pull: &Pull, merged: CommitId) -> Result<MergeAnswer, NetError> {
        if !place.mirror.has(&merged) {
            let tip = commit(&pull.base.sha).unwrap_or_else(|| merged.clone());
            place.mirror.follow(&[place.want_base(&pull.base.label, tip)]).await?;
        }
        let git = place.mirror.git().clone();
        let at = merged.clone();
        let read = tokio::task::spawn_blocking(move || Ok::<_, crate::ports::RepoError>((git.parents(&at)?, git.tree(&at)?))).await;
        let (parents, tree) = read.map_err(ended_early)??;
        Ok(MergeAnswer::Merged { commit: merged, parents, tree })
    }
}

fn ended_early(stopped: tokio::task::JoinError) -> NetError {
    NetError::new(ForgeErrorKind::Unavailable, format!("git work ended early: {stopped}"))
}

fn refused(why: String) -> MergeAnswer {
    MergeAnswer::Refused { transient: true, why }
}

/// The forge's own words where it has any.
fn said(error: &NetError) -> String {
    if error.message.is_empty() { error.what.clone() } else { error.message.clone() }
}
