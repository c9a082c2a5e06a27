//! The pages: what they show, and that data does nothing on them.

mod browser;
#[path = "../../core/review/fixture.rs"]
mod fixture;
mod site;

use fixture::*;
use trueup::{
    app::service::{CommentRow, StatusRow},
    core::{
        diff::Op,
        model::{HealthRule, MrId, Place, Refusal, RefusalKind, RepoId, ResourceId, StepId, Time, User, Value},
        plan::Healthy,
        review::{CommentId, Failure, FailureKind, ItemState, Links, Phase, View, Waiting, words},
        run::{Card, ClaimAnswer, Event},
    },
    web::pages::{self, FormError, Reader, Record},
};

fn anna() -> Reader {
    Reader { who: Some(User::new("anna")), halted: false }
}

fn events() -> Vec<Event> {
    vec![
        Event::LookAsked,
        Event::Started { at: Time(1_763_700_000_000) },
        Event::Claimed { n: 1, answer: ClaimAnswer::Granted },
        Event::Skipped { step: StepId(2), by: User::new("@all"), reason: "<b>".into(), until: None, at: None },
    ]
}

/// The sticky comment, one by a person, and the answer to it.
fn comments(said: &str) -> Vec<CommentRow> {
    let row = |id, by: &str, body: &str, to, sticky| CommentRow { id: CommentId(id), by: User::new(by), body: body.into(), at: Time(1_763_700_000_000), to, sticky };
    vec![
        row(1, "trueup", "the plan again", None, true),
        row(2, "bert", said, None, false),
        row(3, "trueup", "There is no plan to approve now.\n\nSay `/trueup help`.", Some(CommentId(2)), false),
    ]
}

/// One of ours, which the page shows from the view, and one of another program.
fn statuses(said: &str) -> Vec<StatusRow> {
    let row = |context: &str| StatusRow { context: context.into(), state: "success".into(), text: said.into() };
    vec![row("trueup/plan"), row(said)]
}

fn failed() -> View {
    let mut view = View { phase: Phase::Failed, waits_for: Waiting::Failed { items: 1, blocked: 1, wrote: true }.to_string(), ..view() };
    view.steps = all(&view, ItemState::Proven);
    view.steps[1].items[0] = ItemState::Failed;
    view.times.started = Some(Time(1));
    view.written = 2;
    view.failures =
        vec![Failure { step: StepId(2), item: 0, id: Some(id("dns-inside", "example.org.", "lb", "A")), kind: FailureKind::GaveUp, why: "no answer".into(), attempts: 3 }];
    view
}

/// The page without its style and script, which the snapshots need not repeat.
fn body(page: &str) -> &str {
    page.split_once("<body>").unwrap().1.split("<script>").next().unwrap()
}

#[test]
fn what_must_be_healthy_before_the_merge_is_on_the_page_of_who_approves_it() {
    let mut view = view();
    let mut plan = view.plan.as_deref().expect("it has one").clone();
    let rule: HealthRule = serde_json::from_value(serde_json::json!({ "http": { "url": "http://shop.test/<b>", "at": "192.0.2.1" } })).expect("it is one");
    let probe = rule.probe().expect("it asks one thing");
    plan.health = vec![Healthy { probe, policy: false, of: [id("dns-inside", "example.org.", "lb", "A")].into(), place: Place::new("zones/a.yaml", 7, 3) }];
    view.plan = Some(plan.into());
    let page = pages::change(&view, Record::default(), &anna());
    let healthy = page.split_once("<h3>Healthy when</h3>").expect("the page says it").1.split_once("</ul>").expect("it is a list").0;
    assert!(healthy.contains("at 192.0.2.1 answers 200") && healthy.contains("shop.test") && !healthy.contains("<b>"), "{healthy}");
    assert!(!pages::change(&self::view(), Record::default(), &anna()).contains("Healthy when"), "nothing is said where nothing is asked");
}

#[test]
fn a_change_shows_state_order_approvals_plan_and_journal() {
    insta::assert_snapshot!(body(&pages::change(
        &view(),
        Record {
            journal: &words::journal(&events()),
            comments: &comments("thanks"),
            statuses: &statuses("ci/lint"),
            description: "Moves the shop.\n\nDepends-On: !6",
            labels: &["incident".to_owned()]
        },
        &anna()
    )));
}

#[test]
fn a_failed_change_offers_the_three_ways_on() {
    let page = pages::live(&failed(), Record::default(), &anna());
    for command in ["retry", "restore", "skip"] {
        assert!(page.contains(&format!(r#"name="command" value="{command}""#)), "{command} in {page}");
    }
    assert!(page.contains(r#"action="/changes/infra%2Fdns/7/command""#), "{page}");
}

#[test]
fn whoever_is_not_signed_in_or_pushed_sees_no_approve_button() {
    let approve = r#"name="command" value="approve""#;
    let view = view();
    assert!(pages::live(&view, Record::default(), &anna()).contains(approve));
    let stranger = pages::live(&view, Record::default(), &Reader::default());
    assert!(!stranger.contains("<form") && stranger.contains("/login?next=/changes/infra%252Fdns/7"), "{stranger}");
    let author = Reader { who: Some(User::new("dora")), halted: false };
    assert!(!pages::live(&view, Record::default(), &author).contains(approve));
}

#[test]
fn every_phase_has_a_page() {
    for phase in Phase::ALL {
        let page = pages::change(&View { phase, ..failed() }, Record::default(), &anna());
        assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"), "{page}");
        assert!(page.contains(&format!(r#"class="phase {phase}""#)));
    }
    let bare = View::new(view().mr, view().links);
    assert!(pages::change(&bare, Record::default(), &Reader::default()).trim_end().ends_with("</html>"));
}

#[test]
fn the_list_puts_what_waits_for_people_first() {
    let card = |number, phase, updated| Card {
        mr: MrId { repo: RepoId::new("infra"), number },
        phase,
        title: format!("change <{number}>"),
        draft: false,
        waits_for: "Waiting for `anna`.".into(),
        head: None,
        base: None,
        next_wake: None,
        outstanding: false,
        ahead: false,
        overdue: false,
        updated: Time(updated),
    };
    let cards = [card(1, Phase::Merged, 9000), card(2, Phase::Rolling, 1000), card(3, Phase::AwaitingApproval, 1000), card(4, Phase::Failed, 5000)];
    let page = pages::changes(&cards, &Reader { who: None, halted: true });
    let order: Vec<usize> = [4, 3, 2, 1].iter().map(|n| page.find(&format!("change &lt;{n}&gt;")).unwrap()).collect();
    assert!(order.is_sorted(), "{page}");
    assert!(page.contains("halted"));
    insta::assert_snapshot!(body(&page));
    assert!(pages::changes(&[], &Reader::default()).contains("No open change"));
}

/// A page of which everything that comes from outside is this text.
fn hostile(data: &str) -> View {
    let evil = ResourceId::new(data, data, data);
    let mut plan = plan(vec![delta(evil.clone(), Op::Update, Some(Value::str(data)), Some(Value::str("x")), 1)]);
    plan.deltas[0].place = Place::new(data, 1, 1);
    plan.notes = vec![trueup::core::plan::Note::Unmapped { path: data.into(), becomes: None }];
    let mr = MrId { repo: RepoId::new(data), number: 1 };
    let mut view = failed();
    view.links = Links::new("", &mr);
    view.mr = mr;
    view.title = data.into();
    view.author = User::new(data);
    view.source_branch = data.into();
    view.waits_for = Waiting::World { why: data.into() }.to_string();
    view.conflicts = vec![data.into()];
    view.refusals = vec![Refusal::new(RefusalKind::Value, data).at(Place::new(data, 1, 1)).excerpt(data).advice(data)];
    view.failures[0].why = data.into();
    view.failures[0].id = Some(evil);
    view.plan = Some(std::sync::Arc::new(plan));
    view
}

/// The tags of a page, without what is in quotes.
fn tags(page: &str) -> Vec<String> {
    page.split('<').skip(1).map(|part| part.split('>').next().unwrap_or("").split('"').step_by(2).collect::<Vec<_>>().join("")).collect()
}

#[test]
fn no_data_adds_a_tag_or_an_attribute() {
    let harmless = tags(body(&pages::change(&hostile("harmless"), Record::default(), &anna())));
    for data in
        ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onclick='x", "</pre></details>", "{{ frame.style }}{% raw %}", "`<b>`", "\u{202e}x\u{0}\u{1b}[31m"]
    {
        let page = pages::change(
            &hostile(data),
            Record { journal: &words::journal(&events()), comments: &comments(data), statuses: &statuses(data), description: data, labels: &[data.to_owned()] },
            &anna(),
        );
        let plain = pages::change(
            &hostile("harmless"),
            Record {
                journal: &words::journal(&events()),
                comments: &comments("harmless"),
                statuses: &statuses("harmless"),
                description: "harmless",
                labels: &["harmless".to_owned()],
            },
            &anna(),
        );
        assert_eq!(tags(body(&page)), tags(body(&plain)), "{data}");
        assert!(page.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{data}");
    }
    assert!(harmless.len() > 50);
}

#[test]
fn a_sensitive_value_is_on_no_page() {
    let mut view = failed();
    view.sensitive = vec!["*/rrset/example.org./**".into()];
    let page = pages::change(&view, Record::default(), &anna());
    assert!(page.contains("(sensitive)") && !page.contains("192.0.2.2") && !page.contains("192.0.2.3"));
}

#[test]
fn after_signing_in_one_stays_on_this_server() {
    for (next, kept) in [("/changes/infra/7", true), ("//evil.example", false), ("https://evil.example", false), ("/\\evil.example", false)] {
        assert_eq!(pages::login(next, None).contains(&format!(r#"name="next" value="{next}""#)), kept, "{next}");
    }
    assert!(pages::login("/", Some("this token is not known; ask an operator for one")).contains("this token is not known"));
    assert!(pages::fault(404, "no such change", &anna()).contains("no such change"));
}

#[test]
fn only_our_own_script_and_style_run() {
    let policy = pages::content_security_policy();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    let page = pages::change(&view(), Record::default(), &anna());
    assert!(!page.contains(" style=") && !page.contains(" onclick=") && !page.contains("src="), "inline code would not run under the policy");
}

#[test]
fn a_button_is_a_command_and_an_approval_names_its_digest() {
    let form = |fields: &[(&str, &str)]| pages::command(&fields.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect::<Vec<_>>());
    let digest = "ab".repeat(32);
    assert_eq!(form(&[("command", "approve"), ("digest", &digest)]), Ok(trueup::core::review::Command::Approve { digest: Some(digest.clone()), steps: vec![] }));
    assert_eq!(form(&[("command", "approve"), ("digest", "")]), Err(FormError::NoDigest));
    assert_eq!(form(&[("command", "skip"), ("step", "2"), ("reason", " gone ")]), Ok(trueup::core::review::Command::Skip { step: StepId(2), until: None, reason: "gone".into() }));
    assert_eq!(form(&[("command", "skip"), ("step", "2"), ("reason", " ")]), Err(FormError::NoReason));
    assert_eq!(form(&[("command", "explode")]), Err(FormError::Unknown));
    assert_eq!(form(&[("command", "pause"), ("digest", &digest)]), Ok(trueup::core::review::Command::Pause));
}
