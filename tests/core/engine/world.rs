//! A world in memory around one change: its journal, its open effects, the live systems and the clock.

use super::plans;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use trueup::core::{
    model::{CommitId, Digest, Health, MrId, Observed, Policy, Probe, Question, Reading, RepoId, ResourceId, Saw, Time, Token, TreeId, User, Value, Want},
    plan::{Act, Plan},
    review::{Comment, CommentId, MrState, Right, Sighting},
    run::{Ask, Change, ClaimAnswer, Effect, Event, Input, Item, MergeAnswer, Outcome, PlanAnswer, PlanKey, PlanResult},
};

pub struct World {
    pub change: Change,
    pub journal: Vec<Event>,
    pub now: Time,
    pub sighting: Sighting,
    pub live: BTreeMap<ResourceId, Value>,
    pub health: Health,
    /// What probes see, by the path they ask for; good unless told.
    pub probes: BTreeMap<String, Saw>,
    /// Paths that answer only when a scenario says so.
    pub hangs: BTreeSet<String>,
    pub facts: BTreeMap<String, i64>,
    /// Released and not answered, by what they are about.
    pub open: BTreeMap<String, Effect>,
    pub comments: u64,
    /// The plan in the newest face and since when, which the forge tells with the next look unless it hides it.
    pub shows: Option<(Digest, Time)>,
    pub hides: bool,
    /// What happened since it was last asked.
    pub events: Vec<Event>,
    pub effects: Vec<Effect>,
    pub said: Vec<String>,
    /// Acts that a crash made the shell do again.
    pub reissued: BTreeSet<String>,
    /// The plan that `auto` answers with.
    pub next_plan: (Arc<Plan>, Arc<Policy>),
}

pub fn mr() -> MrId {
    MrId { repo: RepoId::new("infra"), number: 7 }
}

pub fn right(who: &str) -> Right {
    match who {
        "eve" => Right::Read,
        "ann" | "dan" => Right::Approve,
        "root" => Right::Admin,
        "bob" | "carl" => Right::Approve,
        _ => Right::Write,
    }
}

/// What an effect is about: a newer one about the same replaces it.
pub fn about(effect: &Effect) -> String {
    match effect {
        Effect::Look => "look".to_owned(),
        Effect::Replan { .. } => "plan".to_owned(),
        Effect::Observe { ask, .. } => format!("read {}", ask_words(ask)),
        Effect::Probe { n, .. } => format!("probe {n}"),
        Effect::Act { step, attempt, .. } => format!("act {step}.{attempt}"),
        Effect::Claim { n, .. } => format!("claim {n}"),
        Effect::Unclaim => "unclaim".to_owned(),
        Effect::Halt(_) => "halt".to_owned(),
        Effect::Show(_) => "show".to_owned(),
        Effect::Reply { to, .. } => format!("reply {}", to.0),
        Effect::Merge(_) => "merge".to_owned(),
        Effect::Wake(_) => "wake".to_owned(),
    }
}

/// The path a probe asks for.
fn path(probe: &Probe) -> String {
    let Question::Http(http) = &probe.ask else { panic!("scenarios ask by HTTP") };
    http.url.trim_start_matches("http://app").to_owned()
}

pub fn ask_words(ask: &Ask) -> String {
    match ask {
        Ask::Start { n } => format!("start {n}"),
        Ask::Proof { step, attempt } => format!("proof {step}.{attempt}"),
        Ask::Sample { n } => format!("sample {n}"),
    }
}

impl World {
    pub fn new() -> Self {
        let sighting = Sighting {
            mr: mr(),
            title: "move www".to_owned(),
            pushers: BTreeSet::from([User::new("dan")]),
            source_branch: "move-www".into(),
            head: CommitId::new("h1"),
            base: CommitId::new("b1"),
            ..crate::fixture::sighting()
        };
        Self {
            change: Change::open(mr()),
            journal: Vec::new(),
            now: Time(1_000_000),
            sighting,
            live: BTreeMap::new(),
            health: Health::NotAsked,
            probes: BTreeMap::new(),
            hangs: BTreeSet::new(),
            facts: BTreeMap::new(),
            open: BTreeMap::from([("look".to_owned(), Effect::Look)]),
            comments: 0,
            shows: None,
            hides: false,
            events: Vec::new(),
            effects: Vec::new(),
            said: Vec::new(),
            reissued: BTreeSet::new(),
            next_plan: plans::read(&["www=1>2"]),
        }
    }

    /// One turn, kept in the journal, its effects released; then every promise about recovery is checked.
    pub fn hear(&mut self, inputs: &[Input]) {
        let ticked = inputs.iter().any(|input| matches!(input, Input::Tick));
        let turn = self.change.handle(self.now, inputs);
        self.journal.extend(turn.events.iter().cloned());
        self.events.extend(turn.events.iter().cloned());
        self.said.extend(turn.said.iter().map(ToString::to_string));
        let receipt = trueup::core::run::Receipt { stream: trueup::core::run::StreamId::Change(mr()), upto: self.journal.len() as u64 };
        for input in inputs {
            self.answered(input);
        }
        for effect in turn.release(&receipt) {
            self.note(&effect);
            self.open.insert(about(&effect), effect.clone());
            self.effects.push(effect);
        }
        self.check(ticked);
    }

    fn answered(&mut self, input: &Input) {
        let about = match input {
            Input::Sighted(_) => "look".to_owned(),
            Input::Planned(_) => "plan".to_owned(),
            Input::Observed { ask, .. } => format!("read {}", ask_words(ask)),
            Input::Probed { n, .. } => format!("probe {n}"),
            Input::Acted { step, attempt, .. } => format!("act {step}.{attempt}"),
            Input::Claimed { n, answer: ClaimAnswer::Granted } => format!("claim {n}"),
            Input::Claimed { answer: ClaimAnswer::Queued { .. }, .. } | Input::Command { .. } | Input::Carried { .. } => return,
            Input::Halt(_) => "halt".to_owned(),
            Input::Unbacked(_) | Input::OwnersMoved => return,
            Input::Unclaimed => "unclaim".to_owned(),
            Input::Replied { to, .. } => format!("reply {}", to.0),
            Input::Shown { .. } => return,
            Input::Merged(_) => "merge".to_owned(),
            Input::Tick => "wake".to_owned(),
        };
        self.open.remove(&about);
    }

    /// The journal folds to this very change, and what is due after a crash is what is open now.
    pub fn check(&self, ticked: bool) {
        let folded = Change::recover(mr(), &self.journal).expect("the journal folds");
        assert!(folded == self.change, "recovery differs\nlive:   {:#?}\nfolded: {folded:#?}", self.change);
        let due: BTreeMap<String, Effect> = folded.due().into_iter().map(|effect| (about(&effect), effect)).collect();
        for (about, effect) in &due {
            let open = self.open.get(about);
            match effect {
                // A face that differs in progress only is not shown again at once; a timer that is earlier rings and is set again.
                Effect::Show(_) => assert!(open.is_some() || self.effects.is_empty(), "no face was ever shown"),
                Effect::Wake(at) => {
                    assert!(matches!(open, Some(Effect::Wake(set)) if set <= at), "due: {effect:?}, set: {open:?}");
                    assert!(!ticked || *at > self.now, "after a tick the next wake {at:?} is not later than now {:?}", self.now);
                }
                // One that was asked for while the request was open is only read back once it is not.
                Effect::Merge(ticket) if ticket.only_reads() => {
                    assert!(matches!(open, Some(Effect::Merge(asked)) if (asked.head(), asked.base(), asked.tree()) == (ticket.head(), ticket.base(), ticket.tree())), "{open:?}");
                }
                _ => assert_eq!(Some(effect), open, "due after a crash, and not what is open"),
            }
        }
        for (about, effect) in &self.open {
            if matches!(effect, Effect::Act { .. } | Effect::Merge(_) | Effect::Reply { .. } | Effect::Unclaim) {
                assert!(due.contains_key(about), "{about} is open and forgotten by recovery");
            }
        }
    }

    /// The process ends and another one folds the journal.
    pub fn crash(&mut self) {
        self.change = Change::recover(mr(), &self.journal).expect("the journal folds");
        let due = self.change.due();
        self.open = due.iter().map(|effect| (about(effect), effect.clone())).collect();
        self.reissued.extend(due.iter().filter(|effect| matches!(effect, Effect::Act { .. })).map(about));
        self.effects.extend(due);
    }

    /// The face that the forge will show.
    fn note(&mut self, effect: &Effect) {
        let Effect::Show(face) = effect else { return };
        if let Some(plan) = face.plan.filter(|plan| self.shows.is_none_or(|(shown, _)| shown != *plan)) {
            self.shows = Some((plan, self.now));
        }
    }

    /// The forge tells which plan it shows, by now or since a while.
    pub fn shown(&mut self) {
        if let Some((digest, at)) = self.shows {
            self.hear(&[Input::Shown { digest, at }]);
        }
    }

    pub fn see(&mut self) {
        if !self.hides {
            self.shown();
        }
        let sighting = self.sighting.clone();
        self.sighting.comments.clear();
        self.hear(&[Input::Sighted(Box::new(sighting))]);
    }

    pub fn comment(&mut self, who: &str, body: &str) {
        self.comment_at(self.now, who, body);
        self.see();
    }

    /// Written at some time, and not seen yet.
    pub fn comment_at(&mut self, at: Time, who: &str, body: &str) {
        self.comments += 1;
        self.sighting.comments.push(Comment { id: CommentId(self.comments), by: User::new(who), right: right(who), body: body.to_owned(), at });
    }

    pub fn plan(&mut self, result: PlanResult) {
        let Some(Effect::Replan { base, head, restore, .. }) = self.open.get("plan").cloned() else { panic!("no plan was asked for") };
        let tree = if matches!(result, PlanResult::Conflicted(_)) { TreeId::new("") } else { TreeId::new(format!("{base}+{head}")) };
        self.hear(&[Input::Planned(Box::new(PlanAnswer { key: PlanKey { base, head, tree }, restore, result, way_back: None }))]);
    }

    fn look_at(&self, want: &Want) -> Observed {
        let live = self.live.get(&want.id).cloned();
        Observed {
            id: want.id.clone(),
            reading: Reading::Seen { live, base: want.base.clone(), merged: Ok(want.merged.clone()) },
            facts: self.facts.iter().map(|(fact, is)| (fact.as_str().into(), trueup::core::model::FactValue::Int(*is))).collect(),
            health: self.health.clone(),
            token: Token(None),
            at: self.now,
        }
    }

    /// Answers one open read from the live state, or with an error.
    pub fn read(&mut self, about: &str, error: Option<&str>) {
        let Some(Effect::Observe { ask, wants, .. }) = self.open.get(&format!("read {about}")).cloned() else { panic!("no read {about} is open: {:?}", self.open.keys()) };
        let seen = match error {
            Some(why) => Err(why.to_owned()),
            None => Ok(wants.iter().map(|want| self.look_at(want)).collect()),
        };
        self.hear(&[Input::Observed { ask, seen }]);
    }

    /// Answers one open act: each item's word decides what happens to the live state and what is told.
    pub fn act(&mut self, about: &str, words: &[&str]) {
        let Some(Effect::Act { step, attempt, skip }) = self.open.get(&format!("act {about}")).cloned() else { panic!("no act {about} is open: {:?}", self.open.keys()) };
        let plan = self.change.plan().expect("a plan").clone();
        let items = plan.steps[&step].items();
        let outcome = (0..items)
            .map(|item| {
                let word = words.get(item as usize).or(words.last()).copied().unwrap_or("done");
                if skip.contains(&item) { Item::NotTried } else { self.act_one(&plan.steps[&step].act, item, word) }
            })
            .collect();
        let outcome = Outcome { items: outcome, report: None };
        let outcome = if self.reissued.contains(&format!("act {about}")) { outcome.of_a_second_try() } else { outcome };
        self.hear(&[Input::Acted { step, attempt, outcome }]);
    }

    fn act_one(&mut self, act: &Act, item: u32, word: &str) -> Item {
        let Act::Write(writes) = act else { return Item::Done };
        let write = &writes[item as usize];
        let live = self.live.get(&write.id).cloned();
        let happens = matches!(word, "done" | "lost");
        if happens && live == write.to {
            return if word == "lost" { Item::Unknown } else { Item::Already };
        }
        if happens && live != write.from {
            return Item::Moved(live);
        }
        if happens {
            match &write.to {
                Some(to) => drop(self.live.insert(write.id.clone(), to.clone())),
                None => drop(self.live.remove(&write.id)),
            }
        }
        match word {
            "done" => Item::Done,
            // The reply is lost: after the effect, or before it.
            "lost" | "unsent" => Item::Unknown,
            "busy" => Item::Failed { transient: true, why: "the server is busy".to_owned() },
            "denied" => Item::Failed { transient: false, why: "the key may not".to_owned() },
            other => panic!("no such outcome: {other}"),
        }
    }

    pub fn merge(&mut self, answer: MergeAnswer) {
        assert!(self.open.contains_key("merge"), "no merge is open");
        if let MergeAnswer::Merged { commit, .. } = &answer {
            self.sighting.state = MrState::Merged { commit: commit.clone(), by: User::new("trueup"), with: None };
        }
        self.hear(&[Input::Merged(answer)]);
    }

    /// Lets time pass, ringing every timer on the way.
    pub fn pass(&mut self, until: Time) {
        for _ in 0..10_000 {
            match self.open.get("wake") {
                Some(Effect::Wake(at)) if *at <= until => {
                    self.now = self.now.max(*at);
                    self.hear(&[Input::Tick]);
                    self.reads();
                }
                _ => {
                    self.now = until;
                    return;
                }
            }
        }
        panic!("timers ring without end");
    }

    /// Answers the open probe of a path.
    pub fn probed(&mut self, asked: &str) {
        let open = self.open.values().find_map(|effect| if let Effect::Probe { n, probe } = effect { (path(probe) == asked).then(|| (*n, probe.key())) } else { None });
        let (n, probe) = open.unwrap_or_else(|| panic!("no probe of {asked} is open: {:?}", self.open.keys()));
        let saw = self.probes.get(asked).cloned().unwrap_or(Saw::Good("answered 200".into()));
        self.hear(&[Input::Probed { probe, n, saw }]);
    }

    /// Answers every open read and probe from the live state; what hangs stays open.
    pub fn reads(&mut self) {
        while let Some(asked) =
            self.open.values().find_map(|effect| if let Effect::Probe { probe, .. } = effect { Some(path(probe)).filter(|path| !self.hangs.contains(path)) } else { None })
        {
            self.probed(&asked);
        }
        while let Some(about) = self.open.keys().find(|about| about.starts_with("read ")).cloned() {
            self.read(&about[5..], None);
        }
    }

    /// Answers everything with success until nothing is open; time stands still.
    pub fn auto(&mut self) {
        for _ in 0..10_000 {
            let Some((about, effect)) = self.open.iter().find(|(_, effect)| !matches!(effect, Effect::Show(_) | Effect::Wake(_))).map(|(a, e)| (a.clone(), e.clone())) else {
                return;
            };
            if !self.change.due().iter().any(|due| super::world::about(due) == about) {
                // Abandoned by the change: its answer would be ignored.
                self.open.remove(&about);
                continue;
            }
            match effect {
                Effect::Look => self.see(),
                Effect::Replan { restore: true, .. } => {
                    let policy = self.next_plan.1.clone();
                    self.plan(PlanResult::Plan { plan: plans::back(self.change.ledger().written()), policy });
                }
                Effect::Replan { .. } => {
                    let (plan, policy) = self.next_plan.clone();
                    self.plan(PlanResult::Plan { plan, policy });
                }
                Effect::Observe { ask, .. } => self.read(&ask_words(&ask), None),
                Effect::Probe { probe, .. } => self.probed(&path(&probe)),
                Effect::Act { step, attempt, .. } => self.act(&format!("{step}.{attempt}"), &["done"]),
                Effect::Claim { n, .. } => self.hear(&[Input::Claimed { n, answer: ClaimAnswer::Granted }]),
                Effect::Unclaim => self.hear(&[Input::Unclaimed]),
                Effect::Halt(on) => self.hear(&[Input::Halt(on)]),
                Effect::Reply { to, text, .. } => self.hear(&[Input::Replied { to, text }]),
                Effect::Merge(ticket) => self.merge(MergeAnswer::Merged { commit: CommitId::new("m1"), parents: Vec::new(), tree: ticket.tree().clone() }),
                Effect::Show(_) | Effect::Wake(_) => unreachable!("left out above"),
            }
        }
        panic!("it never comes to rest");
    }
}
