//! Who pushed to a branch since it was made: read once, and from then on only what came since.

use super::{
    forge::{GitLab, Place},
    wire::{Event, Push, Request, Version},
};
use crate::{
    core::model::{Span, Time, User},
    forges::net::{NetError, Unread},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

/// Pages of a project's pushes that are searched for a branch's the first time; later looks read what came since.
const PUSHES: usize = 50;

/// Pages of what was pushed to a request.
const VERSIONS: usize = 5;

/// What is written down later than something newer than it is at most so much later: so far back the last look's pushes are read again. Milliseconds.
const OVERLAP: i64 = 10 * 60_000;

/// A version of a request is written down at most so much before the push that made it is. Later it may be by any time: GitLab queues that work.
const APART: Span = Span::mins(2);

/// Branches whose pushes are remembered; beyond it everything is asked again.
const REMEMBERED: usize = 1000;

/// What was read of branches, by project and branch. It is lost with the process, and read anew.
#[derive(Debug, Default)]
pub struct KnownPushes(Mutex<BTreeMap<(u64, String), Told>>);

/// How long what was read of a branch's pushes is only read on; after that it is read from its beginning.
const ANEW: Span = Span::mins(60);

/// What GitLab told of the pushes to one branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    named: BTreeSet<User>,
    /// Somebody pushed, and who is not told.
    unnamed: bool,
    /// Where the branch was moved to under its own name.
    heads: BTreeSet<String>,
    /// Where it was moved from so: where none of these pushes ended, somebody else had moved it before.
    froms: BTreeSet<String>,
    /// When this was read whole the last time.
    since: Option<Time>,
    /// Many branches at once, any of which may be this one: when, and by whom.
    at_once: BTreeSet<(Time, Option<User>)>,
    /// How many pushes to the project were read, where its making was not among them.
    cut: Option<usize>,
    /// When the newest push to the project was made that was read.
    read_to: Option<Time>,
}

impl Told {
    /// From here on back all is known; none: nothing is.
    fn known_to(&self) -> Option<Time> {
        self.read_to.map(|to| Time(to.0 - OVERLAP))
    }

    /// Whether a push ends the search: the branch was made by it, or it and what is older was read before.
    fn ends(&self, event: &Event, branch: &str) -> bool {
        self.known_to().is_some_and(|to| event.created_at < to) || event.push_data.as_ref().is_some_and(|push| made(push, branch))
    }

    /// With what was read now, newest first. `whole`: there is nothing older.
    fn with(mut self, events: Vec<Event>, whole: bool, branch: &str, user: &dyn Fn(&str) -> User) -> Self {
        let (read, newest) = (events.len(), events.iter().map(|event| event.created_at).max());
        let met = self.known_to().is_some_and(|to| events.iter().any(|event| event.created_at < to));
        let mut now = Self::default();
        let mut anew = false;
        for event in events {
            let Some(push) = event.push_data.filter(|push| push.ref_type == "branch" && push.name.as_ref().is_none_or(|name| name == branch)) else { continue };
            let by = event.author_username.as_deref().map(user);
            match (&push.name, &*push.action) {
                (_, "removed") => {}
                (None, _) => drop(now.at_once.insert((event.created_at, by))),
                (Some(_), _) => {
                    now.unnamed |= by.is_none();
                    now.named.extend(by);
                    now.heads.extend(push.commit_to.clone());
                    now.froms.extend(push.commit_from.clone().filter(|_| push.action != "created"));
                }
            }
            // Newest first: what is older was another branch of this name.
            if made(&push, branch) {
                anew = true;
                break;
            }
        }
        now.read_to = newest.max(self.read_to);
        now.since = self.since;
        if anew {
            return now;
        }
        now.cut = match (whole, met) {
            (true, _) => None,
            (false, true) => self.cut,
            (false, false) => Some(read),
        };
        now.unnamed |= self.unnamed;
        now.named.append(&mut self.named);
        now.heads.append(&mut self.heads);
        now.froms.append(&mut self.froms);
        now.at_once.append(&mut self.at_once);
        now
    }
}

/// Whether a branch was made by a push.
fn made(push: &Push, branch: &str) -> bool {
    push.ref_type == "branch" && push.action == "created" && push.name.as_deref() == Some(branch)
}

/// Whose pushes are asked for.
#[derive(Clone, Copy)]
pub(super) enum Of<'a> {
    /// The branch that a request comes from.
    Source(&'a Place, &'a Request),
    /// The branch that a request goes to.
    Target(&'a Request),
}

impl<'a> Of<'a> {
    fn request(self) -> &'a Request {
        let (Of::Source(_, request) | Of::Target(request)) = self;
        request
    }

    fn branch(self) -> &'a str {
        match self {
            Of::Source(_, request) => &request.source_branch,
            Of::Target(request) => &request.target_branch,
        }
    }
}

impl GitLab {
    /// Who pushed to a branch since it was made. Not to know that is no answer: whoever may approve may have pushed (I2).
    pub(super) async fn who_pushed(&self, project: u64, of: Of<'_>, unread: &mut Unread) -> Result<BTreeSet<User>, NetError> {
        let branch = of.branch();
        let told = self.told(project, branch).await.map_err(|error| {
            let what = format!("who pushed `{branch}` is not told ({}); let the server's account read the project's activity", error.what);
            NetError { what, ..error }
        })?;
        let (mut found, mut unnamed) = (told.named.clone(), told.unnamed);
        let moved = self.moved_at_once(of, &told, unread).await?;
        for (at, by) in &told.at_once {
            if moved.is_none_or(|moved| *at <= moved) {
                unnamed |= by.is_none();
                found.extend(by.clone());
            }
        }
        let elsewhere = match of {
            Of::Source(..) => "push it anew under another name",
            Of::Target(_) => "delete it and push it again",
        };
        if unnamed {
            unread.say(format!("who pushed `{branch}` is not known, because GitLab does not name everybody who did; {elsewhere}"));
        } else if let Some(read) = told.cut {
            unread.say(format!("who pushed `{branch}` is not known, because it is not among the last {read} pushes to the project that it was made; {elsewhere}"));
        } else if found.is_empty() {
            // Where a project is for everybody and its repository for members, its activity is empty to all others.
            let next = match project == of.request().target_project_id {
                true => "push a new commit to it",
                false => "let the server's account read the fork's repository, or push the branch here",
            };
            unread.say(format!("who pushed `{branch}` is not known, because GitLab tells of no push to it; {next}"));
        }
        Ok(found)
    }

    /// What GitLab tells of the pushes to a branch, from where the last look ended.
    async fn told(&self, project: u64, branch: &str) -> Result<Told, NetError> {
        let key = (project, branch.to_owned());
        let known = self.pushes.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        // People rename their accounts, and are read under the new name then.
        let (now, young) = (self.now(), |known: &Told| known.since.is_some_and(|since| self.now() < since + ANEW));
        let known = known.filter(young).unwrap_or(Told { since: Some(now), ..Told::default() });
        let path = format!("/projects/{project}/events?action=pushed&sort=desc&per_page=100");
        let (events, whole) = self.api.until(&path, PUSHES, |event: &Event| known.ends(event, branch)).await?;
        let told = known.with(events, whole, branch, &|login| self.people.by_login(login));
        let mut all = self.pushes.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED && !all.contains_key(&key) {
            all.clear();
        }
        all.insert(key, told.clone());
        Ok(told)
    }

    /// Until when somebody who pushed many branches at once may have moved this one; none: at any time.
    ///
    /// Once a request is open, each move of its branch leaves a version of it. One whose head was pushed under the branch's own name is that push's.
    async fn moved_at_once(&self, of: Of<'_>, told: &Told, unread: &mut Unread) -> Result<Option<Time>, NetError> {
        let Of::Source(place, request) = of else { return Ok(None) };
        let opened = request.created_at + APART;
        if told.at_once.last().is_none_or(|(at, _)| *at <= opened) {
            return Ok(Some(opened));
        }
        let Some((versions, true)) = unread.part(self.versions(place, request.iid).await.map(Some))? else { return Ok(None) };
        // While a request is closed nothing leaves a version. Then a push begins, or the branch stands, where none under its own name ended.
        let shown = |sha: &str| versions.iter().any(|version| version.head_commit_sha == sha);
        let stands = request.sha.as_deref().is_some_and(|sha| !told.heads.contains(sha) && !shown(sha));
        if stands || told.froms.iter().any(|from| !told.heads.contains(from) && !shown(from)) {
            return Ok(None);
        }
        let others = versions.iter().filter(|version| !told.heads.contains(&version.head_commit_sha)).map(|version| version.created_at + APART);
        Ok(others.max().max(Some(opened)))
    }

    /// What was pushed to a request, newest first, and whether that is all.
    pub(super) async fn versions(&self, place: &Place, number: u64) -> Result<(Vec<Version>, bool), NetError> {
        self.api.pages(&place.request(number, "/versions?per_page=100"), VERSIONS).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: i64 = 60_000;

    fn event(at: i64, by: &str, branch: Option<&str>, action: &str) -> Event {
        let push = Push { action: action.into(), ref_type: "branch".into(), name: branch.map(str::to_owned), commit_to: Some(format!("{at}")), commit_from: None };
        Event { author_username: Some(by.to_owned()), created_at: Time(at), push_data: Some(push) }
    }

    fn read(known: Told, events: Vec<Event>, whole: bool) -> Told {
        known.with(events, whole, "mr", &|login| User::new(login))
    }

    fn names(told: &Told) -> Vec<&str> {
        told.named.iter().map(User::as_str).collect()
    }

    #[test]
    fn what_was_known_whole_stays_so_where_the_next_look_reaches_it() {
        let first = read(Told::default(), vec![event(60 * MIN, "ada", Some("mr"), "created"), event(MIN, "eve", Some("mr"), "pushed")], false);
        assert_eq!((names(&first), first.cut), (vec!["ada"], None), "what was before it was made is another branch's");
        let met = read(first.clone(), vec![event(90 * MIN, "root", Some("mr"), "pushed"), event(49 * MIN, "ci", Some("other"), "pushed")], false);
        assert_eq!((names(&met), met.cut), (vec!["ada", "root"], None));
        let late = read(first.clone(), vec![event(90 * MIN, "root", Some("other"), "pushed"), event(50 * MIN, "ci", Some("mr"), "pushed")], false);
        assert_eq!((names(&late), late.cut), (vec!["ada", "ci"], Some(2)), "as long as something may be written down late, it is not reached");
        let anew = read(late, vec![event(120 * MIN, "grace", Some("mr"), "created")], false);
        assert_eq!((names(&anew), anew.cut), (vec!["grace"], None), "it was made again");
    }

    #[test]
    fn what_was_cut_stays_so_and_nobody_who_was_read_is_forgotten() {
        let cut = read(Told::default(), vec![event(60 * MIN, "ada", Some("mr"), "pushed"), event(30 * MIN, "eve", Some("other"), "pushed")], false);
        assert_eq!((names(&cut), cut.cut), (vec!["ada"], Some(2)));
        let next = read(cut, vec![event(90 * MIN, "root", Some("mr"), "pushed"), event(20 * MIN, "ci", Some("other"), "pushed")], false);
        assert_eq!((names(&next), next.cut), (vec!["ada", "root"], Some(2)));
    }

    #[test]
    fn a_search_ends_at_the_making_of_the_branch_and_at_what_was_read_before() {
        let told = Told { read_to: Some(Time(60 * MIN)), ..Told::default() };
        let ends = |event: Event| told.ends(&event, "mr");
        assert!(ends(event(80 * MIN, "ada", Some("mr"), "created")) && ends(event(49 * MIN, "ada", Some("other"), "pushed")));
        assert!(!ends(event(50 * MIN, "ada", Some("mr"), "pushed")) && !ends(event(80 * MIN, "ada", None, "created")) && !ends(event(80 * MIN, "ada", Some("other"), "created")));
    }
}
