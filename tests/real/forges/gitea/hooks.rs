//! Webhooks as a real Gitea makes, signs and sends them, through our door; the sweep comes once an hour, so that only they bring news.

use super::{
    carrier::Carrier,
    town::{Made, Town},
    yard::{EVENTS, HOOK_SECRET, hook_at},
};
use serde_json::{Value, json};

/// A town that hears of its forge by webhooks alone, and who carries them; the hook's number at Gitea.
fn town() -> (Town, Carrier, u64) {
    let forge = "    webhook_secret: { file: hook.secret }\n".to_owned();
    let town = Town::made(Made { sweep: "1h", forge, ..Made::default() });
    let carrier = Carrier::start(&town.hooks());
    let hook = hook(&town, &carrier, HOOK_SECRET);
    (town, carrier, hook)
}

fn hook(town: &Town, carrier: &Carrier, secret: &str) -> u64 {
    hook_at(&town.project, &carrier.url, secret)
}

fn deliveries(town: &Town, outcome: &str) -> u64 {
    town.number("trueup_webhook_deliveries_total", &format!("outcome=\"{outcome}\""))
}

#[test]
fn a_pull_request_merges_on_what_giteas_own_webhooks_tell() {
    let (town, carrier, _) = town();
    let (number, _) = town.propose("move-www", "192.0.2.101");
    town.until_asked(number);
    town.approve(number, "ben");
    town.until_phase(number, "merged");
    assert!(town.main_holds("192.0.2.101") && town.live().iter().any(|line| line.ends_with("A 192.0.2.101")));
    let events: Vec<String> = carrier.letters().iter().map(|letter| letter.event().to_owned()).collect();
    assert!(["push", "pull_request", "issue_comment"].iter().all(|event| events.iter().any(|found| found == event)), "{events:?}");
    assert!(deliveries(&town, "kept") >= 3);
    assert_eq!(["forged", "unsigned", "unreadable", "no_secret"].map(|outcome| deliveries(&town, outcome)), [0; 4], "each was genuine and understood");
    assert_eq!(town.number("trueup_news_swept_total", ""), 0, "the sweep had nothing to add");
}

#[test]
fn what_is_forged_is_refused_what_is_repeated_is_known_and_neither_changes_anything() {
    let (town, carrier, hook) = town();
    let (number, _) = town.propose("move-www", "192.0.2.102");
    town.until_asked(number);
    town.until("a delivery of each", |_| carrier.letters().iter().any(|letter| letter.event() == "pull_request"));
    let genuine = carrier.letters().into_iter().find(|letter| letter.event() == "pull_request").expect("it came");
    town.until("the first of them on disk", |town| deliveries(town, "kept") > 0);
    assert_eq!(carrier.brings(&genuine), 200, "it came before");
    assert!(deliveries(&town, "known") >= 1);
    // Another's words under Gitea's signature, and no signature at all.
    let mut forged = genuine.clone();
    forged.body = String::from_utf8_lossy(&genuine.body).replace("move-www", "move-mmm").into_bytes().into();
    forged.headers.insert("x-gitea-delivery", "11111111-2222-3333-4444-555555555555".parse().expect("a header"));
    let mut unsigned = genuine.clone();
    for name in ["x-gitea-signature", "x-forgejo-signature", "x-gogs-signature", "x-hub-signature", "x-hub-signature-256"] {
        unsigned.headers.remove(name);
    }
    unsigned.headers.insert("x-gitea-delivery", "21111111-2222-3333-4444-555555555555".parse().expect("a header"));
    assert_eq!([carrier.brings(&forged), carrier.brings(&unsigned)], [401, 401]);
    assert_eq!((deliveries(&town, "forged"), deliveries(&town, "unsigned")), (1, 1));
    // A hook that somebody set up with another secret brings nothing, whatever Gitea signs.
    town.project.ask("trueup", "PATCH", &format!("/hooks/{hook}"), Some(json!({ "active": false, "events": EVENTS })));
    self::hook(&town, &carrier, "another secret than the one that is configured");
    let second = town.propose_mail("move-mail", "192.0.2.103");
    town.until("what Gitea signed wrongly", |town| deliveries(town, "forged") > 1);
    assert_eq!(town.show(second), Value::Null, "nobody looked for it");
    town.project.ask("trueup", "PATCH", &format!("/hooks/{hook}"), Some(json!({ "active": true, "events": EVENTS })));
    town.comment(second, "ana", "hello?");
    town.until_asked(second);
}

#[test]
fn what_a_lost_webhook_told_is_found_by_the_sweep_and_counted() {
    let (mut town, carrier, hook) = town();
    town.reconfigure("sweep: 1h", "sweep: 2s");
    let (first, _) = town.propose("move-www", "192.0.2.104");
    town.until_asked(first);
    carrier.loses(true);
    town.approve(first, "ben");
    town.until_phase(first, "merged");
    town.until("the count of what was lost", |town| town.number("trueup_news_swept_total", "") > 0);
    // How late news is, is told of both ways in which it comes.
    for by in ["webhook", "sweep"] {
        assert!(town.number("trueup_news_late_seconds_count", &format!("by=\"{by}\"")) > 0, "{by}");
    }
    let told = carrier.letters().len();
    // The same where Gitea sends nothing any more.
    town.project.ask("trueup", "PATCH", &format!("/hooks/{hook}"), Some(json!({ "active": false, "events": EVENTS })));
    let second = town.propose_mail("move-mail", "192.0.2.105");
    town.until_asked(second);
    town.approve(second, "ben");
    town.until_phase(second, "merged");
    assert!(town.main_holds("192.0.2.105") && carrier.letters().len() >= told);
}

#[test]
fn of_a_burst_nothing_is_lost_and_nothing_is_answered_twice() {
    let (town, carrier, _) = town();
    let (number, _) = town.propose("move-www", "192.0.2.106");
    town.until_asked(number);
    let questions = 30;
    std::thread::scope(|scope| {
        for n in 0..questions {
            let town = &town;
            scope.spawn(move || town.project.ask("ana", "POST", &format!("/issues/{number}/comments"), Some(json!({ "body": format!("{n}\n/trueup help") }))));
        }
    });
    let head = town.push("move-www", "192.0.2.107");
    town.until("all answers and the plan of the last push", |town| town.answers(number) >= questions && town.show(number)["head"] == head.as_str());
    // All of it again, at once, in whatever order.
    let letters = carrier.letters();
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let brought: Vec<_> = letters.iter().rev().map(|letter| scope.spawn(|| carrier.brings(letter))).collect();
        brought.into_iter().map(|one| one.join().expect("it is brought")).collect()
    });
    assert!(answers.iter().all(|status| *status == 200), "each was known: {answers:?}");
    town.until_asked(number);
    town.approve(number, "ben");
    town.until_phase(number, "merged");
    assert!(town.main_holds("192.0.2.107"));
    assert_eq!(town.answers(number), questions + usize::from(town.answers(number) > questions), "one answer a question, and at most one to the approval");
}
