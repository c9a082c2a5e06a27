//! What happens on a real Gitea while a change is under way: pushes, dismissals, rules, a token that is taken away.

use super::town::Town;
use serde_json::json;

#[test]
fn a_push_in_the_middle_of_a_run_is_planned_from_what_is_there() {
    let town = Town::start_held();
    let (number, _) = town.propose("move-www", "192.0.2.91");
    town.until_asked(number);
    town.approve(number, "ben");
    town.until("the first address", |town| town.live().iter().any(|line| line.ends_with("A 192.0.2.91")));
    let head = town.push("move-www", "192.0.2.92");
    town.until("the new plan where people read it", |town| {
        town.show(number)["head"] == head.as_str() && town.try_sticky(number).is_some_and(|(_, body)| body.contains("192.0.2.92") && body.contains("/trueup approve"))
    });
    assert!(town.live().iter().any(|line| line.ends_with("A 192.0.2.91")), "what was pushed waits for its own approval: {:?}", town.live());
    town.approve(number, "ben");
    town.let_go();
    town.until_phase(number, "merged");
    assert!(town.live().iter().any(|line| line.ends_with("A 192.0.2.92")) && town.main_holds("192.0.2.92"));
}

#[test]
fn a_close_in_the_middle_of_a_run_merges_nothing_and_a_reopened_one_is_approved_again() {
    let town = Town::start_held();
    let (number, _) = town.propose("move-www", "192.0.2.93");
    town.until_asked(number);
    town.approve(number, "ben");
    town.until("the address", |town| town.live().iter().any(|line| line.ends_with("A 192.0.2.93")));
    town.project.ask("ana", "PATCH", &format!("/pulls/{number}"), Some(json!({ "state": "closed" })));
    town.until_phase(number, "closed");
    town.let_go();
    assert!(!town.main_holds("192.0.2.93"));
    town.project.ask("ana", "PATCH", &format!("/pulls/{number}"), Some(json!({ "state": "open" })));
    town.until("the question", |town| town.show(number)["waits_for"].as_str().is_some_and(|waits| waits.contains("/trueup approve")));
    town.approve(number, "ben");
    town.until_phase(number, "merged");
    assert!(town.main_holds("192.0.2.93"));
}

#[test]
fn a_merge_that_a_rule_of_the_forge_refuses_waits_and_says_why_and_goes_on() {
    let town = Town::start();
    let rule = json!({ "rule_name": "main", "enable_push": false, "enable_status_check": true, "status_check_contexts": ["trueup/converged", "audit"] });
    town.project.ask("trueup", "POST", "/branch_protections", Some(rule));
    let (number, head) = town.propose("move-www", "192.0.2.94");
    town.until_asked(number);
    town.approve(number, "ben");
    town.until("the forge's reason", |town| town.show(number)["waits_for"].as_str().is_some_and(|waits| waits.contains("does not merge it")));
    town.until("the end of the run", |town| town.status(&head, "trueup/rollout").0 == "success");
    town.project.ask("root", "POST", &format!("/statuses/{head}"), Some(json!({ "context": "audit", "state": "success" })));
    town.until_phase(number, "merged");
}

#[test]
fn a_review_counts_where_policy_says_so_and_a_dismissed_one_does_not() {
    let town = Town::start_with("  window: 2s\n  every: 2s\n  reviews_count: true\n");
    let (number, _) = town.propose_held("move-www", "192.0.2.95");
    town.until_asked(number);
    let review = town.review(number, "ben", "good");
    town.until("the review", |town| town.show(number)["approvals"][0]["missing"] == 0);
    town.project.ask("trueup", "POST", &format!("/pulls/{number}/reviews/{}/dismissals", review["id"]), Some(json!({ "message": "not so fast" })));
    town.until("its end", |town| town.show(number)["approvals"][0]["missing"] == 1);
    town.review(number, "ben", "now");
    town.until("the second review", |town| town.show(number)["approvals"][0]["missing"] == 0);
    town.project.ask("ana", "PATCH", &format!("/pulls/{number}"), Some(json!({ "title": "ready" })));
    town.until_phase(number, "merged");
}

#[test]
fn a_token_that_is_taken_away_in_the_middle_stops_no_run_and_a_new_one_merges() {
    let mut town = Town::start_held();
    let (number, _) = town.propose("move-www", "192.0.2.96");
    town.until_asked(number);
    town.approve(number, "ben");
    town.until("the address", |town| town.live().iter().any(|line| line.ends_with("A 192.0.2.96")));
    town.revoke();
    town.until("the fault in the log", |town| town.log().contains("does not know the token"));
    town.let_go();
    assert!(!town.main_holds("192.0.2.96"));
    town.renew();
    town.until_phase(number, "merged");
}
