//! What people and programs do at a forge, in words that every forge has: the table's rules are told in them.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    ops::Deref,
    sync::Arc,
    time::Duration,
};
use trueup::{
    app::Forge,
    core::{
        gate::{Conditions, MergeGate, MergeTicket, Verdict, Window},
        model::{CommitId, Digest, MrId, Policy, RepoId, Str, Time},
        review::{CommentId, Face, Label, MARKER, Sighting, Status, StatusState},
        run::{MergeAnswer, PlanKey},
    },
    ports::{ForgeError, Merge, Reaction, StateRepo},
};

/// What people and programs do in one repository of a forge.
///
/// People: `ana`, `ben`, `cleo` and `root` may write; `mallory` may read. By the server's lists `ben` also approves and `root` administers. The server's own
/// account is `trueup`. The governed branch is `main`.
pub trait Hands: Send + Sync {
    /// Commits to a branch (made from `main` where it is not there) and pushes; the commit.
    fn push(&self, by: &str, branch: &str, files: &[(&str, &str)]) -> String {
        self.push_as(by, by, branch, files)
    }
    /// The same, with another's name in the commit.
    fn push_as(&self, by: &str, author: &str, branch: &str, files: &[(&str, &str)]) -> String;
    /// Makes a branch anew from `main` and pushes it over what was there.
    fn force_push(&self, by: &str, branch: &str, files: &[(&str, &str)]) -> String;
    /// Pushes a branch under another name and takes the old one away.
    fn rename(&self, by: &str, branch: &str, to: &str);
    /// The tip of a branch.
    fn tip(&self, branch: &str) -> Option<String>;
    /// What a branch holds of a file.
    fn file(&self, branch: &str, path: &str) -> Option<String>;

    fn open(&self, by: &str, branch: &str, title: &str, body: &str) -> u64;
    /// The same from a fork of `by`'s own.
    fn open_from_fork(&self, by: &str, branch: &str, files: &[(&str, &str)], title: &str) -> u64;
    fn describe(&self, number: u64, by: &str, title: &str, body: &str);
    fn close(&self, number: u64, by: &str);
    fn reopen(&self, number: u64, by: &str);
    /// Merges as people do.
    fn merge(&self, number: u64, by: &str);
    /// Sends it to another branch.
    fn retarget(&self, number: u64, by: &str, base: &str);
    fn label(&self, number: u64, by: &str, label: &str, on: bool);
    fn labels(&self, number: u64) -> BTreeSet<String>;

    fn comment(&self, number: u64, by: &str, body: &str) -> u64;
    fn edit_comment(&self, id: u64, by: &str, body: &str);
    fn delete_comment(&self, id: u64, by: &str);
    /// Every comment, oldest first: its id, whose, and what it says.
    fn comments(&self, number: u64) -> Vec<(u64, String, String)>;
    /// Who marked a comment how, in the order of `Reaction`.
    fn reactions(&self, number: u64, comment: u64) -> Vec<(String, Reaction)>;

    fn approve(&self, number: u64, by: &str);
    fn request_changes(&self, number: u64, by: &str);
    /// Dismisses the last review of somebody.
    fn dismiss(&self, number: u64, by: &str, whose: &str);

    /// Makes a team of the repository's owner, or changes it, with these people in it; its whole name.
    fn team(&self, name: &str, members: &[&str]) -> String;

    /// Lets `main` take only what holds its newest commit.
    fn only_newest(&self, by: &str);

    /// Sets a status as another program.
    fn status(&self, commit: &str, by: &str, context: &str, state: &str);
    /// The latest of each context: state and words.
    fn statuses(&self, commit: &str) -> BTreeMap<String, (String, String)>;
}

/// A forge with one governed repository, over which one driver is tried. What people do there is said of it as well.
pub trait ForgeWorld {
    fn hands(&self) -> &(dyn Hands + 'static);
    /// The driver under test.
    fn driver(&self) -> &dyn Forge;
    /// Another driver of the same server, which remembers nothing: as after a crash.
    fn restarted(&self) -> Box<dyn Forge>;
    fn repo(&self) -> RepoId;
    /// Its path there.
    fn path(&self) -> String;
    /// The repository as the driver has it here.
    fn state(&self) -> Arc<dyn StateRepo>;
}

impl Deref for dyn ForgeWorld + '_ {
    type Target = dyn Hands;

    fn deref(&self) -> &Self::Target {
        self.hands()
    }
}

/// Runs what a driver does.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts").block_on(work)
}

/// What rules ask of every world in the same way.
impl dyn ForgeWorld + '_ {
    pub fn mr(&self, number: u64) -> MrId {
        MrId { repo: self.repo(), number }
    }

    /// Looks until the forge shows something: forges take a moment to see a push.
    pub fn look_until(&self, number: u64, what: &str, holds: impl Fn(&Sighting) -> bool) -> Sighting {
        let mr = self.mr(number);
        let mut last: Option<Result<Sighting, ForgeError>> = None;
        let found = crate::harness::wait_for(Duration::from_secs(60), || {
            last = Some(run(self.driver().look(&mr, None)));
            matches!(&last, Some(Ok(sighting)) if holds(sighting))
        });
        match last {
            Some(Ok(sighting)) if found => sighting,
            last => panic!("it never showed {what}: {last:#?}"),
        }
    }

    /// Looks at a head that was just pushed.
    pub fn look_at(&self, number: u64, head: &str) -> Sighting {
        self.look_until(number, "the head", |sighting| sighting.head.as_str() == head)
    }

    pub fn look(&self, number: u64) -> Sighting {
        self.look_until(number, "anything", |_| true)
    }

    /// The comments of ours that hold a text.
    pub fn ours(&self, number: u64, text: &str) -> Vec<(u64, String)> {
        self.comments(number).into_iter().filter(|(_, by, body)| by == "trueup" && body.contains(text)).map(|(id, _, body)| (id, body)).collect()
    }

    /// A branch of ana's with one change, and its merge request.
    pub fn request(&self, branch: &str) -> (u64, String) {
        let head = self.push("ana", branch, &[("zones/a.yaml", &format!("{branch}: 1\n"))]);
        (self.open("ana", branch, &format!("change {branch}"), ""), head)
    }

    /// Merges as the gate does: what the forge does not do yet is tried again.
    pub fn merged(&self, number: u64, ticket: MergeTicket) -> MergeAnswer {
        let mut last = None;
        let done = crate::harness::wait_for(Duration::from_secs(60), || {
            last = Some(run(self.driver().merge(ticket.clone())).expect("the forge answers"));
            !matches!(last, Some(MergeAnswer::Refused { transient: true, .. }))
        });
        assert!(done, "{number} is not merged: {last:?}");
        last.expect("it was tried")
    }

    /// The ticket that the merge gate gives for what the forge shows now.
    pub fn ticket(&self, number: u64) -> MergeTicket {
        self.ticket_of(&self.mr(number))
    }

    /// The same for a merge request of any repository of the driver's.
    pub fn ticket_of(&self, mr: &MrId) -> MergeTicket {
        let sighting = run(self.driver().look(mr, None)).expect("it is there");
        let Merge::Clean(tree) = self.state().merge(&sighting.base, &sighting.head).expect("both are here") else { panic!("conflict") };
        let key = PlanKey { base: sighting.base.clone(), head: sighting.head.clone(), tree };
        let policy = Policy::default();
        let mut window = Window::single(&policy);
        window.ask(1, Time(0));
        window.pass(Time(1));
        let conditions = Conditions { now: Time(2), sighting: &sighting, key: &key, policy: &policy, approvals: &[], halted: false };
        let gate = MergeGate { mr, conditions, digest: Digest::of("plan", &[b"one"]), window: &window, skipped: 0, except: None, unmerged: &Default::default() };
        match gate.judge() {
            Verdict::Go(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }
}

/// A face with one status, one label and a comment that is ours.
pub fn face(head: &str, says: &str, phase: &str, state: StatusState) -> Face {
    let status = Status { context: "trueup/plan".into(), state, text: format!("{says}.") };
    Face {
        head: CommitId::new(head),
        comment: format!("{MARKER}dns!1 -->\n{says}"),
        plan: None,
        statuses: vec![status],
        labels: vec![Label(Str::from(format!("trueup: {phase}")))],
        deployments: Vec::new(),
    }
}

/// What a forge's name for a mark means; `None`: it is none of ours.
pub fn reaction(name: &str) -> Option<Reaction> {
    match name {
        "eyes" => Some(Reaction::Seen),
        "+1" | "thumbsup" => Some(Reaction::Done),
        "-1" | "thumbsdown" => Some(Reaction::Refused),
        _ => None,
    }
}

/// The comment that a forge numbers so.
pub fn id(number: u64) -> Option<CommentId> {
    Some(CommentId(number))
}
