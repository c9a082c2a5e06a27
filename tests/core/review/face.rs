//! The face of a change in every phase.

use super::fixture::*;
use std::{collections::BTreeMap, sync::Arc};
use trueup::core::{
    diff::Op,
    gate::{Except, Exemption, LeftOut, obstacle},
    model::{ApprovalRule, CommitId, MrId, Place, Refusal, RefusalKind, RepoId, Span, StepId, Str, Time, User},
    plan::{ItemRef, Plan},
    review::{
        Direction, Face, Failure, FailureKind, HealthView, ItemState, Left, MOST_CHARS, Phase, Queue, Since, View, Waiting, face,
        words::{self, Mend},
    },
};

/// The face as a reader sees it.
fn shown(face: &Face) -> String {
    let mut out = face.comment.clone();
    out.push_str("\n=== statuses and labels\n");
    for status in &face.statuses {
        out.push_str(&format!("{} {:?}: {}\n", status.context, status.state, status.text));
    }
    for label in &face.labels {
        out.push_str(&format!("label {}\n", label.0));
    }
    out
}

fn with(phase: Phase, waiting: Waiting, change: impl FnOnce(&mut View)) -> String {
    let mut view = View { phase, waits_for: waiting.to_string(), ..view() };
    change(&mut view);
    shown(&face(&view))
}

fn approved(view: &mut View) {
    view.approvals[0].missing = 0;
}

fn bare(view: &mut View) {
    (view.plan, view.digest, view.way_back) = (None, None, None);
    view.approvals.clear();
}

#[test]
fn planning() {
    insta::assert_snapshot!(with(Phase::Planning, Waiting::Plan, bare));
}

#[test]
fn awaiting_approval() {
    let by: Vec<Str> = vec!["bert".into(), "cleo".into()];
    insta::assert_snapshot!(with(Phase::AwaitingApproval, Waiting::Approvals { missing: 1, by, digest: digest(0xab), cannot: None }, |view| {
        view.since = Some(Since {
            digest: digest(1),
            by: vec![User::new("anna")],
            kept: 3,
            new: vec![ItemRef { step: StepId(2), item: 0 }],
            loosened: vec![ItemRef { step: StepId(1), item: 0 }],
            gone: vec![id("dns-inside", "example.com.", "x", "A")],
        });
    }));
}

#[test]
fn queued() {
    let ahead = MrId { repo: RepoId::new("infra/dns"), number: 5 };
    insta::assert_snapshot!(with(Phase::Queued, Waiting::Claims { ahead: vec![ahead.clone()] }, |view| {
        approved(view);
        view.queue = Some(Queue { ahead: vec![(ahead, "holds `dns-inside/rrset/example.com./www/CNAME`".into())] });
    }));
}

#[test]
fn rolling() {
    insta::assert_snapshot!(with(Phase::Rolling, Waiting::Rolling { done: 1, all: 5 }, |view| {
        approved(view);
        view.steps = all(view, ItemState::Waiting);
        view.steps[1].items[0] = ItemState::Proven;
        view.steps[2].items[0] = ItemState::Acting;
    }));
}

#[test]
fn verifying() {
    insta::assert_snapshot!(with(Phase::Verifying, Waiting::Samples { taken: 3, needed: 10, every: Span::secs(1) }, |view| {
        approved(view);
        view.steps = all(view, ItemState::Proven);
        view.health = Some(HealthView {
            samples: 3,
            needed: 10,
            every: Span::secs(1),
            unhealthy: vec![(id("dns-inside", "example.com.", "www", "CNAME"), "ns2 answers with the old record".into())],
        });
    }));
}

#[test]
fn merging() {
    insta::assert_snapshot!(with(Phase::Merging, Waiting::Merge, |view| {
        approved(view);
        view.steps = all(view, ItemState::Proven);
    }));
}

#[test]
fn merged() {
    let commit = CommitId::new("3333333333333333333333333333333333333333");
    insta::assert_snapshot!(with(Phase::Merged, Waiting::Merged { commit: commit.clone(), with: None }, |view| {
        approved(view);
        view.steps = all(view, ItemState::Proven);
        view.merged = Some(commit);
    }));
}

#[test]
fn empty() {
    insta::assert_snapshot!(with(Phase::Empty, Waiting::Approvals { missing: 1, by: vec![], digest: digest(0xab), cannot: None }, |view| {
        let keep = small().deltas.into_iter().filter(|delta| delta.op == Op::Keep).collect();
        view.plan = Some(Arc::new(plan(keep)));
        view.way_back = None;
    }));
}

#[test]
fn refused() {
    insta::assert_snapshot!(with(Phase::Refused, Waiting::Refused(Mend { push: 2, ..Mend::default() }), |view| {
        bare(view);
        view.refusals = vec![
            Refusal::new(RefusalKind::Schema, "unknown field `valeu`")
                .at(Place::new("dns/example.com.yaml", 12, 5))
                .excerpt("    valeu: 192.0.2.1")
                .advice("did you mean `value`?"),
            Refusal::new(RefusalKind::Overlap, "two files claim `www.example.com A`").at(Place::new("dns/a.yaml", 3, 1)).also(Place::new("dns/b.yaml", 9, 1)),
        ];
    }));
}

#[test]
fn freed() {
    let waiting = Waiting::Freed { by: User::new("anna"), reason: "the pool is gone".into(), left: 2, open: true };
    insta::assert_snapshot!(with(Phase::Failed, waiting, |view| {
        view.approvals[0].given.clear();
        let old = Some(rrset(300, &["old.example.org."]));
        view.given_up = vec![
            Left { id: id("dns-inside", "example.com.", "api", "A"), before: None, after: Some(rrset(300, &["192.0.2.10"])) },
            Left { id: id("dns-inside", "example.com.", "www", "CNAME"), before: old, after: Some(rrset(60, &["lb.example.org."])) },
        ];
    }));
}

#[test]
fn a_rule_that_nobody_can_satisfy_is_told() {
    let barred = |user: &User| user.as_str() == "dora";
    let approvers = ["anna", "dora"].map(User::new).into();
    let why = obstacle(&rule().rule, &approvers, &barred).map(|found| words::obstacle(&found)).unwrap();
    let stuck = Waiting::Approvals { missing: 1, by: rule().rule.by, digest: digest(0xab), cannot: Some(why.clone()) };
    insta::assert_snapshot!(with(Phase::AwaitingApproval, stuck, |view| view.approvals[0].cannot = Some(why)));
}

#[test]
fn who_may_not_approve_here_and_whose_change_it_is_cannot_satisfy_a_rule() {
    let rule = |count, by: &[&str]| ApprovalRule { when: None, count, by: by.iter().map(|name| (*name).into()).collect() };
    let approvers = ["anna", "bert", "dora"].map(User::new).into();
    let dora = |user: &User| user.as_str() == "dora";
    let told = |rule: ApprovalRule| obstacle(&rule, &approvers, &dora).map(|found| words::obstacle(&found));
    assert_eq!(told(rule(2, &[])), None, "anna and bert can");
    assert_eq!(told(rule(1, &["bert", "nobody"])), None, "one of them is enough");
    insta::assert_snapshot!(told(rule(3, &[])).unwrap(), @"only `anna` and `bert` can give one: `dora` opened it or pushed commits of it; mend the rule on the base branch, or let the server's operator give somebody else the right");
    insta::assert_snapshot!(told(rule(1, &["dora"])).unwrap(), @"nobody can give one: `dora` opened it or pushed commits of it; mend the rule on the base branch, or let the server's operator give somebody else the right");
    insta::assert_snapshot!(told(rule(1, &["@sre"])).unwrap(), @"nobody can give one: `@sre` may not approve in this repository; mend the rule on the base branch, or let the server's operator give somebody else the right");
    insta::assert_snapshot!(told(rule(3, &["anna", "bert"])).unwrap(), @"only `anna` and `bert` can give one: it takes 3 people; mend the rule on the base branch, or let the server's operator give somebody else the right");
}

#[test]
fn conflicted() {
    insta::assert_snapshot!(with(Phase::Conflicted, Waiting::Conflicts { paths: 1 }, |view| {
        bare(view);
        view.conflicts = vec!["dns/example.com.yaml".into()];
    }));
}

#[test]
fn paused() {
    insta::assert_snapshot!(with(Phase::Paused, Waiting::Paused { by: Some(User::new("anna")), in_flight: vec![StepId(2)], running: true, wrote: false }, |view| {
        approved(view);
        view.steps = all(view, ItemState::Waiting);
        view.steps[1].items[0] = ItemState::Acting;
    }));
}

#[test]
fn failed() {
    insta::assert_snapshot!(with(Phase::Failed, Waiting::Failed { items: 2, blocked: 1, wrote: true }, |view| {
        approved(view);
        view.written = 2;
        view.steps = all(view, ItemState::Proven);
        view.steps[0].items[1] = ItemState::Blocked { by: ItemRef { step: StepId(2), item: 0 } };
        view.steps[1].items[0] = ItemState::Failed;
        view.steps[2].items[0] = ItemState::Failed;
        view.failures = vec![
            Failure {
                step: StepId(2),
                item: 0,
                id: Some(id("dns-inside", "example.org.", "lb", "A")),
                kind: FailureKind::Moved { found: Some(rrset(300, &["203.0.113.9"])) },
                why: "prerequisite failed: NXRRSET".into(),
                attempts: 1,
            },
            Failure { step: StepId(3), item: 0, id: Some(id("dns-outside", "example.com.", "api", "A")), kind: FailureKind::GaveUp, why: "no answer in 5s".into(), attempts: 7 },
        ];
    }));
}

/// Two items that were skipped, one of them in a step that writes nothing.
fn except() -> Except {
    let item = |step, id| LeftOut { step: StepId(step), item: 0, id, by: User::new("bert"), reason: "the key comes on monday".into(), until: Time(1_764_000_000_000) };
    Except::of(digest(1), vec![item(2, Some(id("dns-inside", "example.org.", "lb", "A"))), item(3, None)])
}

#[test]
fn an_exemption_is_asked_for() {
    let except = except();
    let waiting = Waiting::Exemption { items: 2, missing: 1, digest: except.digest, until: except.until(), failed: true, wrote: true };
    insta::assert_snapshot!(with(Phase::Failed, waiting, |view| {
        approved(view);
        view.written = 2;
        view.steps = all(view, ItemState::Proven);
        view.steps[1].items[0] = ItemState::Skipped { by: User::new("bert"), reason: "the key comes on monday".into() };
        view.exemption = Some(Exemption { except: except.clone(), given: Vec::new(), missing: 1 });
    }));
}

#[test]
fn merged_with_an_exemption() {
    let (except, commit) = (except(), CommitId::new("fedcba9876543210fedcba9876543210fedcba98"));
    let waiting = Waiting::Exempted { items: 2, then: Box::new(Waiting::Merged { commit: commit.clone(), with: None }) };
    insta::assert_snapshot!(with(Phase::Merged, waiting, |view| {
        approved(view);
        view.steps = all(view, ItemState::Proven);
        view.steps[1].items[0] = ItemState::Skipped { by: User::new("bert"), reason: "the key comes on monday".into() };
        view.merged = Some(commit);
        view.exemption = Some(Exemption { except, given: vec![User::new("cleo")], missing: 0 });
    }));
}

#[test]
fn restoring() {
    insta::assert_snapshot!(with(Phase::Restoring, Waiting::Restoring { done: 0, all: 5 }, |view| {
        approved(view);
        view.direction = Direction::Back;
        view.plan = view.way_back.take();
        view.steps = all(view, ItemState::Waiting);
    }));
}

#[test]
fn restored() {
    insta::assert_snapshot!(with(Phase::Restored, Waiting::Restored, |view| {
        view.direction = Direction::Back;
        view.plan = view.way_back.take();
        view.approvals.clear();
        view.steps = all(view, ItemState::Proven);
    }));
}

#[test]
fn closed() {
    insta::assert_snapshot!(with(Phase::Closed, Waiting::ClosedHolding { written: 2 }, |view| {
        approved(view);
        view.written = 2;
    }));
}

#[test]
fn every_phase_has_four_statuses_of_one_line_and_one_label() {
    for phase in Phase::ALL {
        let face = face(&View { phase, waits_for: "x".repeat(5000), ..view() });
        assert_eq!(face.statuses.iter().map(|status| &*status.context).collect::<Vec<_>>(), ["trueup/plan", "trueup/approval", "trueup/rollout", "trueup/converged"]);
        assert!(face.statuses.iter().all(|status| status.text.chars().count() <= 140 && !status.text.contains('\n')));
        assert_eq!(face.labels.len(), 1);
    }
}

#[test]
fn only_a_merged_or_merging_change_is_called_converged() {
    for phase in Phase::ALL {
        let face = face(&View { phase, ..view() });
        let green = face.statuses[3].state == trueup::core::review::StatusState::Success;
        assert_eq!(green, matches!(phase, Phase::Merging | Phase::Merged), "{phase}");
    }
}

/// 20,000 writes in twenty zones.
fn big() -> Plan {
    let deltas = (0..20_000).map(|n| delta(id("dns-inside", &format!("zone{}.example.", n % 20), &format!("host{n}"), "A"), Op::Create, None, Some(rrset(300, &["192.0.2.1"])), n));
    plan(deltas.collect())
}

#[test]
fn a_plan_of_20_000_writes_fits_and_says_how_many_are_left_out() {
    let plan = big();
    let view = View { way_back: Some(Arc::new(reverse(&plan))), plan: Some(Arc::new(plan)), ..view() };
    let comment = face(&view).comment;
    let chars = comment.chars().count();
    assert!((MOST_CHARS - 8000..=MOST_CHARS).contains(&chars), "{chars}");
    let left: Vec<usize> = comment.lines().filter_map(|line| line.strip_prefix("… and ")?.split(' ').next()?.parse().ok()).collect();
    let shown = comment.lines().filter(|line| line.starts_with("+ create ")).count();
    assert_eq!(shown + left[0], 20_000);
    assert!(comment.contains("more, see [the full plan](https://trueup.example/changes/infra%2Fdns/7#plan)"));
    insta::assert_snapshot!(
        comment.lines().map(|line| format!("{line}\n")).enumerate().filter(|(n, _)| *n < 30 || *n + 40 > comment.lines().count()).map(|(_, line)| line).collect::<String>()
    );
}

#[test]
fn huge_values_and_many_faults_still_fit() {
    let long = "x".repeat(65_000);
    let many: Vec<String> = (0..3000).map(|n| format!("192.0.2.{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut view = view();
    view.plan = Some(Arc::new(plan(vec![
        delta(id("dns-inside", "example.com.", "a", "TXT"), Op::Create, None, Some(rrset(1, &[&long])), 1),
        delta(id("dns-inside", "example.com.", "b", "A"), Op::Create, None, Some(rrset(1, &many)), 1),
    ])));
    view.refusals = (0..5000).map(|n| Refusal::new(RefusalKind::Value, long.as_str()).at(Place::new(long.as_str(), n, 3)).excerpt(long.as_str()).advice(long.as_str())).collect();
    view.conflicts = vec![long.as_str().into(); 5000];
    view.reasons = vec![Waiting::Checks { pending: vec![long.as_str().into(); 5000] }.to_string(); 50];
    view.failures = vec![Failure { step: StepId(1), item: 0, id: None, kind: FailureKind::Refused, why: long.clone(), attempts: 1 }; 5000];
    view.queue = Some(Queue { ahead: vec![(view.mr.clone(), "holds much".into()); 5000] });
    view.waits_for = Waiting::ChecksFailed { failed: vec![long.as_str().into(); 5000] }.to_string();
    view.approvals = vec![view.approvals[0].clone(); 500];
    let chars = face(&view).comment.chars().count();
    assert!(chars <= MOST_CHARS, "{chars}");
}

#[test]
fn sensitive_values_appear_nowhere() {
    let mut view = view();
    view.sensitive = vec!["*/rrset/example.org./**".into()];
    view.steps = all(&view, ItemState::Proven);
    view.failures = vec![Failure {
        step: StepId(2),
        item: 0,
        id: Some(id("dns-inside", "example.org.", "lb", "A")),
        kind: FailureKind::Moved { found: Some(rrset(1, &["192.0.2.77"])) },
        why: "moved".into(),
        attempts: 1,
    }];
    let (comment, json) = (face(&view).comment, serde_json::to_string(&view).unwrap());
    let text = trueup::core::render::text(&view.sheet().unwrap(), Default::default());
    for out in [&comment, &json, &text] {
        for value in ["192.0.2.1\"", "192.0.2.2", "192.0.2.3", "192.0.2.77"] {
            assert!(!out.contains(value), "{value} in {out}");
        }
        assert!(out.contains("sensitive"));
    }
}

#[test]
fn the_json_of_a_change_is_documented_field_by_field() {
    let json = view().json();
    let doc = include_str!("../../../src/core/review/json.rs").lines().take_while(|line| line.starts_with("//!")).collect::<String>();
    for key in json.as_object().unwrap().keys() {
        assert!(doc.contains(&format!("`{key}`")), "{key} is not documented");
    }
    assert_eq!(json["version"], 1);
    let counts: BTreeMap<String, u64> = serde_json::from_value(json["plan"]["summary"].clone()).unwrap();
    assert_eq!((counts["create"], counts["update"], counts["delete"], counts["keep"]), (2, 2, 1, 1));
}
