//! Merging by the repository's own method, pinned to the head, with the base read right before and the result right after.

use super::{
    forge::{GitHub, Place},
    wire::{GitCommit, Merged, Protection, Pull, Repository, Rule},
};
use crate::{
    core::{
        gate::MergeTicket,
        model::{CommitId, Str, TreeId},
        review::{MrState, words::code},
        run::MergeAnswer,
    },
    forges::net::{NetError, Weight, encoded, replays_otherwise},
    git::GitRepo,
    ports::{ForgeErrorKind, Merge, RepoError, StateRepo as _},
};
use reqwest::Method;
use serde_json::json;

/// Pages of a branch's rules.
const RULES: usize = 5;

impl GitHub {
    pub(super) async fn merge_ticket(&self, ticket: &MergeTicket) -> Result<MergeAnswer, NetError> {
        let mr = ticket.mr();
        let place = self.place(&mr.repo)?;
        let _alone = place.merging.lock().await;
        let pull = self.pull(place, mr.number).await?;
        if let Some(answer) = self.before(place, ticket, &pull).await?.or_else(|| ticket.nothing_to_read()) {
            return Ok(answer);
        }
        let repository: Repository = place.api.get(&place.path("")).await?;
        let rules = match self.rules(place, &pull.base.name).await {
            // Then its answer to the merge says what they do not let pass.
            Err(error) if error.kind == ForgeErrorKind::Denied => Vec::new(),
            told => told?,
        };
        // One line, so that it cannot add trailers.
        let title: String = pull.title.chars().filter(|c| !c.is_control()).collect();
        let mut refused = None;
        for method in methods(&repository, &rules) {
            if method == "rebase"
                && let Some(answer) = self.git(place, ticket, replays_otherwise).await?
            {
                return Ok(answer);
            }
            let body = json!({
                "sha": ticket.head(),
                "merge_method": method,
                "commit_title": format!("{title} (#{})", mr.number),
                "commit_message": ticket.message(),
            });
            match place.api.send(Weight::Merge, Method::PUT, &place.path(format!("/pulls/{}/merge", mr.number)), &body).await {
                Ok(answer) => {
                    let merged: Merged = answer.json()?;
                    // GitHub takes the branch to which the request goes at that instant, whichever it is.
                    let pull = self.pull(place, mr.number).await?;
                    return self.read_back(place, ticket, &pull, &merged.sha).await;
                }
                // A switch or a rule that we may not read: the next method may be allowed.
                Err(error) if is_about_methods(&error) => {
                    refused.get_or_insert(error);
                }
                Err(error) => return self.refused(place, ticket, error).await,
            }
        }
        match refused {
            Some(error) => self.refused(place, ticket, error).await,
            None => Ok(MergeAnswer::Refused { transient: true, why: no_method(&pull.base.name) }),
        }
    }

    /// The rules of a branch, of all sets that hold for it. Of the older kind only administrators are told.
    pub(super) async fn rules(&self, place: &Place, branch: &str) -> Result<Vec<Rule>, NetError> {
        match place.api.whole(&place.path(format!("/rules/branches/{}?per_page=100", encoded(branch))), RULES).await {
            // Older Enterprise servers have none.
            Err(error) if error.kind == ForgeErrorKind::NotFound => Ok(Vec::new()),
            told => told,
        }
    }

    /// Why what lacks the newest of a branch is not taken; `None` where it is, or where nobody tells us.
    pub(super) async fn only_newest(&self, place: &Place, pull: &Pull) -> Result<Option<Str>, NetError> {
        let branch = &pull.base.name;
        let strict = pull.mergeable_state.as_deref() == Some("behind") || self.is_strict(place, branch).await?;
        Ok(strict.then(|| only_newest(branch)))
    }

    async fn is_strict(&self, place: &Place, branch: &str) -> Result<bool, NetError> {
        // Each kind of rule is read by whom it lets; that of the older kind by administrators.
        let rules = match self.rules(place, branch).await {
            Err(error) if error.kind == ForgeErrorKind::Denied => Vec::new(),
            told => told?,
        };
        if rules.iter().any(Rule::is_strict) {
            return Ok(true);
        }
        match place.api.find::<Protection>(&place.path(format!("/branches/{}/protection", encoded(branch)))).await {
            Err(error) if error.kind == ForgeErrorKind::Denied => Ok(false),
            told => Ok(told?.is_some_and(|rules| rules.is_strict())),
        }
    }

    /// What stands against it before GitHub is asked, or the merge that an earlier call made.
    async fn before(&self, place: &Place, ticket: &MergeTicket, pull: &Pull) -> Result<Option<MergeAnswer>, NetError> {
        let moved = |why: String| Ok(Some(MergeAnswer::Moved { why }));
        if pull.head.sha != ticket.head().as_str() {
            return moved(format!("the head is at {}, not at {}", pull.head.sha, ticket.head()));
        }
        if let Some(answer) = self.landed_elsewhere(ticket, pull).await? {
            return Ok(Some(answer));
        }
        if let Some(why) = ticket.strays(&pull.base.name) {
            return moved(why);
        }
        match self.state(place, pull) {
            MrState::Open => {}
            // A merge of ours whose answer was lost; anybody else's is the next look's to tell.
            MrState::Merged { commit, by, with: _ } if by == *self.bot().await? => return self.read_back(place, ticket, pull, commit.as_str()).await.map(Some),
            MrState::Merged { by, .. } => return moved(format!("{by} merged it")),
            MrState::Closed => return moved(format!("{} is closed, or aims at another branch", ticket.mr())),
        }
        let base = self.tip(place, &pull.base.name).await?;
        if base != *ticket.base() {
            return moved(format!("`{}` is at {base}, not at {}", pull.base.name, ticket.base()));
        }
        place.follow(&pull.base.name, &base, Some((ticket.mr(), ticket.head()))).await?;
        // The plan's tree again, from the two commits: what is asked for is what was planned.
        Ok(match self.git(place, ticket, |repo, ticket| repo.merge(ticket.base(), ticket.head())).await? {
            Merge::Clean(tree) if tree == *ticket.tree() => None,
            Merge::Clean(tree) => Some(MergeAnswer::Refused { transient: false, why: format!("merging would give the tree {tree}, the plan was for {}", ticket.tree()) }),
            Merge::Conflicts(paths) => Some(MergeAnswer::Refused { transient: false, why: format!("merging conflicts in {}", paths.join(", ")) }),
        })
    }

    /// Git's own work on the mirror, where blocking is allowed.
    async fn git<T: Send + 'static>(&self, place: &Place, ticket: &MergeTicket, work: fn(&GitRepo, &MergeTicket) -> Result<T, RepoError>) -> Result<T, NetError> {
        let (repo, ticket) = (place.mirror.git().clone(), ticket.clone());
        let done = tokio::task::spawn_blocking(move || work(&repo, &ticket)).await;
        Ok(done.map_err(|stopped| NetError::new(ForgeErrorKind::Unavailable, format!("git work ended early: {stopped}")))??)
    }

    /// What a merge that GitHub did not confirm means.
    async fn refused(&self, place: &Place, ticket: &MergeTicket, error: NetError) -> Result<MergeAnswer, NetError> {
        let again = |transient: bool| MergeAnswer::Refused { transient, why: error.what.clone() };
        Ok(match (error.kind, error.status) {
            (ForgeErrorKind::Conflict, Some(405)) if error.message.contains("Base branch was modified") => MergeAnswer::Moved { why: error.message.clone() },
            // A rule of the repository that people or our own statuses on their way can meet: asked again, with the reason told.
            (ForgeErrorKind::Conflict, Some(405)) | (ForgeErrorKind::Invalid, Some(422)) => again(true),
            (ForgeErrorKind::Conflict, _) => MergeAnswer::Moved { why: error.message.clone() },
            (ForgeErrorKind::NotFound | ForgeErrorKind::Denied | ForgeErrorKind::Invalid, _) => again(false),
            // Whoever is not let in may be again: a new token, an app that is no more suspended.
            (ForgeErrorKind::Limited | ForgeErrorKind::Stranger, _) => again(true),
            (ForgeErrorKind::Unavailable, _) => {
                // It may have happened all the same.
                let pull = self.pull(place, ticket.mr().number).await?;
                match self.before(place, ticket, &pull).await? {
                    Some(answer) => answer,
                    None => again(true),
                }
            }
        })
    }

    /// A merge of ours whose answer was lost, and that went to another branch than it was meant for.
    async fn landed_elsewhere(&self, ticket: &MergeTicket, pull: &Pull) -> Result<Option<MergeAnswer>, NetError> {
        let (Some(_), Some(_), Some(commit)) = (ticket.strays(&pull.base.name), &pull.merged_at, &pull.merge_commit_sha) else { return Ok(None) };
        let ours = self.user(pull.merged_by.as_ref()) == *self.bot().await?;
        Ok(ours.then(|| MergeAnswer::Elsewhere { commit: CommitId::new(commit.clone()), branch: (&*pull.base.name).into() }))
    }

    async fn read_back(&self, place: &Place, ticket: &MergeTicket, pull: &Pull, commit: &str) -> Result<MergeAnswer, NetError> {
        if ticket.strays(&pull.base.name).is_some() {
            return Ok(MergeAnswer::Elsewhere { commit: CommitId::new(commit), branch: (&*pull.base.name).into() });
        }
        let GitCommit { sha, tree, parents } = place.api.get(&place.path(format!("/git/commits/{commit}"))).await?;
        Ok(MergeAnswer::Merged { commit: CommitId::new(sha), parents: parents.into_iter().map(|parent| CommitId::new(parent.sha)).collect(), tree: TreeId::new(tree.sha) })
    }
}

/// The methods that repository and rules allow, in the order in which they are asked for. A switch that the token may not see counts as on: GitHub refuses it then.
pub(super) fn methods(repository: &Repository, rules: &[Rule]) -> Vec<&'static str> {
    let linear = rules.iter().any(|rule| rule.kind == "required_linear_history");
    let allowed = [("merge", repository.allow_merge_commit), ("squash", repository.allow_squash_merge), ("rebase", repository.allow_rebase_merge)];
    let ruled = |method: &str| rules.iter().filter_map(Rule::methods).all(|allowed| allowed.iter().any(|one| one == method));
    let fits = |(method, on): (&'static str, Option<bool>)| (on.unwrap_or(true) && !(linear && method == "merge") && ruled(method)).then_some(method);
    allowed.into_iter().filter_map(fits).collect()
}

/// Why a branch takes only what is up to date.
pub(super) fn only_newest(branch: &str) -> Str {
    format!("a rule of {} requires branches to be up to date before merging", code(branch)).into()
}

/// What to do where none is left.
pub(super) fn no_method(branch: &str) -> String {
    format!("the repository's settings and the rules of `{branch}` leave no way to merge; allow merge commits, squashing or rebasing in both")
}

/// Whether GitHub refuses this way to merge, and not the merge: a request that is not mergeable *yet* must not be squashed where merge commits are meant.
fn is_about_methods(error: &NetError) -> bool {
    let said = error.message.to_lowercase();
    error.status == Some(405) && ["merge commit", "linear history", "merge method", "squash merge", "rebase merge"].iter().any(|words| said.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forges::github::wire::RuleParameters;

    fn repository(merge: Option<bool>, squash: Option<bool>, rebase: Option<bool>) -> Repository {
        Repository { archived: false, permissions: None, owner: None, allow_merge_commit: merge, allow_squash_merge: squash, allow_rebase_merge: rebase }
    }

    #[test]
    fn the_repository_s_own_methods_are_taken() {
        let first = |merge, squash, rebase| methods(&repository(merge, squash, rebase), &[]).first().copied();
        assert_eq!(first(Some(true), Some(true), Some(true)), Some("merge"));
        assert_eq!(first(Some(false), Some(true), Some(true)), Some("squash"));
        assert_eq!(first(Some(false), Some(false), Some(true)), Some("rebase"));
        assert_eq!(first(Some(false), Some(false), Some(false)), None);
        assert_eq!(first(None, None, None), Some("merge"));
    }

    #[test]
    fn rules_of_the_branch_take_methods_away() {
        let rule = |kind: &str, allowed: Option<&[&str]>| {
            let allowed = allowed.map(|allowed| allowed.iter().map(|one| (*one).to_owned()).collect());
            Rule {
                kind: kind.into(),
                parameters: Some(RuleParameters { required_status_checks: Vec::new(), strict_required_status_checks_policy: false, allowed_merge_methods: allowed }),
            }
        };
        let linear = rule("required_linear_history", None);
        let all = repository(Some(true), Some(true), Some(true));
        assert_eq!(methods(&all, std::slice::from_ref(&linear)), ["squash", "rebase"]);
        // Each rule set has a say.
        let (two, one) = (rule("pull_request", Some(&["merge", "rebase"])), rule("pull_request", Some(&["rebase", "squash"])));
        assert_eq!(methods(&all, std::slice::from_ref(&two)), ["merge", "rebase"]);
        assert_eq!(methods(&all, &[two, one]), ["rebase"]);
        assert_eq!(methods(&all, &[rule("pull_request", None)]), ["merge", "squash", "rebase"], "a server that does not say allows all");
        assert_eq!(methods(&repository(Some(true), Some(false), Some(false)), &[linear]), [""; 0]);
    }

    #[test]
    fn only_what_is_refused_for_the_way_it_is_merged_is_tried_another_way() {
        let about = |said: &str| is_about_methods(&NetError::refused("hub", "PUT /merge", 405, format!("{{\"message\":\"{said}\"}}").as_bytes()));
        for said in ["This branch must not contain merge commits.", "Merge commits are not allowed on this repository.", "Squash merges are not allowed on this repository."] {
            assert!(about(said), "{said}");
        }
        for said in ["Pull Request is not mergeable", "Base branch was modified. Review and try the merge again.", "Required status check is expected."] {
            assert!(!about(said), "{said}");
        }
    }
}
