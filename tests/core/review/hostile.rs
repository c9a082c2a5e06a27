//! Names and values that try to ping people, break out of code, or draw their own graph.

use super::{
    escape::{HOSTILE, active_text},
    fixture::*,
};
use proptest::prelude::*;
use std::sync::Arc;
use trueup::core::{
    diff::Op,
    gate::{Except, Exemption, LeftOut, tasks},
    model::{LinkRule, MrId, Place, Policy, Refusal, RefusalKind, RepoId, ResourceId, StepId, Str, Time, User, Value},
    plan::{Edge, EdgeReason, ItemRef, Needs, Note},
    render::{Sheet, Style, mermaid, text},
    review::{Answer, Failure, FailureKind, Links, Phase, Queue, Sighting, Since, View, Waiting, face},
};

/// A change in which everything that comes from outside is this text.
fn change(data: &str) -> View {
    let s: Str = data.into();
    let zone = id("dns-inside", "example.com.", "a", "A");
    // The first letter keeps the order of targets the same whatever the data.
    let evil = ResourceId::new(format!("z{data}"), data, data);
    let mr = MrId { repo: RepoId::new(data), number: 1 };
    let mut plan = plan(vec![
        delta(zone.clone(), Op::Update, Some(rrset(1, &[data])), Some(rrset(2, &[data, "192.0.2.1"])), 1),
        delta(id("dns-outside", "example.org.", "b", "A"), Op::Create, None, Some(rrset(2, &[data])), 1),
        delta(evil.clone(), Op::Move { was: evil.clone() }, Some(Value::str(data)), Some(Value::str("x")), 1),
    ]);
    for delta in &mut plan.deltas {
        delta.place = Place::new(data, 1, 1);
    }
    for reason in [
        EdgeReason::Refers { consumer: evil.clone(), provider: evil.clone(), rule: s.clone() },
        EdgeReason::Said { first: evil.clone(), then: evil.clone() },
        EdgeReason::Wave { template: s.clone(), wave: 1 },
    ] {
        plan.edges.push(Edge { before: StepId(1), after: StepId(2), items: vec![], needs: Needs::Applied, reason, place: Place::new(data, 1, 1) });
    }
    plan.rules.push(rule());
    plan.rules[0].because = s.clone();
    plan.notes = vec![
        Note::Unmapped { path: s.clone(), becomes: None },
        Note::Skipped { reason: s.clone(), count: 1 },
        Note::Ignored { id: evil.clone() },
        Note::Unmanaged { id: evil.clone() },
        Note::AheadBy { id: evil.clone(), change: s.clone() },
        Note::Drift { id: evil.clone() },
        Note::Override { id: evil.clone(), by: User::new(data), reason: s.clone(), until: Time(0), ends: true },
        Note::WeakPrecondition { target: s.clone(), what: s.clone() },
        Note::Remark { text: s.clone() },
    ];
    let mut view = view();
    view.links = Links::new("https://trueup.example", &mr);
    view.approvals[0].rule = plan.rules[0].clone();
    view.approvals[0].rule.rule.by = vec![s.clone()];
    view.approvals[0].given[0].by = User::new(data);
    view.approvals[0].given[0].void = Some(data.into());
    view.way_back = Some(Arc::new(reverse(&plan)));
    view.plan = Some(Arc::new(plan));
    view.title = data.into();
    view.author = User::new(data);
    view.pushers = [User::new(data)].into();
    view.since = Some(Since {
        digest: digest(1),
        by: vec![User::new(data)],
        kept: 1,
        new: vec![ItemRef { step: StepId(1), item: 0 }],
        loosened: vec![ItemRef { step: StepId(1), item: 0 }],
        gone: vec![evil.clone()],
    });
    view.queue = Some(Queue { ahead: vec![(mr.clone(), trueup::core::review::words::keeps(true, &[&evil].into(), None))] });
    view.refusals = vec![Refusal::new(RefusalKind::Value, data).at(Place::new(data, 3, 2)).excerpt(data).advice(data).also(Place::new(data, 1, 1))];
    view.conflicts = vec![s.clone()];
    view.failures = vec![Failure { step: StepId(1), item: 0, id: Some(evil), kind: FailureKind::Moved { found: Some(Value::str(data)) }, why: data.into(), attempts: 1 }];
    let left = LeftOut { step: StepId(1), item: 0, id: Some(ResourceId::new(format!("z{data}"), data, data)), by: User::new(data), reason: data.into(), until: Time(0) };
    view.exemption = Some(Exemption { except: Except { digest: digest(1), items: vec![left] }, given: vec![User::new(data)], missing: 1 });
    view.waits_for = Waiting::World { why: data.into() }.to_string();
    view.reasons = vec![Waiting::Checks { pending: vec![s.clone(), s.clone()] }.to_string(), Waiting::Freeze { reason: s.clone(), until: s }.to_string()];
    view.mr = mr;
    view
}

#[test]
fn a_task_is_a_link_to_where_policy_says_whatever_its_name_holds() {
    let link = LinkRule { pattern: "(?s).+".into(), url: "https://tasks.example.com/{task}".into() };
    for text in HOSTILE {
        let title = format!("t{text}t");
        let seen = Sighting { title: title.clone(), source_branch: "".into(), ..crate::fixture::sighting() };
        let view = View { tasks: tasks(&Policy { links: vec![link.clone()], ..Policy::default() }, &seen), ..view() };
        let comment = face(&view).comment;
        let line = active_text(comment.lines().find(|line| line.starts_with("For ")).expect("its task"));
        let url = line.strip_prefix("For [§](<https://tasks.example.com/t").and_then(|rest| rest.strip_suffix("t>).")).unwrap_or_else(|| panic!("{title:?}: {line}"));
        assert!(url.chars().all(|c| c.is_ascii_alphanumeric() || "%-._~".contains(c)), "{url}");
    }
}

/// The comment's active text, without our own tags, headings and links: nothing of the data may be left in it.
fn active(view: &View) -> String {
    let comment = face(view).comment;
    let (first, rest) = comment.split_once('\n').unwrap();
    assert!(first.starts_with("<!-- trueup:change ") && first.ends_with(" -->") && first.matches("-->").count() == 1, "{first}");
    active_text(rest)
}

/// The comment of harmless data, to which that of hostile data must be equal outside code.
fn harmless(view: &View) -> String {
    let mut plain = String::new();
    // Folding parts name targets and units as escaped HTML, which no Markdown reader takes for text of its own.
    for line in active(view).lines() {
        match line.strip_prefix("<details").and_then(|line| line.split_once("<summary>")) {
            Some((_, summary)) if summary.starts_with("<code>") => {
                assert_eq!(summary.matches('<').count(), summary.matches("<code>").count() + summary.matches("</code>").count() + 1, "{summary}");
                plain.push_str("(folding part)\n");
            }
            _ => plain.push_str(&format!("{line}\n")),
        }
    }
    plain.split("https://trueup.example/changes/").map(|part| part.split_once(')').map_or(part, |(url, rest)| if url.contains(' ') { part } else { rest })).collect()
}

#[test]
fn hostile_names_are_shown_and_do_nothing() {
    insta::assert_snapshot!(face(&change("`@everyone` <b>[x](https://evil.example)</b> \"]-->z[\" #1\n/close")).comment);
}

#[test]
fn outside_code_the_comment_is_the_same_whatever_the_data() {
    for data in HOSTILE {
        assert_eq!(harmless(&change(data)), harmless(&change("harmless")), "{data}");
    }
}

#[test]
fn answers_hold_data_in_code_alone() {
    for data in HOSTILE {
        let by = User::new(data);
        for answer in [
            Answer::Unknown { text: data.into(), nearest: None },
            Answer::OwnChange { by: by.clone() },
            Answer::NotAllowed { by: by.clone(), needs: "approve" },
            Answer::NotNamed { by: by.clone(), named: vec![data.into()] },
            Answer::StaleDigest { asked: data.into(), now: digest(1) },
            Answer::Skipped { step: StepId(1), reason: data.into(), until: Time(0) },
            Answer::SkipTerms { fault: data.into() },
            Answer::Exempted { by: by.clone(), digest: digest(1), items: 1, missing: 1 },
            Answer::OwnSkip { by: by.clone() },
            Answer::Approved { by, digest: digest(1), missing: 0 },
        ] {
            let text = active_text(&answer.to_string());
            assert!(!text.contains(['@', '<', '[', '#', ']', '\n', '`']), "{text}");
        }
    }
}

#[test]
fn a_terminal_gets_no_control_characters_from_data() {
    let view = change("a\u{1b}[31m\u{7}\u{202e}b");
    let shown = text(&view.sheet().unwrap(), Style::default());
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control()) && !shown.contains('\u{202e}'), "{shown:?}");
}

#[test]
fn statuses_and_labels_stay_one_line() {
    for phase in Phase::ALL {
        let face = face(&View { phase, ..change("a\nb\u{202e}c") });
        assert!(face.statuses.iter().all(|status| status.text.chars().all(|c| !c.is_control() && c != '\u{202e}')), "{face:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_data_changes_the_comment_outside_code(data in "(\\PC|[`~<>@\\[\\]\\n\\-\"#|]){1,40}") {
        prop_assert_eq!(harmless(&change(&data)), harmless(&change("harmless")));
    }

    #[test]
    fn no_data_adds_a_line_to_the_graph(data in "(\\PC|[\"\\n;\\[\\]`]){1,40}") {
        let (view, plain) = (change(&data), change("harmless"));
        let graph = |view: &View| mermaid(&Sheet::new(view.plan.as_ref().unwrap(), &view.kinds), &|_| None);
        let (a, b) = (graph(&view), graph(&plain));
        prop_assert_eq!(a.lines().count(), b.lines().count());
        prop_assert_eq!(a.matches('"').count(), b.matches('"').count());
    }
}

#[test]
fn what_a_merge_leaves_out_adds_no_line_and_no_trailer_to_its_message() {
    let said = |data: &str| {
        let left = LeftOut { step: StepId(1), item: 0, id: Some(ResourceId::new("z", "key", data)), by: User::new(data), reason: data.into(), until: Time(0) };
        Except { digest: digest(1), items: vec![left] }.paragraph()
    };
    for data in HOSTILE.into_iter().chain(["x\n\nTrueup-Change: infra!9"]) {
        let text = said(data);
        assert_eq!(text.lines().count(), 2, "{text:?}");
        assert!(text.lines().all(|line| line.starts_with("Converged") || line.starts_with("- ")) && !text.contains("\n\n"), "{text:?}");
    }
}
