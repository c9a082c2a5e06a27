//! One merge request whole.

use super::{
    forge::{GitLab, Place},
    wire::{Discussion, Job, Note, Request, Status},
};
use crate::{
    core::{
        model::{CommitId, MrId, Str, User},
        review::{Check, Comment, CommentId, MrState, Right, Sighting},
    },
    forges::net::{NetError, Standing, dependencies},
    ports::ForgeErrorKind,
};
use std::collections::{BTreeMap, BTreeSet};

/// Pages of comments and of GitLab's own lines: a request with more is a place to talk and no change.
const NOTES: usize = 50;

/// How our own statuses begin, whoever sets them: nobody else's check is named so.
const OURS: &str = "trueup/";

/// Pages of statuses of one commit.
const STATUSES: usize = 20;

impl GitLab {
    pub(super) async fn request(&self, place: &Place, number: u64) -> Result<Request, NetError> {
        self.api.get(&place.request(number, "")).await
    }

    /// Everything said in a request, oldest first.
    pub(super) async fn notes(&self, place: &Place, number: u64) -> Result<Vec<Note>, NetError> {
        self.api.whole(&place.request(number, "/notes?order_by=created_at&sort=asc&per_page=100"), NOTES).await
    }

    pub(super) fn head(&self, request: &Request) -> Result<CommitId, NetError> {
        let early = || NetError::new(ForgeErrorKind::Unavailable, format!("forge {} does not know the head of !{} yet", self.api.name(), request.iid));
        request.sha.clone().map(CommitId::new).ok_or_else(early)
    }

    pub(super) async fn sight(&self, mr: &MrId, since: Option<CommentId>) -> Result<Sighting, NetError> {
        let place = self.place(&mr.repo)?;
        let bot = self.bot().await?.clone();
        let request = self.request(place, mr.number).await?;
        let head = self.head(&request)?;
        let base = self.tip(place, &request.target_branch).await?;
        place.follow(&request.target_branch, &base, Some((mr.number, &head))).await?;
        let standing = place.mirror.standing(&format!("refs/heads/{}", request.target_branch), &head)?;
        let notes = self.notes(place, mr.number).await?;
        let author = self.user(request.author.as_ref());
        let mut pushers = self.pushers(&request, &notes, standing.map(|standing| standing.authors).unwrap_or_default()).await?;
        let description = request.description.as_deref().unwrap_or_default();
        let proposed = Standing::read(description).filter(|_| author == bot);
        pushers.extend(place.mirror.asked_by(&head));
        // Whoever can write the fork can put commits under a member's name.
        let from_here = request.source_project_id == Some(request.target_project_id);
        Ok(Sighting {
            mr: mr.clone(),
            state: self.state(place, &request),
            draft: request.draft,
            title: request.title.clone(),
            author_trusted: author == bot || from_here && self.right_of(&mr.repo, &author).await? >= Right::Write,
            reviews: self.reviews(&mr.repo, place, mr.number, &head, &notes).await?,
            checks: self.checks(place, &head, &pushers, &bot).await?,
            // Whoever asked for changes is waited for as for an open thread.
            unresolved_threads: self.open_threads(place, mr.number, &notes).await? + self.against(&mr.repo, place, mr.number).await?,
            incident: self.incident(&mr.repo, place, &request).await?,
            depends_on: dependencies(self, mr, description).await?,
            brings: None,
            comments: self.fresh(mr, &notes, since, &bot).await?,
            author,
            pushers,
            source_branch: request.source_branch.clone().into(),
            base_branch: request.target_branch.clone().into(),
            head,
            base,
            proposed: proposed.map(|proposed| proposed.key),
        })
    }

    /// What a request is to us: one that aims at another branch than the governed one is as good as closed.
    pub(super) fn state(&self, place: &Place, request: &Request) -> MrState {
        let landed = request.merge_commit_sha.as_ref().or(request.squash_commit_sha.as_ref()).or(request.sha.as_ref());
        match (&*request.state, landed) {
            _ if request.target_branch != *place.project.branch => MrState::Closed,
            ("opened" | "locked", _) => MrState::Open,
            ("merged", Some(commit)) => MrState::Merged { commit: CommitId::new(commit.clone()), by: self.user(request.merge_user.as_ref()), with: None },
            _ => MrState::Closed,
        }
    }

    /// The newest status of each name on a commit.
    pub(super) async fn statuses(&self, place: &Place, head: &CommitId) -> Result<Vec<Status>, NetError> {
        self.api.whole(&place.path(format!("/repository/commits/{head}/statuses?per_page=100")), STATUSES).await
    }

    /// What others say of a head; ours, and what people who pushed it say of their own, is left out.
    async fn checks(&self, place: &Place, head: &CommitId, pushers: &BTreeSet<User>, bot: &User) -> Result<BTreeMap<Str, Check>, NetError> {
        let mut found: BTreeMap<Str, Check> = BTreeMap::new();
        for status in self.statuses(place, head).await? {
            let by = self.user(status.author.as_ref());
            if by == *bot || status.name.starts_with(OURS) || status.allow_failure || pushers.contains(&by) && !self.is_job(place, &status).await? {
                continue;
            }
            let check = check(&status.status);
            let known = found.entry(status.name.into()).or_insert(check);
            *known = worse(*known, check);
        }
        Ok(found)
    }

    /// Whether a status is a job's, which stands under the name of whoever pushed; others than jobs anybody can set.
    async fn is_job(&self, place: &Place, status: &Status) -> Result<bool, NetError> {
        let job: Option<Job> = self.api.find(&place.path(format!("/jobs/{}", status.id))).await?;
        Ok(job.is_some_and(|job| job.id == status.id))
    }

    /// How many conversations on the code are open.
    async fn open_threads(&self, place: &Place, number: u64, notes: &[Note]) -> Result<u32, NetError> {
        // Without a note that can be resolved there is no thread to ask for.
        if !notes.iter().any(|note| note.resolvable && !note.resolved) {
            return Ok(0);
        }
        let threads: Vec<Discussion> = self.api.whole(&place.request(number, "/discussions?per_page=100"), NOTES).await?;
        Ok(threads.iter().filter(|thread| thread.notes.iter().any(|note| note.resolvable && !note.resolved)).count() as u32)
    }

    /// Comments of others after `since`. What was edited since it was written is nobody's word: it may have been edited after it was read.
    async fn fresh(&self, mr: &MrId, notes: &[Note], since: Option<CommentId>, bot: &User) -> Result<Vec<Comment>, NetError> {
        let after = since.map_or(0, |since| since.0);
        let mut rights: BTreeMap<User, Right> = BTreeMap::new();
        let mut found = Vec::new();
        for note in notes.iter().filter(|note| note.id > after && !note.system && note.updated_at == note.created_at) {
            let by = self.user(note.author.as_ref());
            if by == *bot {
                continue;
            }
            let right = match rights.get(&by) {
                Some(right) => *right,
                None => self.right_of(&mr.repo, &by).await?,
            };
            rights.insert(by.clone(), right);
            found.push(Comment { id: CommentId(note.id), by, right, body: note.body.clone(), at: note.created_at });
        }
        found.sort_by_key(|comment| comment.id);
        Ok(found)
    }
}

fn check(status: &str) -> Check {
    match status {
        "success" | "skipped" => Check::Success,
        "failed" | "canceled" => Check::Failure,
        _ => Check::Pending,
    }
}

fn worse(one: Check, other: Check) -> Check {
    match (one, other) {
        (Check::Failure, _) | (_, Check::Failure) => Check::Failure,
        (Check::Pending, _) | (_, Check::Pending) => Check::Pending,
        (Check::Success, Check::Success) => Check::Success,
    }
}
