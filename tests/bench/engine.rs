//! The engine alone with 1,000,000 steps that find their work done, and 100,000 real steps through workers, journal and a driver that costs nothing.
//!
//! `cargo bench --bench engine`. Three sizes of each show whether a step costs more the more there are. The first part is the pure
//! machine: turns of inputs, answered at once. The second is a whole change over a memory store and the local forge, from approval to merge.

#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the benches share")]
mod kit;

use kit::{House, Memory, Null, ROOT, Whole, again, asked, child};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Instant,
};
use trueup::{
    core::model::{Place, Span, StepId},
    core::{
        model::{
            CommitId, Desired, Health, Kind, Limits, Mention, MrId, Observed, Policy, Reading, Refusal, RepoId, ResourceId, Str, Time, Token, TreeId, Unit, User, Value, Want,
        },
        plan::{Act, Claim, Edge, EdgeReason, Needs, Plan, Proof, Step, Undo, Write},
        review::{Command, MrState, Right, Sighting},
        run::{Change, ClaimAnswer, Effect, Event, Input, Item, Outcome, PlanAnswer, PlanKey, PlanResult, Receipt, StreamId},
    },
    kinds::dns::DNS,
    ports::{Clock as _, SystemClock},
};

const NOOPS: [usize; 3] = [10_000, 100_000, 1_000_000];
const REAL: [usize; 3] = [1_000, 10_000, 100_000];

/// Steps of one unit follow one another.
const UNITS: usize = 1_000;

/// As many inputs as a worker takes into one turn.
const INPUTS: usize = 256;

fn main() {
    if let Some(words) = child() {
        let steps = words[1].parse().expect("a number of steps");
        return if words[0] == "noop" { noop(steps) } else { real(steps) };
    }
    if !asked() {
        return;
    }
    println!("steps that find their work done: the pure machine (run: from the start to the last proof; memory beside the plan itself)");
    println!("{:>9} {:>9} {:>10} {:>8} {:>12} {:>12} {:>10}", "steps", "run s", "µs a step", "turns", "bytes a step", "plan's bytes", "recover s");
    NOOPS.into_iter().for_each(|steps| println!("{}", again(&["noop", &steps.to_string()])));
    println!("\nreal steps: a change over the memory store and a null driver, from approval to merge");
    println!("{:>9} {:>9} {:>9} {:>10} {:>9} {:>9} {:>14} {:>10}", "steps", "plan s", "run s", "µs a step", "merged s", "records", "journal bytes", "peak KiB");
    REAL.into_iter().for_each(|steps| println!("{}", again(&["real", &steps.to_string()])));
}

fn mr() -> MrId {
    MrId { repo: RepoId::new("infra"), number: 1 }
}

/// One write a step, in chains by unit.
fn many(steps: usize) -> Plan {
    let mut plan = Plan::default();
    for n in 0..steps {
        let id = ResourceId::new("dns", "rrset", format!("zone-{}.example./host-{n}/A", n % UNITS));
        let (from, to) = (Some(Value::Int(1)), Some(Value::Int(2)));
        let write = Write { id: id.clone(), from: from.clone(), to, undo: Undo::To(from) };
        let step = StepId(n as u32 + 1);
        let made = Step {
            id: step,
            target: "dns".into(),
            unit: Unit::new(format!("zone-{}.example.", n % UNITS)),
            act: Act::Write(vec![write]),
            guard: None,
            proof: Proof::Settled,
            claims: vec![Claim::Write(id.clone())],
            deadline: Span(0),
            template: "direct".into(),
            together: None,
        };
        plan.steps.insert(step, made);
        if n >= UNITS {
            let reason = EdgeReason::Chain { id };
            plan.edges.push(Edge { before: StepId((n - UNITS) as u32 + 1), after: step, items: Vec::new(), needs: Needs::Proven, reason, place: Place::default() });
        }
    }
    plan
}

/// A merge request as the forge shows it.
fn sighting() -> Sighting {
    Sighting {
        mr: mr(),
        state: MrState::Open,
        draft: false,
        title: "many".to_owned(),
        author: User::new("ana"),
        pushers: BTreeSet::new(),
        source_branch: "many".into(),
        base_branch: "main".into(),
        head: CommitId::new("h"),
        base: CommitId::new("b"),
        author_trusted: true,
        proposed: None,
        own_head: false,
        unread: Vec::new(),
        reviews: Vec::new(),
        checks: BTreeMap::new(),
        unresolved_threads: 0,
        depends_on: Vec::new(),
        incident: None,
        brings: None,
        teams: Default::default(),
        comments: Vec::new(),
        edited: Vec::new(),
        altered: None,
        behind: None,
    }
}

/// Runs the machine alone; every effect is answered at once, every act with "already so".
fn noop(steps: usize) {
    let bare = Memory::own().resident;
    let plan = Arc::new(many(steps));
    let with_plan = Memory::own().resident;
    let mut change = Change::open(mr());
    let key = PlanKey { base: CommitId::new("b"), head: CommitId::new("h"), tree: TreeId::new("t") };
    let policy = Arc::new(Policy { window: Span::secs(1), ..Policy::default() });
    let answer = PlanAnswer { key, restore: false, result: PlanResult::Plan { plan: plan.clone(), policy }, way_back: None };
    let mut inbox = VecDeque::from([
        Input::Sighted(Box::new(sighting())),
        Input::Planned(Box::new(answer)),
        Input::Command { by: User::new("ben"), right: Right::Approve, command: Command::Approve { digest: None, steps: Vec::new() }, plan: Some(plan.digest()) },
    ]);
    let (mut turns, mut started, mut finished) = (0u64, None, None);
    let mut kept: Vec<Event> = Vec::new();
    while let Some(first) = inbox.pop_front() {
        // The plan is approved in a turn of its own, as people do.
        let more = if turns < 3 { 0 } else { INPUTS.min(inbox.len()) };
        let inputs: Vec<Input> = std::iter::once(first).chain(inbox.drain(..more)).collect();
        let turn = change.handle(SystemClock.now(), &inputs);
        turns += 1;
        for event in &turn.events {
            match event {
                Event::Started { .. } => started = Some((Instant::now(), turns)),
                Event::Finished { .. } => finished = Some((Instant::now(), turns)),
                _ => {}
            }
        }
        if steps <= NOOPS[1] {
            kept.extend(turn.events.iter().cloned());
        }
        if finished.is_some() {
            break;
        }
        let receipt = Receipt { stream: StreamId::Change(mr()), upto: 0 };
        inbox.extend(turn.release(&receipt).into_iter().filter_map(|effect| answered(&plan, effect)));
    }
    let ((from, before), (to, after)) = (started.expect("it started"), finished.expect("it finished"));
    let took = to - from;
    let memory = Memory::own().peak.saturating_sub(with_plan) * 1024 / steps as u64;
    let began = Instant::now();
    let recovered = if kept.is_empty() { None } else { Some(Change::recover(mr(), &kept).expect("the journal folds")) };
    let recover = began.elapsed();
    assert!(recovered.as_ref().is_none_or(|recovered| recovered.ledger().counts().proven == steps), "recovery knows all of it");
    let recover = if recovered.is_some() { format!("{:.2}", recover.as_secs_f64()) } else { "-".to_owned() };
    let micros = took.as_secs_f64() * 1e6 / steps as f64;
    println!("{steps:>9} {:>9.2} {micros:>10.2} {:>8} {memory:>12} {:>12} {recover:>10}", took.as_secs_f64(), after - before, (with_plan - bare) * 1024 / steps as u64);
}

fn answered(plan: &Plan, effect: Effect) -> Option<Input> {
    match effect {
        Effect::Act { step, attempt, .. } => Some(Input::Acted { step, attempt, outcome: Outcome::all(plan.steps[&step].items() as usize, Item::Done) }),
        Effect::Observe { ask, wants, .. } => {
            let start = matches!(ask, trueup::core::run::Ask::Start { .. });
            Some(Input::Observed { ask, seen: Ok(wants.into_iter().map(|want| seen(want, start)).collect()) })
        }
        Effect::Claim { n, .. } => Some(Input::Claimed { n, answer: ClaimAnswer::Granted }),
        Effect::Look
        | Effect::Replan { .. }
        | Effect::Probe { .. }
        | Effect::Unclaim
        | Effect::Halt(_)
        | Effect::Show(_)
        | Effect::Reply { .. }
        | Effect::Merge(_)
        | Effect::Wake(_) => None,
    }
}

fn seen(want: Want, start: bool) -> Observed {
    let live = if start { want.base.clone() } else { want.merged.clone() };
    let reading = Reading::Seen { live, base: want.base, merged: Ok(want.merged) };
    Observed { id: want.id, reading, facts: BTreeMap::new(), health: Health::NotAsked, token: Token(None), at: Time::default() }
}

/// DNS where every act carries one write, so that there are as many steps as changes.
struct Single;

impl Kind for Single {
    fn name(&self) -> &'static str {
        DNS.name()
    }
    fn canon(&self, id: &ResourceId, value: Value) -> Result<Value, Refusal> {
        DNS.canon(id, value)
    }
    fn unit(&self, id: &ResourceId) -> Unit {
        DNS.unit(id)
    }
    fn limits(&self) -> Limits {
        Limits { ops: 1, ..DNS.limits() }
    }
    fn undo(&self, before: Option<&Value>, after: Option<&Value>) -> Undo {
        DNS.undo(before, after)
    }
    fn mentions(&self, id: &ResourceId, value: &Value) -> Vec<Mention> {
        DNS.mentions(id, value)
    }
    fn provides(&self, id: &ResourceId, value: &Value) -> Vec<Str> {
        DNS.provides(id, value)
    }
    fn excludes(&self, id: &ResourceId) -> Vec<Str> {
        DNS.excludes(id)
    }
    fn check_unit(&self, desired: &Desired) -> Vec<Refusal> {
        DNS.check_unit(desired)
    }
    fn title(&self, id: &ResourceId) -> String {
        DNS.title(id)
    }
    fn lines(&self, id: &ResourceId, value: &Value) -> Vec<String> {
        DNS.lines(id, value)
    }
}

/// A whole change: opened, planned, approved, run, verified, merged.
fn real(steps: usize) {
    let zones = (steps / 1000).max(1);
    let zone =
        |zone: usize, version: usize| -> String { (0..steps / zones).map(|n| format!("host-{n}:\n  type: A\n  ttl: 300\n  value: 10.{zone}.{}.{version}\n", n % 250)).collect() };
    let all = |version| -> BTreeMap<String, String> { (0..zones).map(|n| (format!("dns/zone-{n}.example.yaml"), zone(n, version))).collect() };
    let house = House::new(Arc::new(Null::new(&Single)), |import| {
        let mut first = all(1);
        first.insert("trueup.yaml".into(), ROOT.into());
        import.commit("main", None, &first);
        import.commit("many", Some("main"), &all(2));
    });
    let Whole { planned, rolled, merged, journal } = house.change("many");
    let bytes: usize = journal.iter().map(|event| serde_json::to_string(event).expect("events are JSON").len()).sum();
    let acts = journal.iter().filter(|event| matches!(event, Event::ActIntended { .. })).count();
    assert_eq!(acts, steps, "a step a change");
    let micros = rolled.as_secs_f64() * 1e6 / steps as f64;
    println!(
        "{steps:>9} {:>9.2} {:>9.2} {micros:>10.1} {:>9.2} {:>9} {bytes:>14} {:>10}",
        planned.as_secs_f64(),
        rolled.as_secs_f64(),
        merged.as_secs_f64(),
        journal.len(),
        Memory::own().peak
    );
}
