//! What doctor sees of a hosted forge.

use super::{
    super::fake::{Linear, Method, Protection, Role, Wire},
    office::{Office, PATH},
};
use trueup::{
    core::model::RepoId,
    ports::{Exam, Wish},
};

/// What it says, worst first in its own words: `ok`, `warn` or `fail`, and of what.
async fn told(office: &Office) -> Vec<String> {
    let exams: Vec<Exam> = office.hub.examine(&RepoId::new("dns"), &Wish::default()).await;
    exams.iter().map(|exam| format!("{:?} {}: {}", exam.found, exam.about, exam.said).to_lowercase()).collect()
}

fn has(told: &[String], how: &str, words: &str) -> bool {
    told.iter().any(|line| line.starts_with(how) && line.contains(words))
}

async fn a_branch_that_the_server_alone_moves_is_well(wire: Wire) {
    let office = Office::furnished(wire).await;
    office.fake.state().project_mut(PATH).roles.insert("trueup".into(), Role::Admin);
    let rules = Protection { required_statuses: ["trueup/converged".to_owned()].into(), may_push: ["trueup".to_owned()].into(), for_admins: true, ..Protection::default() };
    office.fake.protect(PATH, "main", rules);
    let told = told(&office).await;
    assert!(told.iter().all(|line| line.starts_with("ok")), "{told:#?}");
    assert!(has(&told, "ok", "`trueup`") && has(&told, "ok", "moved by the server alone"), "{told:#?}");
}

async fn a_branch_that_others_move_and_a_queue_that_lands_something_else_are_told(wire: Wire) {
    let office = Office::furnished(wire).await;
    office.fake.state().project_mut(PATH).roles.insert("trueup".into(), Role::Admin);
    let bare = told(&office).await;
    assert!(has(&bare, "fail", "protect"), "{bare:#?}");
    office.fake.protect(PATH, "main", Protection { queue: true, ..Protection::default() });
    let open = told(&office).await;
    assert!(has(&open, "fail", "lands other commits") || has(&open, "fail", "land other commits"), "{open:#?}");
    assert!(has(&open, "warn", "may "), "{open:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_rule_that_lets_others_in_is_told_beside_the_branch_s_own() {
    let office = Office::furnished(Wire::GitLab).await;
    office.fake.state().project_mut(PATH).roles.insert("trueup".into(), Role::Admin);
    let ours = || Protection { may_push: ["trueup".to_owned()].into(), for_admins: true, ..Protection::default() };
    office.fake.protect(PATH, "main", ours());
    office.fake.protect(PATH, "ma*", Protection::default());
    office.fake.protect(PATH, "feature/*", Protection::default());
    let open = told(&office).await;
    assert!(has(&open, "ok", "`main` is moved by the server alone") && has(&open, "warn", "protected branch ma*: `ma*`: maintainers may merge, too"), "{open:#?}");
    assert!(!open.iter().any(|line| line.contains("feature/")), "{open:#?}");
    // One that holds alone does, where it lets nobody else in.
    office.fake.protect(PATH, "ma*", ours());
    office.fake.state().project_mut(PATH).protection.remove("main");
    let kept = told(&office).await;
    assert!(kept.iter().all(|line| line.starts_with("ok")) && has(&kept, "ok", "`ma*` is moved by the server alone"), "{kept:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_which_method_is_merged_is_told_and_that_none_is_left() {
    let office = Office::furnished(Wire::GitHub).await;
    office.fake.state().project_mut(PATH).roles.insert("trueup".into(), Role::Admin);
    let with = async |rules: Protection| {
        office.fake.protect(PATH, "main", rules);
        told(&office).await
    };
    let free = with(Protection::default()).await;
    assert!(has(&free, "ok", "by the method `merge`"), "{free:#?}");
    for linear in [Linear::Told, Linear::Untold] {
        let squashed = with(Protection { linear, ..Protection::default() }).await;
        assert!(has(&squashed, "ok", "by the method `squash`"), "{squashed:#?}");
        office.fake.state().project_mut(PATH).methods = [Method::Merge].into();
        let none = with(Protection { linear, ..Protection::default() }).await;
        assert!(has(&none, "fail", "nothing can be merged to `main`"), "{none:#?}");
        office.fake.state().project_mut(PATH).methods.insert(Method::Squash);
    }
}

async fn a_rule_that_takes_only_what_is_up_to_date_is_told_with_what_it_costs(wire: Wire) {
    let office = Office::furnished(wire).await;
    office.fake.state().project_mut(PATH).roles.insert("trueup".into(), Role::Admin);
    office.fake.protect(PATH, "main", Protection::default());
    assert!(!told(&office).await.iter().any(|line| line.contains("up to date")));
    for how in [Linear::Told, Linear::Untold] {
        office.fake.state().project_mut(PATH).up_to_date = how;
        let told = told(&office).await;
        assert!(has(&told, "warn", "up to date") && has(&told, "warn", "each merge"), "{told:#?}");
    }
}

async fn a_token_that_may_not_write_or_that_nobody_knows_is_told(wire: Wire) {
    let office = Office::furnished(wire).await;
    office.fake.state().project_mut(PATH).roles.insert("trueup".into(), Role::Read);
    let told_of_reader = told(&office).await;
    assert!(has(&told_of_reader, "fail", "may not write"), "{told_of_reader:#?}");
    office.fake.revoke("trueup", true);
    let told_of_nobody = told(&office).await;
    assert!(has(&told_of_nobody, "fail", "make a new one"), "{told_of_nobody:#?}");
}

super::on_both! {
    a_branch_that_the_server_alone_moves_is_well,
    a_branch_that_others_move_and_a_queue_that_lands_something_else_are_told,
    a_rule_that_takes_only_what_is_up_to_date_is_told_with_what_it_costs,
    a_token_that_may_not_write_or_that_nobody_knows_is_told,
}
