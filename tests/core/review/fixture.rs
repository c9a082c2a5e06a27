//! A plan and its change as tests show them.

use std::{collections::BTreeMap, sync::Arc};
use trueup::{
    core::{
        diff::{Delta, Op, Reason},
        model::{ApprovalRule, CommitId, Digest, MrId, Path, Place, RepoId, ResourceId, Span, StepId, Sure, Time, Unit, User, Value},
        plan::{Act, Claim, Edge, EdgeReason, MatchedRule, Needs, Note, Plan, Proof, Step, Undo, Write},
        render::Kinds,
        review::{ApprovalView, Given, ItemState, Links, Phase, StepView, View},
    },
    kinds::dns::DNS,
};

pub fn kinds() -> Kinds {
    Kinds::new([("dns-inside".into(), &DNS as &'static dyn trueup::core::model::Kind), ("dns-outside".into(), &DNS)])
}

pub fn id(target: &str, zone: &str, owner: &str, rtype: &str) -> ResourceId {
    ResourceId::new(target, "rrset", format!("{zone}/{owner}/{rtype}"))
}

pub fn rrset(ttl: i64, values: &[&str]) -> Value {
    Value::map([("ttl", Value::Int(ttl)), ("values", Value::List(values.iter().map(|value| Value::str(*value)).collect()))])
}

pub fn delta(id: ResourceId, op: Op, from: Option<Value>, to: Option<Value>, line: u32) -> Delta {
    let reason = if op == Op::Keep { Reason::AlreadyTrue } else { Reason::MergeRequest };
    Delta { id, op, from, to, paths: vec![Path::root()], sure: Sure::Exact, reason, place: Place::new("dns/example.com.yaml", line, 3) }
}

/// One step a unit over the deltas that write, in the order of the plan's ids.
pub fn plan(deltas: Vec<Delta>) -> Plan {
    let mut units: BTreeMap<(trueup::core::model::Str, String), Vec<Write>> = BTreeMap::new();
    for delta in &deltas {
        if matches!(delta.op, Op::Keep | Op::Adopt | Op::Release) {
            continue;
        }
        let zone = delta.id.name.split('/').next().unwrap().to_owned();
        let write = Write { id: delta.id.clone(), from: delta.from.clone(), to: delta.to.clone(), undo: Undo::To(delta.from.clone()) };
        units.entry((delta.id.target.clone(), zone)).or_default().push(write);
    }
    let steps = units.into_iter().zip(1..).map(|(((target, zone), writes), n)| {
        let claims = writes.iter().map(|write| Claim::Write(write.id.clone())).collect();
        let step = Step {
            id: StepId(n),
            target,
            unit: Unit::new(zone),
            act: Act::Write(writes),
            guard: None,
            proof: Proof::Settled,
            claims,
            deadline: Span::mins(5),
            template: "direct".into(),
            together: None,
        };
        (step.id, step)
    });
    Plan { steps: steps.collect(), deltas, ..Plan::default() }
}

/// A plan with one of everything that people meet often.
pub fn small() -> Plan {
    let api = id("dns-inside", "example.com.", "api", "A");
    let lb = id("dns-inside", "example.org.", "lb", "A");
    let www = id("dns-inside", "example.com.", "www", "CNAME");
    let mut plan = plan(vec![
        delta(api.clone(), Op::Create, None, Some(rrset(300, &["192.0.2.10", "192.0.2.11"])), 12),
        delta(www.clone(), Op::Update, Some(rrset(300, &["old.example.org."])), Some(rrset(60, &["lb.example.org."])), 20),
        delta(id("dns-inside", "example.com.", "old", "TXT"), Op::Delete, Some(rrset(300, &["\"v=1\""])), None, 0),
        delta(id("dns-inside", "example.com.", "@", "MX"), Op::Keep, Some(rrset(300, &["10 mail.example.com."])), Some(rrset(300, &["10 mail.example.com."])), 3),
        delta(lb.clone(), Op::Update, Some(rrset(300, &["192.0.2.1", "192.0.2.2"])), Some(rrset(300, &["192.0.2.2", "192.0.2.3"])), 4),
        delta(id("dns-outside", "example.com.", "api", "A"), Op::Create, None, Some(rrset(300, &["198.51.100.10"])), 12),
    ]);
    plan.edges.push(Edge {
        before: StepId(2),
        after: StepId(1),
        items: vec![(0, 1)],
        needs: Needs::Proven,
        reason: EdgeReason::Refers { consumer: www, provider: lb, rule: "target".into() },
        place: Place::new("dns/example.com.yaml", 22, 12),
    });
    plan.rules.push(rule());
    plan.notes = vec![
        Note::Unmapped { path: "README.md".into(), becomes: None },
        Note::Skipped { reason: "Route53Provider/ALIAS".into(), count: 3 },
        Note::WeakPrecondition { target: "dns-inside".into(), what: "TTL".into() },
    ];
    plan
}

pub fn rule() -> MatchedRule {
    let rule = ApprovalRule { when: Some("plan.deletes > 0".into()), count: 2, by: vec!["anna".into(), "bert".into(), "cleo".into()] };
    MatchedRule { rule, because: "plan.deletes > 0 (1 delete)".into() }
}

/// The plan that writes everything back.
pub fn reverse(forward: &Plan) -> Plan {
    let back = |delta: &Delta| {
        let op = match (&delta.from, &delta.to) {
            (None, _) => Op::Delete,
            (_, None) => Op::Create,
            _ => Op::Update,
        };
        Delta { op, from: delta.to.clone(), to: delta.from.clone(), reason: Reason::Restores, ..delta.clone() }
    };
    plan(forward.deltas.iter().filter(|delta| delta.op != Op::Keep).map(back).collect())
}

pub fn digest(n: u8) -> Digest {
    Digest([n; 32])
}

/// A change with the small plan, waiting for one of two approvals.
pub fn view() -> View {
    let mr = MrId { repo: RepoId::new("infra/dns"), number: 7 };
    let plan = small();
    let links = Links::new("https://trueup.example/", &mr);
    View {
        title: "Move www to the new balancer".into(),
        author: User::new("dora"),
        source_branch: "move-www".into(),
        base_branch: "main".into(),
        phase: Phase::AwaitingApproval,
        base: Some(CommitId::new("1111111111111111111111111111111111111111")),
        head: Some(CommitId::new("2222222222222222222222222222222222222222")),
        digest: Some(digest(0xab)),
        way_back: Some(Arc::new(reverse(&plan))),
        approvals: vec![ApprovalView {
            rule: rule(),
            given: vec![Given { by: User::new("anna"), at: Time(1_763_700_000_000), digest: digest(0xab), steps: vec![], void: None }],
            missing: 1,
            cannot: None,
        }],
        pushers: [User::new("dora")].into(),
        plan: Some(Arc::new(plan)),
        kinds: kinds(),
        ..View::new(mr, links)
    }
}

/// The same state for every item.
pub fn all(view: &View, state: ItemState) -> Vec<StepView> {
    let plan = view.plan.as_ref().unwrap();
    plan.steps.values().map(|step| StepView { id: step.id, items: vec![state.clone(); step.items() as usize], attempts: 1 }).collect()
}
