//! Plans for tests, written in one line: `www=1>2 mail=->3 edge=1>2 rule=2:bob,carl`.

use std::{collections::BTreeMap, sync::Arc};
use trueup::core::{
    diff::{Delta, Op, Reason},
    model::{ApprovalRule, Freeze, HealthRule, MrId, Place, Policy, RepoId, ResourceId, Span, StartWhen, StepId, Sure, Unit, Value},
    plan::{Act, Claim, Earlier, Edge, EdgeReason, Healthy, MatchedRule, Needs, OnDeadline, Plan, Proof, Step, Test, Undo, Until, Write},
};

/// The resource that a short name stands for.
pub fn id(name: &str) -> ResourceId {
    ResourceId::new("dns", "rrset", format!("example.com./{name}/A"))
}

/// `-` is absent.
pub fn value(text: &str) -> Option<Value> {
    (text != "-").then(|| Value::str(text))
}

/// Reads a plan and the policy it comes with.
pub fn read(words: &[&str]) -> (Arc<Plan>, Arc<Policy>) {
    read_after(words, &[])
}

/// The same for a change whose earlier runs wrote something: `earlier=a,b` is the step that stands for what they wrote last of these.
pub fn read_after(words: &[&str], wrote: &[Earlier]) -> (Arc<Plan>, Arc<Policy>) {
    let mut plan = Plan::default();
    let mut policy = Policy { window: Span::secs(2), every: Span::secs(1), ..Policy::default() };
    for word in words {
        let (key, rest) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "edge" => edge(&mut plan, rest),
            "earlier" => {
                let last = |name| wrote.iter().rfind(|earlier| earlier.id == id(name)).expect("an earlier run wrote it").clone();
                push(&mut plan, Act::Earlier(rest.split(',').map(last).collect()));
            }
            // A way back that leaves something: `left=a:theirs`.
            "left" => {
                let (name, why) = rest.split_once(':').expect("name:why");
                let why = trueup::core::model::Refusal::new(trueup::core::model::RefusalKind::Drift, format!("not put back: {why}"));
                plan.left.push(trueup::core::plan::LeftOver { id: id(name), why });
            }
            "keep" => plan.deltas.push(delta(rest, Op::Keep)),
            // `theirs=8:www=2`: kept, because infra!8 wrote it.
            "theirs" => {
                let (number, rest) = rest.split_once(':').expect("number:name=value");
                let change = MrId { repo: RepoId::new("infra"), number: number.parse().expect("a number") };
                plan.deltas.push(Delta { reason: Reason::AheadBy(change), ..delta(rest, Op::Keep) });
            }
            "rule" => {
                let (count, by) = rest.split_once(':').unwrap_or((rest, ""));
                let by = by.split(',').filter(|name| !name.is_empty()).map(Into::into).collect();
                let rule = ApprovalRule { when: None, count: count.parse().expect("a count"), by };
                plan.rules.push(MatchedRule { rule, because: "always".into() });
            }
            "window" => policy.window = Span::parse(rest).expect("a span"),
            "claim_ttl" => policy.claim_ttl = Some(Span::parse(rest).expect("a span")),
            "exemption" => policy.exemption = Span::parse(rest).expect("a span"),
            "deadline" => policy.deadline = Span::parse(rest).expect("a span"),
            "max_age" => policy.max_age = Span::parse(rest).expect("a span"),
            "check" => policy.required_checks.push(rest.into()),
            "title" => policy.require.title = Some(rest.into()),
            "start" => policy.start = if rest == "on_command" { StartWhen::OnCommand } else { StartWhen::OnApproval },
            // `probe=/a:www,mail` by policy, `own=/a:www` beside a source; `@3s/12s` after the path: every and window.
            "probe" | "own" => {
                let (what, of) = rest.split_once(':').expect("path:names");
                let (path, times) = what.split_once('@').unwrap_or((what, ""));
                let (every, window) = times.split_once('/').unwrap_or(("", ""));
                let http = serde_json::from_value(serde_json::json!({ "url": format!("http://app{path}") })).expect("a probe");
                let rule = HealthRule { http: Some(http), every: Span::parse(every), window: Span::parse(window), ..HealthRule::default() };
                let probe = rule.probe().expect("one question");
                plan.health.push(Healthy { probe, policy: key == "probe", of: of.split(',').map(id).collect(), place: Place::file("trueup.yaml") });
            }
            "sensitive" => policy.sensitive.push(rest.into()),
            "reviews" => policy.reviews_count = true,
            "freeze" => {
                let (from, until) = rest.split_once("..").expect("from..until in seconds");
                let at = |seconds: &str| trueup::core::model::Time(seconds.parse::<i64>().expect("seconds") * 1000).to_string().into();
                policy.freeze.push(Freeze { from: at(from), until: at(until), reason: "release weekend".into() });
            }
            // `wait=up` for a fact, `wait=/shop` for a probe.
            "wait" => push(&mut plan, Act::Wait(until(rest))),
            "holds" => push(&mut plan, Act::Check(until(rest))),
            "go" => push(&mut plan, Act::Approve { by: ApprovalRule { when: None, count: 1, by: Vec::new() } }),
            "guard" => plan.steps.values_mut().last().expect("a step to guard").guard = Some(until(rest)),
            "stop" => push(&mut plan, Act::Pause),
            // Several writes in one step: `a=1>2+b=->3`.
            _ => {
                let mut writes = Vec::new();
                for one in word.split('+') {
                    let (name, hop) = one.split_once('=').expect("name=from>to");
                    let (from, to) = hop.split_once('>').expect("from>to");
                    plan.deltas.push(Delta { from: value(from), to: value(to), ..delta(name, Op::Update) });
                    writes.push(Write { id: id(name), from: value(from), to: value(to), undo: Undo::To(value(from)) });
                }
                push(&mut plan, Act::Write(writes));
            }
        }
    }
    (Arc::new(plan), Arc::new(policy))
}

/// A fact of `www` that must be at least 1, twice in a row; or a probe of a path, likewise.
fn until(fact: &str) -> Until {
    let http = |path| serde_json::from_value(serde_json::json!({ "url": format!("http://app{path}") })).expect("a probe");
    let probe = fact.starts_with('/').then(|| HealthRule { http: Some(http(fact)), ..HealthRule::default() }.probe().expect("one question"));
    let fact = fact.trim_start_matches('/');
    Until {
        fact: fact.into(),
        of: vec![id("www")],
        test: Test::AtLeast(1),
        samples: 2,
        every: Span::secs(1),
        deadline: Span::secs(5),
        on_deadline: OnDeadline::Stop,
        probe: probe.map(Box::new),
    }
}

fn delta(name: &str, op: Op) -> Delta {
    let (name, now) = name.split_once('=').unwrap_or((name, "1"));
    Delta { id: id(name), op, from: value(now), to: value(now), paths: Vec::new(), sure: Sure::Exact, reason: Reason::MergeRequest, place: Place::file("dns/example.com.yaml") }
}

fn push(plan: &mut Plan, act: Act) {
    let step = StepId(plan.steps.len() as u32 + 1);
    let claims = match &act {
        Act::Write(writes) => writes.iter().map(|write| Claim::Write(write.id.clone())).collect(),
        _ => Vec::new(),
    };
    let made = Step {
        id: step,
        target: "dns".into(),
        unit: Unit::new("example.com."),
        act,
        guard: None,
        proof: Proof::Settled,
        claims,
        deadline: Span(0),
        template: "direct".into(),
        together: None,
    };
    plan.steps.insert(step, made);
}

/// `1>2` for steps, `1.0>2.1` for items, `1>2@30s` after a time, `1>2@healthy` once that is healthy.
fn edge(plan: &mut Plan, text: &str) {
    let (ends, wait) = text.split_once('@').unwrap_or((text, ""));
    let (before, after) = ends.split_once('>').expect("before>after");
    let end = |text: &str| match text.split_once('.') {
        Some((step, item)) => (StepId(step.parse().expect("a step")), Some(item.parse::<u32>().expect("an item"))),
        None => (StepId(text.parse().expect("a step")), None),
    };
    let ((before, from), (after, to)) = (end(before), end(after));
    let needs = if wait.is_empty() {
        Needs::Proven
    } else if wait == "healthy" {
        Needs::Healthy
    } else {
        Needs::Elapsed(Span::parse(wait).expect("a span"))
    };
    let items = from.zip(to).into_iter().collect();
    let reason = EdgeReason::Said { first: id("www"), then: id("mail") };
    plan.edges.push(Edge { before, after, items, needs, reason, place: Place::default() });
}

/// The way back of what was written.
pub fn back(written: &BTreeMap<ResourceId, trueup::core::plan::Written>) -> Arc<Plan> {
    let mut plan = Plan::default();
    for (id, written) in written.iter().filter(|(_, written)| written.before != written.after) {
        let write = Write { id: id.clone(), from: written.after.clone(), to: written.before.clone(), undo: Undo::To(written.after.clone()) };
        plan.deltas.push(Delta {
            id: id.clone(),
            op: Op::Update,
            from: write.from.clone(),
            to: write.to.clone(),
            paths: Vec::new(),
            sure: Sure::Exact,
            reason: Reason::Restores,
            place: Place::default(),
        });
        push(&mut plan, Act::Write(vec![write]));
    }
    Arc::new(plan)
}
