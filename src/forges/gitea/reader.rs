//! Reading Gitea: merge requests whole, each from its parts, and what moved since the last time.

use super::{
    forge::{Gitea, Place, commit, head_ref, time},
    talk::Talk,
    wire::{self, Pull},
};
use crate::{
    core::{
        model::{CommitId, MrId, RepoId, Span, Str, User},
        review::{Check, Comment, CommentId, MrState, Review, Right, Sighting, Status as OwnStatus},
    },
    forges::net::{Answer, Fresh, Furnishes as _, Lengths, MOST_PAGES, NetError, Unread, Want, dependencies, encoded, forged, members, only_ours, right_remembered},
    git::{Standing, mail},
    ports::{Abilities, Exam, ForgeError, ForgeErrorKind, ForgeReader, Fut, Hosted, MrRef, Stand, Wish},
};
use std::collections::{BTreeMap, BTreeSet};

/// Comments handed over at once; the next look brings the rest.
const COMMENTS: usize = 1000;

/// Pages of closed merge requests at the first list: those under way are among the last thousand that moved.
const CLOSED_PAGES: usize = 20;

/// Entries of a page; the most that Gitea gives unless its operators say otherwise.
const PAGE: usize = 50;

/// Entries of one timeline: more than people write.
const ENTRIES: usize = 10_000;

/// Progress is told at most this often: people read no faster, and every edit is a mail to somebody.
const PROGRESS: Span = Span::secs(15);

impl ForgeReader for Gitea {
    fn abilities(&self, _repo: &RepoId) -> Abilities {
        Abilities {
            reviews: true,
            threads: true,
            checks: true,
            labelled_by: true,
            forks: true,
            pinned_merge: true,
            teams: true,
            deployments: false,
            reactions: true,
            progress: PROGRESS,
        }
    }

    fn sweep<'a>(&'a self, repo: &'a RepoId, since: u64) -> Fut<'a, Result<(Vec<MrRef>, u64), ForgeError>> {
        Box::pin(async move {
            let place = self.place(repo)?;
            self.follow_base(place).await?;
            let moved = self.moved(repo, place).await?;
            let known = place.known();
            let open = known.open.iter().map(|(number, (head, updated))| MrRef {
                mr: MrId { repo: repo.clone(), number: *number },
                head: head.clone(),
                updated: *updated,
                open: true,
                stray: None,
            });
            let closed = moved.into_iter().filter(|found| !known.open.contains_key(&found.mr.number));
            let upto = known.upto.and_then(|upto| u64::try_from(upto).ok()).unwrap_or(since);
            Ok((open.chain(closed).collect(), upto))
        })
    }

    fn open<'a>(&'a self, repo: &'a RepoId) -> Fut<'a, Result<Vec<MrRef>, ForgeError>> {
        Box::pin(async move { Ok(self.sweep(repo, 0).await?.0.into_iter().filter(|found| found.open).collect()) })
    }

    fn look<'a>(&'a self, mr: &'a MrId, since: Option<CommentId>) -> Fut<'a, Result<Sighting, ForgeError>> {
        Box::pin(async move { Ok(self.sight(mr, since).await?) })
    }

    fn right_known(&self, repo: &RepoId, who: &User) -> Right {
        right_remembered(self, &*self.people, repo, who, self.clock.now())
    }

    fn right<'a>(&'a self, repo: &'a RepoId, who: &'a User) -> Fut<'a, Result<Right, ForgeError>> {
        Box::pin(async move {
            self.place(repo)?;
            Ok(self.right_of(repo, who).await?)
        })
    }

    fn branches<'a>(&'a self, repo: &'a RepoId) -> Fut<'a, Result<Option<Vec<Str>>, ForgeError>> {
        Box::pin(async move {
            let place = self.place(repo)?;
            Ok(Some(place.mirror.branches(&place.branch).await?))
        })
    }

    fn repositories<'a>(&'a self, group: &'a str) -> Fut<'a, Result<Vec<Hosted>, ForgeError>> {
        Box::pin(async move {
            let (found, whole) = self.client.pages::<wire::Hosted>(&format!("/orgs/{}/repos?limit={PAGE}", encoded(group)), MOST_PAGES).await?;
            if !whole {
                return Err(NetError::new(ForgeErrorKind::Invalid, format!("`{group}` has more repositories than are read")).into());
            }
            Ok(found.into_iter().map(|one| Hosted { path: one.full_name, archived: one.archived }).collect())
        })
    }

    fn team<'a>(&'a self, repo: &'a RepoId, team: &'a str, fresh: bool) -> Fut<'a, Result<BTreeSet<User>, ForgeError>> {
        Box::pin(async move { Ok(members(self, repo, team, fresh, self.clock.now()).await?) })
    }

    fn examine<'a>(&'a self, repo: &'a RepoId, wish: &'a Wish) -> Fut<'a, Vec<Exam>> {
        Box::pin(async move { self.needs(repo, wish).await.into_iter().flat_map(|need| need.exams).collect() })
    }
}

impl Gitea {
    pub(super) async fn pull(&self, place: &Place, number: u64) -> Result<Pull, NetError> {
        self.client.read_one(&place.pull(number)).await
    }

    /// Where a merge request is. One that was sent to another branch is nothing of ours until it comes back.
    pub(super) fn state(&self, place: &Place, pull: &Pull) -> MrState {
        match (pull.merged, pull.merge_commit_sha.as_deref().and_then(commit)) {
            // What was merged elsewhere is no part of the governed branch, and nobody who waits for it has what they wait for.
            (true, Some(commit)) if place.branch.holds(&pull.base.label) => MrState::Merged { commit, by: self.whose(pull.merged_by.as_ref()), with: None },
            (true | false, _) if pull.state == "open" && place.branch.holds(&pull.base.label) => MrState::Open,
            (true | false, _) => MrState::Closed,
        }
    }

    /// Makes the mirror's governed branch stand where the forge's does.
    async fn follow_base(&self, place: &Place) -> Result<(), NetError> {
        // Which of several governs is found elsewhere, once.
        let Some(branch) = place.branch.now() else { return Ok(()) };
        let path = format!("{}/branches/{}", place.api, encoded(&branch));
        let tip = match self.client.read_one::<wire::BranchTip>(&path).await {
            Ok(tip) => tip,
            // A repository that nobody pushed to yet.
            Err(error) if error.kind == ForgeErrorKind::NotFound && place.mirror.tip(&place.base_ref()).is_none() => return Ok(()),
            Err(error) if error.kind == ForgeErrorKind::NotFound => {
                let what = format!("forge {} knows no branch `{branch}` in {}; put it back, or say in the configuration which it is", self.client.name(), place.path);
                return Err(NetError::new(ForgeErrorKind::Unavailable, what));
            }
            Err(error) => return Err(error),
        };
        let at = commit(&tip.commit.id).ok_or_else(|| NetError::new(ForgeErrorKind::Unavailable, format!("the forge names no commit for `{branch}`")))?;
        place.mirror.follow(&[place.want_base(&branch, at)]).await
    }

    /// Lists what moved since the last list, newest first, and keeps which ones are open.
    async fn moved(&self, repo: &RepoId, place: &Place) -> Result<Vec<MrRef>, NetError> {
        let upto = place.known().upto;
        let mut pulls: Vec<Pull> = Vec::new();
        match upto {
            None => {
                let (open, whole) = self.client.pages::<Pull>(&format!("{}/pulls?state=open&sort=recentupdate&limit={PAGE}", place.api), MOST_PAGES).await?;
                if !whole {
                    tracing::error!(%repo, "more merge requests are open than are read; close some");
                }
                pulls.extend(open);
                pulls.extend(self.client.pages::<Pull>(&format!("{}/pulls?state=closed&sort=recentupdate&limit={PAGE}", place.api), CLOSED_PAGES).await?.0);
            }
            Some(upto) => {
                for page in 1..=MOST_PAGES {
                    let found: Vec<Pull> = self.client.read_one(&format!("{}/pulls?state=all&sort=recentupdate&limit={PAGE}&page={page}", place.api)).await?;
                    let last = found.last().map(|pull| seconds(&pull.updated_at));
                    pulls.extend(found.into_iter().filter(|pull| seconds(&pull.updated_at) >= upto));
                    // Times have whole seconds: what moved in the second of the last list is listed again.
                    if last.is_none_or(|last| last < upto) {
                        break;
                    }
                }
            }
        }
        let mut moved = Vec::new();
        let mut known = place.known();
        for pull in pulls {
            let state = self.state(place, &pull);
            let updated = time(&pull.updated_at);
            known.upto = known.upto.max(Some(updated.0 / 1000));
            let Some(head) = commit(&pull.head.sha) else { continue };
            let open = state == MrState::Open;
            match open {
                true => drop(known.open.insert(pull.number, (head.clone(), updated))),
                false => drop(known.open.remove(&pull.number)),
            }
            let stray = (pull.state == "open" && !open).then(|| pull.base.label.as_str().into());
            moved.push(MrRef { mr: MrId { repo: repo.clone(), number: pull.number }, head, updated, open, stray });
        }
        known.upto = known.upto.or(Some(0));
        Ok(moved)
    }

    async fn sight(&self, mr: &MrId, since: Option<CommentId>) -> Result<Sighting, NetError> {
        let place = self.place(&mr.repo)?;
        let pull = self.pull(place, mr.number).await?;
        let state = self.state(place, &pull);
        let (base, head) = self.fetched(place, mr, &pull, &state).await?;
        let mut unread = Unread::default();
        let talk = unread.part(self.talk(place, &pull).await)?;
        let bot = self.bot().await?;
        let author = self.whose(pull.user.as_ref());
        let proposed = if author == *bot { super::propose::key_of(&pull.body) } else { None };
        let into = if place.branch.holds(&pull.base.label) { format!("refs/heads/{}", pull.base.label) } else { place.base_ref() };
        let standing = place.mirror.standing(&into, &head)?;
        let mut pushers = unread.part(self.writers(place, &pull, &head, standing.as_ref()).await)?;
        pushers.extend(talk.pushers.iter().cloned().chain([author.clone()]));
        let own_head = proposed.is_some() && only_ours(&pushers, bot);
        pushers.extend(standing.iter().flat_map(|standing| place.mirror.asked_by(standing)));
        if let Stand::Newer(from) = place.branch.stand(&pull.base.label) {
            pushers.extend(self.made(place, &from, &pull, &base, &mut unread).await?);
        }
        let statuses = unread.part(self.statuses(place, &head).await)?;
        let foreign = |status: &&wire::Status| status.context.starts_with(OwnStatus::OURS) && self.whose(status.creator.as_ref()) != *bot;
        let in_our_name = statuses.iter().find(foreign).map(|status| forged(&status.context, &self.whose(status.creator.as_ref())));
        // A check that whoever wrote the commits set themselves checks nothing.
        let checks = statuses.iter().filter(|status| !status.context.starts_with(OwnStatus::OURS) && !pushers.contains(&self.whose(status.creator.as_ref())));
        let checks: BTreeMap<Str, Check> = checks.map(|status| (status.context.as_str().into(), check(&status.status))).collect();
        let incident = match &talk.incident {
            Some(by) if self.right_of(&mr.repo, by).await? >= Right::Approve => Some(by.clone()),
            Some(_) | None => None,
        };
        let from_fork = pull.head.repo_id != pull.base.repo_id;
        let author_trusted = author == *bot || !from_fork && self.right_of(&mr.repo, &author).await? >= Right::Write;
        let (reviews, unresolved_threads) = unread.part(self.reviews(place, mr, &pull, &head).await)?;
        let is_behind = state == MrState::Open && standing.as_ref().is_some_and(|standing| standing.behind);
        let behind = if is_behind { unread.part(self.only_newest(place, &pull.base.label).await)? } else { None };
        let depends_on = unread.part(dependencies(self, mr, &pull.body).await)?;
        let fresh = unread.part(self.comments(place, &pull, mr, talk, since).await)?;
        let draft = pull.draft || ["wip:", "[wip]"].iter().any(|prefix| pull.title.to_ascii_lowercase().starts_with(prefix));
        Ok(Sighting {
            mr: mr.clone(),
            state,
            draft,
            author,
            pushers,
            source_branch: pull.head.label.as_str().into(),
            base_branch: pull.base.label.as_str().into(),
            head,
            base,
            author_trusted,
            proposed,
            own_head,
            unread: unread.list(),
            reviews,
            checks,
            unresolved_threads,
            behind,
            depends_on,
            incident,
            brings: None,
            teams: Default::default(),
            comments: fresh.said,
            edited: fresh.edited,
            altered: fresh.altered.or(in_our_name),
            title: pull.title,
        })
    }

    /// Base and head, both in the mirror.
    async fn fetched(&self, place: &Place, mr: &MrId, pull: &Pull, state: &MrState) -> Result<(CommitId, CommitId), NetError> {
        let gone = |what: &str| NetError::new(ForgeErrorKind::Unavailable, format!("{what} of {mr} is gone from the forge; put it back"));
        let head = match (commit(&pull.head.sha), place.mirror.tip(&head_ref(mr))) {
            (Some(head), _) => head,
            // The branch went with its repository; what it was is known.
            (None, Some(head)) => head,
            (None, None) => return Err(gone("the head")),
        };
        let mut wants = Vec::new();
        let base = match commit(&pull.base.sha).filter(|_| place.branch.holds(&pull.base.label)) {
            Some(base) => {
                wants.push(place.want_base(&pull.base.label, base.clone()));
                base
            }
            // What goes elsewhere is judged by nothing here.
            None => place.mirror.tip(&place.base_ref()).or_else(|| commit(&pull.base.sha)).ok_or_else(|| gone("the branch that is merged into"))?,
        };
        if *state == MrState::Open || !place.mirror.has(&head) {
            // Its own reference is moved a moment after the branch.
            let here = pull.head.repo_id == pull.base.repo_id && *state == MrState::Open;
            let theirs = if here { format!("refs/heads/{}", pull.head.label) } else { format!("refs/pull/{}/head", mr.number) };
            wants.push(Want { theirs, ours: head_ref(mr), at: head.clone() });
        }
        place.mirror.follow(&wants).await?;
        Ok((base, head))
    }

    /// Whoever wrote or committed what base lacks: by the forge's verified addresses, then by ours, then as they call themselves.
    async fn writers(&self, place: &Place, pull: &Pull, head: &CommitId, standing: Option<&Standing>) -> Result<BTreeSet<User>, NetError> {
        let Some(standing) = standing.filter(|standing| !standing.authors.is_empty()) else { return Ok(BTreeSet::new()) };
        let known = place.known().mails.get(&pull.number).filter(|(at, _)| at == head).map(|(_, mails)| mails.clone());
        let mails = match known {
            Some(mails) => mails,
            None => {
                let (commits, _) =
                    self.client.pages::<wire::Commit>(&format!("{}/commits?limit={PAGE}&verification=false&files=false", place.pull(pull.number)), MOST_PAGES).await?;
                let mut mails = BTreeMap::new();
                for found in commits {
                    let Some(body) = found.commit else { continue };
                    for (account, signature) in [(found.author, body.author), (found.committer, body.committer)] {
                        if let (Some(account), Some(signature)) = (account, signature) {
                            mails.insert(signature.email.to_ascii_lowercase(), account.login);
                        }
                    }
                }
                place.known().mails.insert(pull.number, (head.clone(), mails.clone()));
                mails
            }
        };
        let who = |called: User| {
            let email = mail(&called).map(str::to_ascii_lowercase);
            let account = email.as_ref().and_then(|email| mails.get(email)).map(|login| self.user(login));
            account.or_else(|| self.by_email(email.as_deref()?)).unwrap_or(called)
        };
        Ok(standing.authors.iter().cloned().map(who).collect())
    }

    /// Who brought what is on a branch that is to take over from another: they do not approve that (I2).
    async fn made(&self, place: &Place, from: &str, pull: &Pull, base: &CommitId, unread: &mut Unread) -> Result<BTreeSet<User>, NetError> {
        let brings = place.mirror.standing(&format!("refs/heads/{from}"), base)?;
        let authors = brings.map(|brings| brings.authors).unwrap_or_default().into_iter();
        let mut found: BTreeSet<User> = authors.map(|called| mail(&called).and_then(|mail| self.by_email(mail)).unwrap_or(called)).collect();
        let branch = &pull.base.label;
        let mut pushed = BTreeSet::new();
        for page in 1..=MOST_PAGES {
            let told = self.client.get(&format!("{}/activities/feeds?limit={PAGE}&page={page}", place.api)).await;
            let Some(answer) = unread.part(told.map(Some))? else { return Ok(found) };
            let all: Vec<wire::Activity> = answer.json()?;
            let of_it = all.iter().filter(|one| one.op_type == "commit_repo" && one.ref_name.trim_start_matches("refs/heads/") == branch);
            pushed.extend(of_it.filter_map(|one| one.act_user.as_ref()).map(|who| self.user(&who.login)));
            if all.len() < PAGE {
                break;
            }
        }
        if pushed.is_empty() {
            unread.say(format!("who pushed `{branch}` is not known, because the forge tells of no push to it; push it anew"));
        }
        found.extend(pushed);
        Ok(found)
    }

    /// The latest status of every context on a head.
    pub(super) async fn statuses(&self, place: &Place, head: &CommitId) -> Result<Vec<wire::Status>, NetError> {
        let mut all = Vec::new();
        for page in 1..=MOST_PAGES {
            let answer = self.client.get(&format!("{}/commits/{head}/status?limit={PAGE}&page={page}", place.api)).await?;
            let found = answer.json::<wire::Statuses>()?.statuses.unwrap_or_default();
            let over = found.is_empty();
            all.extend(found);
            // Told by its count and not by a link.
            if over || total(&answer).is_none_or(|total| all.len() >= total) {
                return Ok(all);
            }
        }
        Err(too_many(&format!("the statuses of {head}"), all.len()))
    }

    /// The approvals that stand at this head, and how many threads are open. A review that asks for changes is one.
    async fn reviews(&self, place: &Place, mr: &MrId, pull: &Pull, head: &CommitId) -> Result<(Vec<Review>, u32), NetError> {
        let mut all: Vec<wire::Review> = Vec::new();
        for page in 1..=MOST_PAGES {
            let found: Vec<wire::Review> = self.client.read_one(&format!("{}/reviews?limit={PAGE}&page={page}", place.pull(pull.number))).await?;
            // A page is short where others' pending reviews were left out of it: only an empty one is the last.
            if found.is_empty() {
                break;
            }
            all.extend(found);
            if page == MOST_PAGES {
                return Err(too_many(&format!("the reviews of {mr}"), all.len()));
            }
        }
        // The last word of each person counts; comments and requests for a review are none.
        let mut last: BTreeMap<User, wire::Review> = BTreeMap::new();
        for review in all.iter().filter(|review| matches!(review.state.as_str(), "APPROVED" | "REQUEST_CHANGES")) {
            last.insert(self.whose(review.user.as_ref()), review.clone());
        }
        let (mut standing, mut open) = (Vec::new(), 0);
        for (by, review) in last {
            match review.state.as_str() {
                _ if review.dismissed => {}
                // Anybody can review; who may not write here blocks nobody.
                "REQUEST_CHANGES" => open += u32::from(self.right_of(&mr.repo, &by).await? >= Right::Write),
                _ if review.stale || commit(&review.commit_id).as_ref() != Some(head) => {}
                _ => standing.push(Review { right: self.right_of(&mr.repo, &by).await?, by, at: time(&review.submitted_at), head: head.clone() }),
            }
        }
        for review in all.iter().filter(|review| review.comments_count > 0 && review.state != "PENDING") {
            let comments: Vec<wire::LineComment> = self.client.read_one(&format!("{}/reviews/{}/comments", place.pull(pull.number), review.id)).await?;
            // Who resolves a thread is told at one of its comments; answers come below it without.
            let mut threads: BTreeMap<(String, u64, u64), bool> = BTreeMap::new();
            for comment in comments {
                *threads.entry((comment.path, comment.position, comment.original_position)).or_default() |= comment.resolver.is_some();
            }
            open += u32::try_from(threads.values().filter(|resolved| !**resolved).count()).unwrap_or(u32::MAX);
        }
        Ok((standing, open))
    }

    /// People's comments after `since`, oldest first. One that was edited is left out: who edited it is not told, and a command is what was first written.
    async fn comments(&self, place: &Place, pull: &Pull, mr: &MrId, talk: Talk, since: Option<CommentId>) -> Result<Fresh, NetError> {
        let since = since.map_or(0, |since| since.0);
        let mut fresh = Fresh::default();
        if since == u64::MAX {
            return Ok(fresh);
        }
        fresh.altered = talk.sticky.and_then(|(id, is)| place.written.altered(mr.number, id, is));
        let from = talk.comment.filter(|(id, _)| *id <= since).map(|(_, at)| at);
        let bot = self.bot().await?;
        let mut found = Vec::new();
        for comment in self.told(place, pull, from.as_deref()).await? {
            if self.whose(comment.user.as_ref()) == *bot {
                continue;
            }
            match comment.created_at == comment.updated_at {
                true if comment.id > since => found.push(comment),
                true => {}
                false => fresh.edited(comment.id, &comment.body),
            }
        }
        found.sort_by_key(|comment| comment.id);
        found.truncate(COMMENTS);
        for comment in found {
            let by = self.whose(comment.user.as_ref());
            place.known().talks.entry(mr.number).or_default().comment = Some((comment.id, comment.created_at));
            fresh.said.push(Comment { id: CommentId(comment.id), right: self.right_of(&mr.repo, &by).await?, by, body: comment.body, at: time(&comment.updated_at) });
        }
        Ok(fresh)
    }

    /// Every comment that changed since an instant. Gitea gives them all at once; where that is too much, its timeline has them page by page.
    async fn told(&self, place: &Place, pull: &Pull, from: Option<&str>) -> Result<Vec<wire::Comment>, NetError> {
        let since = |before: &str| from.map_or_else(String::new, |from| format!("{before}since={}", encoded(from)));
        match self.client.read_one(&format!("{}/comments{}", place.issue(pull.number), since("?"))).await {
            Err(error) if error.long => {}
            told => return told,
        }
        let events = self.timeline(place, pull, &since("&")).await?;
        let comment = |event: wire::Event| wire::Comment { id: event.id, user: event.user, body: event.body, created_at: event.created_at, updated_at: event.updated_at };
        Ok(events.into_iter().filter(|event| event.kind == "comment").map(comment).collect())
    }

    /// The entries of a merge request's timeline, `since` some instant. An entry that is too long by itself is nobody's push and no command, and left out.
    pub(super) async fn timeline(&self, place: &Place, pull: &Pull, since: &str) -> Result<Vec<wire::Event>, NetError> {
        let mut all: Vec<wire::Event> = Vec::new();
        // Entries may be missing on a page although more follow: comments on lines are counted and not told.
        let most_empty = pull.review_comments as usize + PAGE;
        let mut empty = 0;
        let mut lengths = Lengths::new(&[PAGE, 5, 1], ENTRIES);
        while let Some((size, page)) = lengths.next() {
            let asked = format!("{}/timeline?limit={size}&page={page}{since}", place.issue(pull.number));
            let Some(answer) = lengths.take(self.client.get(&asked).await)? else { continue };
            let found = answer.json::<Option<Vec<wire::Event>>>()?.unwrap_or_default();
            empty = if found.is_empty() { empty + size } else { 0 };
            all.extend(found);
            if empty >= most_empty {
                return Ok(all);
            }
        }
        Err(too_many(&format!("what was said and done in {} of {}", pull.number, place.path), all.len()))
    }
}

/// How many entries a list has on all its pages.
fn total(answer: &Answer) -> Option<usize> {
    answer.header("x-total-count")?.parse().ok()
}

/// What is not read whole is not judged: the rest could say the opposite.
fn too_many(what: &str, read: usize) -> NetError {
    NetError::new(ForgeErrorKind::Invalid, format!("{what} are more than the {read} that are read; close it and open another merge request"))
}

fn seconds(text: &str) -> i64 {
    time(text).0 / 1000
}

/// What another program's status says. A warning is not green.
fn check(status: &str) -> Check {
    match status {
        "pending" => Check::Pending,
        "success" | "skipped" => Check::Success,
        _ => Check::Failure,
    }
}
