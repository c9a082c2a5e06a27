//! A small kind and a small world to plan in, and plans as text.

use std::collections::{BTreeMap, BTreeSet};
use trueup::core::{
    model::{
        Desired, Fingerprint, Grant, Health, Kind, Limits, Mention, MrId, Observed, Place, Policy, Reading, Refusal, RefusalKind, ResourceId, Str, Time, Token, Unit, Value, Wanted,
    },
    plan::{Act, Beside, CompileError, Conditions, Edge, Material, Note, Plan, PlanFacts, Scope, Sight, Sources, Template, Undo, wants},
};

/// Names are `unit/thing/form`. A value is text: words with `>` in front point at a thing, with `?` perhaps; every thing provides its own name.
/// Forms of one thing cannot be live together. `root` is protected, and `bad` is refused.
pub struct Toy(pub Limits);

pub static TOY: Toy = Toy(Limits { ops: 100, bytes: 1_000_000, atomic: true, ordered: true });
/// Takes two writes at once, keeps no order inside and is not atomic.
pub static LOOSE: Toy = Toy(Limits { ops: 2, bytes: 1_000_000, atomic: false, ordered: false });
/// Takes three writes at once, in order.
pub static SMALL: Toy = Toy(Limits { ops: 3, bytes: 1_000_000, atomic: true, ordered: true });

impl Kind for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn canon(&self, _id: &ResourceId, value: Value) -> Result<Value, Refusal> {
        match value.as_str() {
            Some("bad") => Err(Refusal::new(RefusalKind::Value, "no toy is bad").advice("make it good")),
            _ => Ok(value),
        }
    }

    fn unit(&self, id: &ResourceId) -> Unit {
        Unit::new(id.name.split('/').next().unwrap_or_default())
    }

    fn limits(&self) -> Limits {
        self.0
    }

    fn undo(&self, before: Option<&Value>, _after: Option<&Value>) -> Undo {
        match before.and_then(Value::as_str) {
            Some("lost") => Undo::Never { loses: "what was in it".into() },
            _ => Undo::To(before.cloned()),
        }
    }

    fn mentions(&self, _id: &ResourceId, value: &Value) -> Vec<Mention> {
        let words = value.as_str().unwrap_or_default().split_whitespace();
        let mention = |word: &str| match (word.strip_prefix('>'), word.strip_prefix('?')) {
            (Some(key), _) => Some(Mention { key: key.into(), rule: "an arrow points at a thing".into(), guess: false }),
            (None, Some(key)) => Some(Mention { key: key.into(), rule: "it may mean a thing".into(), guess: true }),
            (None, None) => None,
        };
        words.filter_map(mention).collect()
    }

    fn provides(&self, id: &ResourceId, _value: &Value) -> Vec<Str> {
        id.name.split('/').nth(1).map(Into::into).into_iter().collect()
    }

    fn excludes(&self, id: &ResourceId) -> Vec<Str> {
        id.name.rsplit_once('/').map(|(thing, _)| thing.into()).into_iter().collect()
    }

    fn check_unit(&self, desired: &Desired) -> Vec<Refusal> {
        let torn = desired.resources.iter().find(|(_, wanted)| wanted.value.as_str() == Some("torn"));
        torn.map(|(id, wanted)| Refusal::new(RefusalKind::Value, format!("`{id}` tears its unit")).at(wanted.place.clone())).into_iter().collect()
    }

    fn protected(&self, id: &ResourceId) -> Option<Str> {
        id.name.contains("/root/").then(|| "everything hangs on it".into())
    }
}

pub fn toys(id: &ResourceId) -> &'static dyn Kind {
    match &*id.target {
        // Real kinds, where several systems are planned together.
        "inside" | "etcd" | "dir" => trueup::kinds::of(id),
        "loose" => &LOOSE,
        "small" => &SMALL,
        _ => &TOY,
    }
}

/// `box/a` is `toys/toy/box/a/x`; more slashes name the form; `target:` names another target.
pub fn id(short: &str) -> ResourceId {
    let (target, name) = short.split_once(':').unwrap_or(("toys", short));
    let name = if name.matches('/').count() < 2 { format!("{name}/x") } else { name.to_owned() };
    ResourceId::new(target, "toy", name)
}

/// Lines of `unit/thing = value` or `unit/thing after other, other = value`; places are their lines in `file`.
pub fn desired(file: &str, text: &str) -> Desired {
    let mut desired = Desired::default();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let (left, value) = line.split_once(" = ").expect("a line has ` = `");
        let (name, after) = left.split_once(" after ").unwrap_or((left, ""));
        let after = after.split(", ").filter(|name| !name.is_empty()).map(|name| id(name.trim())).collect();
        let wanted = Wanted { value: Value::str(value.trim()), place: Place::new(file, number as u32 + 1, 1), after };
        desired.resources.insert(id(name.trim()), wanted);
    }
    desired
}

/// Conditions are `deletes`, `creates` or `drifts`: true when the plan has some.
pub struct Some0;

impl Conditions for Some0 {
    fn holds(&self, condition: &str, facts: &PlanFacts) -> Result<bool, Refusal> {
        match condition {
            "deletes" => Ok(facts.deletes > 0),
            "creates" => Ok(facts.creates > 0),
            "drifts" => Ok(facts.drifts > 0),
            other => Err(Refusal::new(RefusalKind::Schema, format!("`{other}` is no condition"))),
        }
    }
}

/// A world to plan in; every test changes what it is about.
pub struct World {
    pub base: Desired,
    pub merged: Desired,
    /// Live where it differs from base: `None` is absent.
    pub live: BTreeMap<ResourceId, Option<Value>>,
    pub released: BTreeSet<ResourceId>,
    pub fresh: BTreeSet<ResourceId>,
    pub moved: BTreeMap<ResourceId, ResourceId>,
    pub together: BTreeMap<ResourceId, Str>,
    pub ours: BTreeMap<ResourceId, Option<Fingerprint>>,
    pub ahead: BTreeMap<ResourceId, (MrId, Option<Value>)>,
    pub overrides: trueup::core::drift::Overrides,
    pub policy: Policy,
    pub grants: Vec<Grant>,
    pub sizes: BTreeMap<(Str, Unit), u64>,
    pub templates: Vec<Template>,
    pub notes: Vec<Note>,
    pub health: Vec<Beside>,
    pub orders: Vec<trueup::core::plan::Order>,
    /// What earlier runs wrote, and when it is now.
    pub past: Vec<trueup::core::plan::Earlier>,
    pub now: Time,
    pub offline: bool,
}

impl World {
    pub fn new(base: &str, merged: &str) -> Self {
        let grants = ["toys", "loose", "small", "other"].map(|target| Grant { target: target.into(), units: Vec::new(), sensitive: Vec::new(), shared: false }).into();
        Self {
            base: desired("toys.yaml", base),
            merged: desired("toys.yaml", merged),
            live: BTreeMap::new(),
            released: BTreeSet::new(),
            fresh: BTreeSet::new(),
            moved: BTreeMap::new(),
            together: BTreeMap::new(),
            ours: BTreeMap::new(),
            ahead: BTreeMap::new(),
            overrides: Default::default(),
            policy: Policy::default(),
            grants,
            sizes: BTreeMap::new(),
            templates: Vec::new(),
            notes: Vec::new(),
            health: Vec::new(),
            orders: Vec::new(),
            past: Vec::new(),
            now: Time(0),
            offline: false,
        }
    }

    pub fn live(mut self, short: &str, value: Option<&str>) -> Self {
        self.live.insert(id(short), value.map(Value::str));
        self
    }

    pub fn scope(&self) -> Scope<'_> {
        let sources = Sources { released: &self.released, fresh: &self.fresh, moved: &self.moved, together: &self.together };
        Scope { base: &self.base, merged: &self.merged, sources, orders: &self.orders, ours: &self.ours, kinds: &toys, policy: &self.policy, grants: &self.grants }
    }

    /// Sees what `wants` asks for, as a driver would.
    pub fn observe(&self) -> Result<Vec<Observed>, CompileError> {
        let see = |want: trueup::core::model::Want| {
            let live = self.live.get(&want.id).cloned().unwrap_or_else(|| want.base.clone());
            let merged = want.merged.map(|value| toys(&want.id).canon(&want.id, value)).transpose();
            seen(want.id, live, want.base, merged)
        };
        Ok(wants(&self.scope())?.into_iter().map(see).collect())
    }

    pub fn compile(&self) -> Result<Plan, CompileError> {
        let seen = if self.offline { Vec::new() } else { self.observe()? };
        self.compile_seen(&seen)
    }

    pub fn compile_seen(&self, seen: &[Observed]) -> Result<Plan, CompileError> {
        let sight = if self.offline { Sight::Offline } else { Sight::Observed(seen) };
        trueup::core::plan::compile(&Material {
            scope: self.scope(),
            sight,
            repo: &trueup::core::model::RepoId::new("infra"),
            ahead: &self.ahead,
            overrides: &self.overrides,
            sizes: &self.sizes,
            conditions: &Some0,
            templates: &self.templates,
            notes: self.notes.clone(),
            health: &self.health,
            parent: None,
            past: trueup::core::plan::Past { wrote: &self.past, now: self.now },
        })
    }

    pub fn plan(&self) -> Plan {
        self.compile().unwrap_or_else(|error| panic!("a plan was expected: {error}"))
    }

    pub fn refused(&self) -> Vec<Refusal> {
        match self.compile() {
            Err(CompileError::Refused(faults)) => faults,
            other => panic!("a refusal was expected: {other:?}"),
        }
    }

    pub fn refusals(&self) -> String {
        self.refused().iter().map(|fault| format!("{:?} {fault}\n", fault.kind)).collect()
    }
}

pub fn seen(id: ResourceId, live: Option<Value>, base: Option<Value>, merged: Result<Option<Value>, Refusal>) -> Observed {
    let reading = Reading::Seen { live, base, merged };
    Observed { id, reading, facts: BTreeMap::new(), health: Health::NotAsked, token: Token::default(), at: Time(0) }
}

pub fn text(value: Option<&Value>) -> String {
    value.map_or("-".to_owned(), |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// A plan as lines: deltas, steps with their writes, edges, rules, notes.
pub fn print(plan: &Plan) -> String {
    let mut out = String::new();
    for delta in &plan.deltas {
        let op = format!("{:?}", delta.op).to_lowercase();
        out += &format!("{op} {} [{} -> {}] because {:?} at {}\n", delta.id, text(delta.from.as_ref()), text(delta.to.as_ref()), delta.reason, delta.place);
    }
    for step in plan.steps.values() {
        let what = match &step.act {
            Act::Write(writes) => {
                writes.iter().map(|write| format!("{} [{} -> {}]", write.id.name, text(write.from.as_ref()), text(write.to.as_ref()))).collect::<Vec<_>>().join(", ")
            }
            other => format!("{other:?}"),
        };
        out += &format!("step {} {}:{} ({}): {what}\n", step.id, step.target, step.unit, step.template);
    }
    let edge = |edge: &Edge| format!("{} -> {} {:?} {:?} {:?} at {}\n", edge.before, edge.after, edge.items, edge.needs, edge.reason, edge.place);
    plan.edges.iter().for_each(|of| out += &format!("edge {}", edge(of)));
    plan.inside.iter().for_each(|of| out += &format!("inside {}", edge(of)));
    plan.rules.iter().for_each(|of| out += &format!("rule {} because {}\n", of.rule.count, of.because));
    plan.notes.iter().for_each(|of| out += &format!("note {of:?}\n"));
    out.replace("ResourceId { target: \"toys\", kind: \"toy\", name: ", "Id { ")
}
