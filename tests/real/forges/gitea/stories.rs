//! One merge request on a real Gitea through the whole server: each story ends with what BIND and the forge hold.

use super::town::Town;
use base64::Engine as _;
use serde_json::json;

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
