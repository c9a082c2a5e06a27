//! `trueup forge setup` on a fake GitHub and GitLab: what it makes, once, and what it says where it may not.

use super::{
    super::fake::{Fault, Protection, Role, Wire},
    office::{Office, PATH},
};
use crate::service::world::TRUEUP;
use std::{path::Path, process::Command};
use trueup::{
    core::{model::RepoId, review::labels},
    ports::{Found, Furnished, Hook, Outcome, SecretText, Wish},
};

const URL: &str = "https://trueup.example.com/hooks/work";

fn wish(anew: bool) -> Wish {
    Wish { hook: Some(Hook { url: URL.into(), secret: SecretText::new("a secret"), anew }), labels: labels() }
}

async fn set_up(office: &Office, wish: &Wish, dry: bool) -> Vec<Furnished> {
    office.hub.furnish(&RepoId::new("dns"), wish, dry).await
}

/// What became of the thing that is called so.
fn of<'a>(done: &'a [Furnished], what: &str) -> &'a Furnished {
    done.iter().find(|one| one.about.ends_with(what)).unwrap_or_else(|| panic!("nothing is said of {what}: {done:#?}"))
}

fn writes(office: &Office) -> usize {
    office.fake.calls().iter().filter(|call| call.writes()).count()
}

async fn furnished(wire: Wire) -> Office {
    let office = Office::furnished(wire).await;
    let mut state = office.fake.state();
    let project = state.project_mut(PATH);
    project.roles.insert("trueup".into(), Role::Admin);
    (project.pipelines_must_pass, project.reset_approvals) = (Some(false), Some(false));
    drop(state);
    office.fake.calls();
    office
}

async fn everything_is_made_once_and_doctor_sees_it(wire: Wire) {
    let office = furnished(wire).await;
    let would = set_up(&office, &wish(false), true).await;
    assert!(would.iter().any(|one| one.outcome == Outcome::Would) && would.iter().all(|one| matches!(one.outcome, Outcome::Would | Outcome::Stands)), "{would:#?}");
    assert_eq!(writes(&office), 0, "words alone change nothing");
    let done = set_up(&office, &wish(false), false).await;
    for what in ["webhook", "protected branch", "labels"] {
        assert_eq!((of(&done, what).outcome, of(&would, what).outcome), (Outcome::Made, Outcome::Would), "{done:#?}");
    }
    assert!(writes(&office) > 2);
    {
        let mut state = office.fake.state();
        let project = state.project_mut(PATH);
        let [hook] = project.hooks.as_slice() else { panic!("{:?}", project.hooks) };
        assert_eq!((hook.url.as_str(), hook.secret.as_deref(), hook.active && hook.json && hook.verified), (URL, Some("a secret"), true));
        assert!(project.protection["main"].may_push.iter().eq(["trueup"]) && project.labels.contains("trueup: merged") && project.labels.contains("incident"));
        match wire {
            Wire::GitHub => assert!(project.protection["main"].required_statuses.contains("trueup/converged") && project.protection["main"].dismiss_stale),
            Wire::GitLab => assert_eq!((project.pipelines_must_pass, project.reset_approvals), (Some(true), Some(true))),
        }
    }
    let exams = office.hub.examine(&RepoId::new("dns"), &wish(false)).await;
    assert!(exams.iter().all(|exam| exam.found == Found::Ok), "{exams:#?}");
    let again = set_up(&office, &wish(false), false).await;
    assert!(again.iter().all(|one| one.outcome == Outcome::Stands), "{again:#?}");
    assert_eq!(writes(&office), 0, "the second time nothing is left to do");
}

async fn branches_to_come_are_protected_by_their_pattern_or_told_to_be_open(wire: Wire) {
    let office = furnished(wire).await;
    office.fake.push(PATH, "root", "next/1", &[("zone", "2\n")]);
    let next = RepoId::new("dns@next");
    let done = office.hub.furnish(&next, &wish(false), false).await;
    assert_eq!(of(&done, "protected branch").outcome, Outcome::Made, "{done:#?}");
    let rules = Protection { required_statuses: ["trueup/converged".to_owned()].into(), ..Protection::default() };
    match wire {
        Wire::GitLab => {
            assert!(office.fake.state().project(PATH).protection["next/*"].may_push.iter().eq(["trueup"]));
            // GitLab lets whatever one of the rules lets.
            office.fake.protect(PATH, "next/1", rules);
            let exams = office.hub.examine(&next, &wish(false)).await;
            assert!(exams.iter().any(|exam| exam.about.ends_with("next/1") && exam.found == Found::Warn), "{exams:#?}");
            let mended = office.hub.furnish(&next, &wish(false), false).await;
            assert_eq!(of(&mended, "next/1").outcome, Outcome::Made, "{mended:#?}");
        }
        Wire::GitHub => {
            assert!(office.fake.state().project(PATH).protection["next/1"].may_push.iter().eq(["trueup"]));
            let open = of(&done, "branches to come");
            assert!(open.outcome == Outcome::Lacks && open.next.as_deref().is_some_and(|next| next.contains("ruleset") && next.contains("next/*")), "{open:#?}");
            office.fake.protect(PATH, "next/*", rules);
            assert_eq!(of(&office.hub.furnish(&next, &wish(false), false).await, "branches to come").outcome, Outcome::Stands);
        }
    }
}

async fn what_people_set_stays_and_what_they_undid_is_mended(wire: Wire) {
    let office = furnished(wire).await;
    let rules = Protection { required_statuses: ["ci/test".to_owned()].into(), required_approvals: 2, for_admins: true, ..Protection::default() };
    office.fake.protect(PATH, "main", rules);
    set_up(&office, &wish(false), false).await;
    {
        let mut state = office.fake.state();
        let project = state.project_mut(PATH);
        assert!(project.protection["main"].required_statuses.contains("ci/test") && project.protection["main"].required_approvals == 2);
        assert!(project.protection["main"].may_push.iter().eq(["trueup"]), "{:?}", project.protection["main"]);
        let hook = &mut project.hooks[0];
        hook.verified = false;
        hook.secret = Some("what somebody else set".into());
        hook.events.clear();
    }
    let mended = set_up(&office, &wish(false), false).await;
    assert_eq!(of(&mended, "webhook").outcome, Outcome::Made, "{mended:#?}");
    {
        let mut state = office.fake.state();
        let hook = &mut state.project_mut(PATH).hooks[0];
        assert!(hook.verified && !hook.events.is_empty() && hook.secret.as_deref() == Some("a secret"));
        // Nobody is told a secret, so nobody sees that this one is another.
        hook.secret = Some("what somebody else set".into());
    }
    assert_eq!(of(&set_up(&office, &wish(false), false).await, "webhook").outcome, Outcome::Stands);
    let anew = set_up(&office, &wish(true), false).await;
    assert_eq!(of(&anew, "webhook").said, "set the webhook's secret again");
    assert_eq!(office.fake.state().project(PATH).hooks[0].secret.as_deref(), Some("a secret"));
}

async fn what_may_not_be_done_is_said_with_why_and_what_a_person_does(wire: Wire) {
    let office = furnished(wire).await;
    let rule = if wire == Wire::GitHub { ("PUT", "/protection") } else { ("POST", "/protected_branches") };
    office.fake.fail(Fault::status(403).on(rule.0, rule.1));
    let done = set_up(&office, &wish(false), false).await;
    let branch = of(&done, "protected branch");
    assert!(
        branch.outcome == Outcome::Lacks && branch.said.contains("403") && branch.next.as_deref().is_some_and(|next| next.contains("settings") && next.contains("trueup")),
        "{branch:#?}"
    );
    assert_eq!(of(&done, "webhook").outcome, Outcome::Made, "what can be made is made all the same");
    office.fake.mend();
    office.fake.state().project_mut(PATH).roles.insert("trueup".into(), Role::Write);
    office.fake.state().project_mut(PATH).hooks.clear();
    let done = set_up(&office, &wish(false), false).await;
    let hook = of(&done, "webhook");
    assert!(hook.outcome == Outcome::Lacks && hook.next.as_deref().is_some_and(|next| next.contains(URL) && !next.contains("a secret")), "{hook:#?}");
}

/// The program over a configuration; its exit code and what it prints.
fn program(config: &Path, more: &[&str]) -> (Option<i32>, String) {
    let out = Command::new(TRUEUP).args(["forge", "setup", "work", "--config"]).arg(config).args(more).output().expect("the program runs");
    (out.status.code(), format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)))
}

async fn the_command_says_what_it_would_do_does_it_and_ends_with_a_code(wire: Wire) {
    let office = furnished(wire).await;
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("trueup.token", "trueup-token\n");
    write("hook.secret", "a secret of the webhook\n");
    let kind = if wire == Wire::GitHub { "github" } else { "gitlab" };
    let config = format!(
        "data: data\nsecrets: .\nurl: https://trueup.example.com/\nforges:\n  work:\n    kind: {kind}\n    url: {}\n    token: {{ file: trueup.token }}\n    webhook_secret: {{ file: hook.secret }}\n\
         repositories:\n  - name: dns\n    forge: work\n    project: {PATH}\n",
        office.fake.url
    );
    write("server.yaml", &config);
    let path = dir.path().join("server.yaml");
    let run = |more: &'static [&'static str]| {
        let path = path.clone();
        async move { tokio::task::spawn_blocking(move || program(&path, more)).await.unwrap() }
    };
    let (code, said) = run(&["--dry-run"]).await;
    assert!(code == Some(2) && said.contains("would  repository dns: webhook: make the webhook https://trueup.example.com/hooks/work"), "{code:?} {said}");
    let (code, said) = run(&["dns"]).await;
    assert!(code == Some(0) && said.contains("made   repository dns: protected branch: protect `main`"), "{code:?} {said}");
    let (code, said) = run(&["--json"]).await;
    let json: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert!(code == Some(0) && json["ok"] == true && json["things"].as_array().unwrap().iter().all(|thing| thing["outcome"] == "ok"), "{json:#}");
    assert!(!said.contains("a secret of the webhook") && !dir.path().join("data").exists());
    let (code, said) = run(&["mail"]).await;
    assert!(code == Some(1) && said.contains("no repository `mail` is on forge work; it holds `dns`"), "{said}");
    write("server.yaml", &config.replace("url: https://trueup.example.com/\n", ""));
    let (code, said) = run(&[]).await;
    assert!(code == Some(1) && said.contains("lacks  repository dns: webhook") && said.contains("add `url: "), "{said}");
}

super::on_both! {
    everything_is_made_once_and_doctor_sees_it,
    branches_to_come_are_protected_by_their_pattern_or_told_to_be_open,
    what_people_set_stays_and_what_they_undid_is_mended,
    what_may_not_be_done_is_said_with_why_and_what_a_person_does,
    the_command_says_what_it_would_do_does_it_and_ends_with_a_code,
}
