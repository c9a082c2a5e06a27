//! What happens on a real Gitea while a change is under way: pushes, dismissals, rules, a token that is taken away.

use super::town::Town;
use serde_json::json;

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
