//! What `doctor` sees of a Gitea.

use super::house::House;
use crate::forges::world::{ForgeWorld, run};
use serde_json::json;
use trueup::ports::{Exam, Found, Wish};

fn exams(house: &House) -> Vec<Exam> {
    run(house.driver().examine(&house.repo(), &Wish::default()))
}

fn told(exams: &[Exam], found: Found) -> String {
    exams.iter().filter(|exam| exam.found == found).map(|exam| format!("{}: {}\n", exam.about, exam.said)).collect()
}

#[test]
fn a_branch_that_nothing_protects_fails_and_one_that_only_we_move_is_well() {
    let house = House::new();
    let first = exams(&house);
    assert_eq!(told(&first, Found::Fail), "repository dns: protected branch: no rule protects `main`: everybody who may write can push and merge past the server\n");
    assert!(told(&first, Found::Ok).contains("the token is that of `trueup`"), "{first:?}");
    house.yard.ask("trueup", "POST", "/branch_protections", json!({ "rule_name": "main", "enable_push": true }));
    let warned = told(&exams(&house), Found::Warn);
    insta::assert_snapshot!(warned);
    let strict = json!({
        "enable_push": false, "enable_merge_whitelist": true, "merge_whitelist_usernames": ["trueup"], "enable_status_check": true,
        "status_check_contexts": ["trueup/converged"], "block_admin_merge_override": true,
    });
    house.yard.ask("trueup", "PATCH", "/branch_protections/main", strict);
    let last = exams(&house);
    assert!(last.iter().all(|exam| exam.found == Found::Ok), "{last:?}");
}

#[test]
fn a_rule_that_comes_before_ours_is_the_one_that_holds() {
    let house = House::new();
    house.yard.ask("trueup", "POST", "/branch_protections", json!({ "rule_name": "**", "enable_push": true }));
    let strict = json!({
        "rule_name": "main", "enable_push": false, "enable_merge_whitelist": true, "merge_whitelist_usernames": ["trueup"], "enable_status_check": true,
        "status_check_contexts": ["trueup/converged"], "block_admin_merge_override": true,
    });
    house.yard.ask("trueup", "POST", "/branch_protections", strict);
    let found = exams(&house);
    assert!(told(&found, Found::Warn).contains("`main` is under the rule `**`: everybody who may write may push to it past the server"), "{found:?}");
    house.yard.ask("trueup", "DELETE", "/branch_protections/%2A%2A", json!(null));
    let last = exams(&house);
    assert!(last.iter().all(|exam| exam.found == Found::Ok), "{last:?}");
}

#[test]
fn an_account_that_may_not_write_is_told() {
    let house = House::new();
    house.yard.ask("hand", "DELETE", "/collaborators/trueup", json!(null));
    let found = exams(&house);
    assert!(told(&found, Found::Fail).contains("it may not write"), "{found:?}");
}
