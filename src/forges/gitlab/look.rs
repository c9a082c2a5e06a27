//! One merge request whole.

use super::{
    forge::{GitLab, Place},
    wire::{Discussion, Job, Note, Project, Request, Status},
};
use crate::{
    core::{
        model::{CommitId, Fingerprint, MrId, Str, User},
        review::{Check, Comment, CommentId, MrState, Right, Sighting, Status as OwnStatus},
    },
    forges::{
        net::{Fresh, NetError, ProposalNote, Unread, dependencies, forged, only_ours},
        with::with_whom,
    },
    ports::{ForgeErrorKind, Stand},
};
use std::collections::{BTreeMap, BTreeSet};

/// Comments and GitLab's own lines: a request with more is a place to talk and no change.
const NOTES: usize = 5000;

/// Conversations.
const THREADS: usize = 5000;

/// Pages of statuses of one commit.
const STATUSES: usize = 20;

impl GitLab {
    pub(super) async fn request(&self, place: &Place, number: u64) -> Result<Request, NetError> {
        self.api.get(&place.request(number, "")).await
    }

    /// Everything said in a request, oldest first, and whether that is all.
    pub(super) async fn notes(&self, place: &Place, number: u64) -> Result<(Vec<Note>, bool), NetError> {
        self.api.long(&place.request(number, "/notes?order_by=created_at&sort=asc&"), NOTES).await
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
        let mut unread = Unread::default();
        let notes = unread.talk(self.notes(place, mr.number).await)?;
        let author = self.user(request.author.as_ref());
        let authors = standing.as_ref().map(|standing| standing.authors.clone()).unwrap_or_default();
        let mut pushers = self.pushers(place, &request, &notes, authors, &mut unread).await?;
        let description = request.description.as_deref().unwrap_or_default();
        let proposed = ProposalNote::read(description).filter(|_| author == bot);
        let own_head = proposed.is_some() && only_ours(&pushers, &bot);
        pushers.extend(standing.iter().flat_map(|standing| place.mirror.asked_by(standing)));
        if let Stand::Newer(from) = place.project.branch.stand(&request.target_branch) {
            pushers.extend(self.made(place, &from, &request, &base, &mut unread).await?);
        }
        let reviews = unread.part(self.reviews(&mr.repo, place, mr.number, &head, &notes).await)?;
        let (checks, in_our_name) = unread.part(self.checks(place, &head, &pushers, &bot).await)?;
        let open_threads = unread.part(self.open_threads(place, mr.number, &notes).await)?;
        let against = unread.part(self.against(&mr.repo, place, mr.number).await)?;
        let incident = unread.part(self.incident(&mr.repo, place, &request).await)?;
        let is_behind = request.state == "opened" && standing.as_ref().is_some_and(|standing| standing.behind);
        let project = if is_behind { unread.part(self.api.get::<Project>(&place.path("")).await.map(Some))? } else { None };
        let depends_on = unread.part(dependencies(self, mr, description).await)?;
        let fresh = self.fresh(mr, place, &notes, since, &bot).await?;
        // Whoever can write the fork can put commits under a member's name.
        let from_here = request.source_project_id == Some(request.target_project_id);
        Ok(Sighting {
            mr: mr.clone(),
            state: with_whom(place.mirror.git(), mr, self.state(place, &request), &bot, &base, &head)?,
            draft: request.draft,
            title: request.title.clone(),
            author_trusted: author == bot || from_here && self.right_of(&mr.repo, &author).await? >= Right::Write,
            reviews,
            checks,
            // Whoever asked for changes is waited for as for an open thread.
            unresolved_threads: open_threads + against,
            behind: project.and_then(|project| project.only_newest()).map(Str::from),
            incident,
            depends_on,
            brings: None,
            teams: Default::default(),
            comments: fresh.said,
            edited: fresh.edited,
            altered: fresh.altered.or(in_our_name),
            author,
            pushers,
            source_branch: request.source_branch.clone().into(),
            base_branch: request.target_branch.clone().into(),
            head,
            base,
            proposed: proposed.map(|proposed| proposed.key),
            own_head,
            unread: unread.list(),
        })
    }

    /// What a request is to us: one that aims at another branch than the governed one is as good as closed.
    pub(super) fn state(&self, place: &Place, request: &Request) -> MrState {
        let landed = request.merge_commit_sha.as_ref().or(request.squash_commit_sha.as_ref()).or(request.sha.as_ref());
        match (&*request.state, landed) {
            _ if !place.governs(&request.target_branch) => MrState::Closed,
            ("opened" | "locked", _) => MrState::Open,
            ("merged", Some(commit)) => MrState::Merged { commit: CommitId::new(commit.clone()), by: self.user(request.merge_user.as_ref()), with: None },
            _ => MrState::Closed,
        }
    }

    /// The newest status of each name on a commit.
    pub(super) async fn statuses(&self, place: &Place, head: &CommitId) -> Result<Vec<Status>, NetError> {
        self.api.whole(&place.path(format!("/repository/commits/{head}/statuses?per_page=100")), STATUSES).await
    }

    /// What others say of a head; ours, and what people who pushed it say of their own, is left out. With it what somebody else says in our name.
    async fn checks(&self, place: &Place, head: &CommitId, pushers: &BTreeSet<User>, bot: &User) -> Result<(BTreeMap<Str, Check>, Option<Fingerprint>), NetError> {
        let mut found: BTreeMap<Str, Check> = BTreeMap::new();
        let mut in_our_name = None;
        for status in self.statuses(place, head).await? {
            let by = self.user(status.author.as_ref());
            if by != *bot && status.name.starts_with(OwnStatus::OURS) {
                in_our_name = in_our_name.or(Some(forged(&status.name, &by)));
                continue;
            }
            if by == *bot || status.allow_failure || pushers.contains(&by) && !self.is_job(place, &status).await? {
                continue;
            }
            let check = check(&status.status);
            let known = found.entry(status.name.into()).or_insert(check);
            *known = known.worse(check);
        }
        Ok((found, in_our_name))
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
        let (threads, whole): (Vec<Discussion>, bool) = self.api.long(&place.request(number, "/discussions?"), THREADS).await?;
        if !whole {
            return Err(NetError::new(ForgeErrorKind::Invalid, format!("more than {} conversations were begun, or they are too long; open it anew", threads.len())));
        }
        Ok(threads.iter().filter(|thread| thread.notes.iter().any(|note| note.resolvable && !note.resolved)).count() as u32)
    }

    /// Comments of others after `since`. What was edited since it was written is nobody's word: it may have been edited after it was read.
    async fn fresh(&self, mr: &MrId, place: &Place, notes: &[Note], since: Option<CommentId>, bot: &User) -> Result<Fresh, NetError> {
        let after = since.map_or(0, |since| since.0);
        let mut rights: BTreeMap<User, Right> = BTreeMap::new();
        let mut fresh = Fresh::default();
        for note in notes.iter().filter(|note| !note.system && after < u64::MAX) {
            let by = self.user(note.author.as_ref());
            if by == *bot {
                fresh.ours(&place.written, mr.number, note.id, &note.body);
                continue;
            }
            // A reaction counts as a change there, and we react to what we heard: that is not told from an edit.
            if note.id <= after {
                continue;
            }
            if note.updated_at != note.created_at {
                fresh.edited(note.id, &note.body);
                continue;
            }
            let right = match rights.get(&by) {
                Some(right) => *right,
                None => self.right_of(&mr.repo, &by).await?,
            };
            rights.insert(by.clone(), right);
            fresh.said.push(Comment { id: CommentId(note.id), by, right, body: note.body.clone(), at: note.created_at });
        }
        fresh.said.sort_by_key(|comment| comment.id);
        Ok(fresh)
    }
}

fn check(status: &str) -> Check {
    match status {
        "success" | "skipped" => Check::Success,
        "failed" | "canceled" => Check::Failure,
        _ => Check::Pending,
    }
}
