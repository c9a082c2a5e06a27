//! One merge request on a real Gitea through the whole server: each story ends with what BIND and the forge hold.

use super::town::Town;
use base64::Engine as _;
use serde_json::json;

#[test]
fn a_pull_request_merges_when_the_name_server_holds_it() {
    let town = Town::start();
    let (number, head) = town.propose("move-www", "192.0.2.77");
    town.until_asked(number);
    let plan = town.sticky(number);
    assert!(plan.contains("192.0.2.77") && plan.contains("www."), "the plan stands in the comment: {plan}");
    town.until("the statuses", |town| town.status(&head, "trueup/plan").0 == "success" && town.status(&head, "trueup/converged").0 == "pending");
    assert!(!town.live().iter().any(|line| line.ends_with("A 192.0.2.77")), "nothing is written before the approval");
    town.approve(number, "ben");
    town.until_phase(number, "merged");
    assert!(town.live().iter().any(|line| line.starts_with("www.") && line.ends_with("A 192.0.2.77")), "{:?}", town.live());
    let pull = town.pull(number);
    assert_eq!((pull["merged"].as_bool(), pull["merged_by"]["login"].as_str()), (Some(true), Some("trueup")));
    town.until("the last statuses", |town| town.status(&head, "trueup/converged").0 == "success" && town.status(&head, "trueup/rollout").0 == "success");
    assert!(town.main_holds("192.0.2.77"));
    town.until("the last label", |town| town.labels(number).iter().any(|label| label == "trueup: merged"));
}

#[test]
fn nobody_approves_what_is_theirs_and_strangers_approve_nothing() {
    let town = Town::start();
    let (number, _) = town.propose("move-www", "192.0.2.78");
    town.until_asked(number);
    town.comment(number, "ana", "/trueup approve");
    town.until("an answer to ana", |town| town.answers(number) == 1);
    town.comment(number, "mallory", "/trueup approve");
    town.until("an answer to mallory", |town| town.answers(number) == 2);
    assert_eq!(town.phase(number), "awaiting_approval");
    town.comment(number, "ana", "> /trueup approve\n\nsaid ben");
    town.approve(number, "ben");
    town.until_phase(number, "merged");
}

#[test]
fn an_approval_stands_for_what_was_approved_and_a_push_of_something_else_needs_another() {
    let town = Town::start();
    let (number, _) = town.propose_held("move-www", "192.0.2.79");
    town.until_asked(number);
    town.approve(number, "ben");
    let head = town.push("move-www", "192.0.2.80");
    town.until("the new plan", |town| town.show(number)["head"] == head.as_str() && town.phase(number) == "awaiting_approval");
    town.until("the new plan in the comment", |town| town.sticky(number).contains("192.0.2.80"));
    assert!(town.show(number)["approvals"][0]["missing"] == 1, "{}", town.show(number)["approvals"]);
    assert!(!town.live().iter().any(|line| line.ends_with("A 192.0.2.80")));
}

#[test]
fn the_comment_comes_back_when_somebody_deletes_it() {
    let town = Town::start();
    let (number, _) = town.propose("move-www", "192.0.2.81");
    town.until_asked(number);
    let id = town.try_sticky(number).expect("it is there").0;
    town.project.ask("trueup", "DELETE", &format!("/issues/comments/{id}"), None);
    town.approve(number, "ben");
    town.until_phase(number, "merged");
    town.until("the comment", |town| town.try_sticky(number).is_some_and(|(other, body)| other != id && body.contains("erged")));
}

#[test]
fn a_closed_pull_request_writes_nothing_more_and_goes_on_when_it_is_opened_again() {
    let town = Town::start();
    let before = town.live();
    let (number, _) = town.propose("move-www", "192.0.2.82");
    town.until_asked(number);
    town.project.ask("ana", "PATCH", &format!("/pulls/{number}"), Some(json!({ "state": "closed" })));
    town.until_phase(number, "closed");
    assert_eq!(town.live(), before);
    town.project.ask("ana", "PATCH", &format!("/pulls/{number}"), Some(json!({ "state": "open" })));
    town.until_asked(number);
    town.approve(number, "ben");
    town.until_phase(number, "merged");
}

#[test]
fn two_pull_requests_merge_one_after_the_other_and_base_moves_under_the_second() {
    let town = Town::start();
    let (first, _) = town.propose("move-www", "192.0.2.83");
    let second = town.propose_mail("move-mail", "192.0.2.84");
    town.until_asked(first);
    town.until_asked(second);
    town.approve(first, "ben");
    town.approve(second, "ben");
    town.until_phase(first, "merged");
    town.until_phase(second, "merged");
    assert!(town.main_holds("192.0.2.83") && town.main_holds("192.0.2.84"));
}

#[test]
fn a_protected_branch_takes_the_merge_once_converged_is_green() {
    let town = Town::start();
    let protection = json!({
        "rule_name": "main", "enable_push": false, "enable_status_check": true, "status_check_contexts": ["trueup/converged"],
        "enable_merge_whitelist": true, "merge_whitelist_usernames": ["trueup"],
    });
    town.project.ask("trueup", "POST", "/branch_protections", Some(protection));
    let (number, _) = town.propose("move-www", "192.0.2.85");
    town.until_asked(number);
    let (status, said) = town.project.try_ask("ana", "POST", &format!("/pulls/{number}/merge"), Some(json!({ "do": "merge" })));
    assert_eq!(status, 405, "nobody else merges: {said}");
    town.approve(number, "ben");
    town.until_phase(number, "merged");
    assert!(town.main_holds("192.0.2.85"));
}

#[test]
fn a_merge_by_an_admin_past_us_is_an_alarm() {
    let town = Town::start();
    let (number, _) = town.propose("move-www", "192.0.2.86");
    town.until_asked(number);
    town.until("the merge by hand", |town| town.project.try_ask("root", "POST", &format!("/pulls/{number}/merge"), Some(json!({ "do": "merge" }))).0 == 200);
    town.until("the alarm", |town| town.trueup("ana", &["mr", "journal", &number.to_string(), "--repo", "dns"]).contains("by `root`"));
    assert!(!town.live().iter().any(|line| line.ends_with("A 192.0.2.86")), "nothing ran");
}

#[test]
fn the_forge_being_away_stops_neither_the_run_nor_its_people() {
    let town = Town::start_alone();
    let (number, _) = town.propose("move-www", "192.0.2.87");
    town.until_asked(number);
    town.away();
    // The page and the command line carry every command.
    town.trueup("ben", &["mr", "approve", &number.to_string(), "--repo", "dns"]);
    town.until("the name server's answer", |town| town.live().iter().any(|line| line.ends_with("A 192.0.2.87")));
    town.back();
    town.until_phase(number, "merged");
    assert!(town.main_holds("192.0.2.87"));
}

#[test]
fn what_people_do_at_their_forge_is_said_to_be_done_there() {
    let town = Town::start();
    let (number, _) = town.propose("move-www", "192.0.2.88");
    town.until_asked(number);
    let said = town.try_trueup("ana", &["mr", "close", &number.to_string(), "--repo", "dns"]);
    assert!(said.contains(&format!("/pulls/{number}")), "{said}");
    let said = town.try_trueup("ana", &["mr", "comment", &number.to_string(), "hello", "--repo", "dns"]);
    assert!(said.contains(&format!("/pulls/{number}")), "{said}");
}

#[test]
fn whoever_the_code_owners_of_base_name_approves_what_is_changed() {
    let town = Town::start_with("  window: 2s\n  every: 2s\n  approvals:\n    - by: [codeowners]\n");
    let owners = base64::engine::general_purpose::STANDARD.encode("zones/.* @Root # whoever runs the name servers\n!zones/.* @ben\n");
    town.project.ask("root", "POST", "/contents/.gitea%2FCODEOWNERS", Some(json!({ "content": owners, "message": "owners", "branch": "main" })));
    let (number, _) = town.propose("move-www", "192.0.2.93");
    town.until_asked(number);
    assert!(town.sticky(number).contains(".gitea/CODEOWNERS:1"), "{}", town.sticky(number));
    town.comment(number, "ben", "/trueup approve");
    town.until("an answer to ben", |town| town.answers(number) == 1);
    assert_eq!(town.phase(number), "awaiting_approval", "ben owns what is no zone");
    town.approve(number, "root");
    town.until_phase(number, "merged");
    assert!(town.live().iter().any(|line| line.ends_with("A 192.0.2.93")));
}
