//! Network forges in `server.yaml`: what is taken, and how every fault is told.

use super::{read, refused};
use trueup::{
    app::config::ForgeKind,
    core::{model::Str, review::Right},
    ports::People as _,
};

fn with(forge: &str, repositories: &str) -> String {
    format!("data: d\nusers:\n  - name: Grace\n    token: {{env: T}}\nforges:\n  work:\n{forge}repositories:\n{repositories}")
}

const GITEA: &str = "    kind: gitea\n    url: https://git.example.com/\n    token: {env: TOKEN}\n";
const DNS: &str = "  - name: dns\n    forge: work\n    project: platform/dns\n    writers: [zoe]\n    approvers: [Grace, linus]\n";

#[test]
fn a_forge_and_a_repository_on_it_are_read() {
    let server = read(&with(GITEA, DNS));
    let forge = &server.forges["work"];
    assert_eq!((forge.kind, forge.web(), forge.api().as_str()), (ForgeKind::Gitea, "https://git.example.com", "https://git.example.com/api/v1"));
    let repository = &server.repositories[0];
    assert!(!repository.is_local());
    assert_eq!(server.forge_of(repository).map(|(name, _)| &**name), Some("work"));
    assert_eq!(server.repository_path(repository), std::path::Path::new("d/mirrors/dns.git"));
    let own: Vec<String> = server.own_secrets().into_iter().map(|(what, _)| what).collect();
    assert!(own.contains(&"token of forge work".to_owned()), "{own:?}");
}

#[test]
fn accounts_of_a_forge_have_the_rights_of_the_lists_without_signing_in_here() {
    let server = read(&with(GITEA, DNS));
    let right = |who: &str| server.right(&server.repositories[0], who);
    assert_eq!(["linus", "Grace", "zoe", "ada"].map(right), [Right::Approve, Right::Approve, Right::Write, Right::None]);
    let both: Vec<Str> = vec!["linus".into(), "Grace".into()];
    assert_eq!(server.spelled_out(&server.repositories[0], &both).len(), 2);
}

#[tokio::test]
async fn an_account_is_the_user_of_the_same_name_whatever_its_case() {
    let server = std::sync::Arc::new(read(&with(&format!("{GITEA}    bot: TrueUp\n"), DNS).replace("token: {env: T}", &format!("token: {{sha256: \"{}\"}}", "0".repeat(64)))));
    let people = trueup::app::people::Directory::read(server.clone(), &*trueup::app::wiring::own_secrets(&server)).await.expect("nothing is read");
    let known = ["grace", "GRACE", "LINUS", "ada", "trueup"].map(|login| people.by_login(login).to_string());
    assert_eq!(known, ["Grace", "Grace", "linus", "ada", "TrueUp"], "the server's own account, too");
}

#[test]
fn the_example_is_read_whole() {
    let server = read(include_str!("../../../examples/forges/server.yaml"));
    let names: Vec<&str> = server.repositories.iter().map(|of| &*of.name).collect();
    assert!(["dns", "dns@release", "dns@drill", "config"].iter().all(|name| names.contains(name)), "{names:?}");
}

#[test]
fn where_the_api_is_follows_from_the_kind() {
    let api = |kind: &str, url: &str| read(&with(&format!("    kind: {kind}\n    url: {url}\n    token: {{env: T}}\n"), "  []\n")).forges["work"].api();
    assert_eq!(api("forgejo", "https://codeberg.org"), "https://codeberg.org/api/v1");
    assert_eq!(api("gitlab", "https://gitlab.com"), "https://gitlab.com/api/v4");
    assert_eq!(api("github", "https://github.com"), "https://api.github.com");
    assert_eq!(api("github", "https://ghe.example.com/"), "https://ghe.example.com/api/v3");
    assert_eq!(api("gitea", "https://example.com/git\n    api: https://api.example.com/v1/"), "https://api.example.com/v1");
}

#[test]
fn a_group_that_is_asked_on_two_forges_says_whose_each_account_is() {
    let two = |members: &str, other: &str| {
        let forges = format!("{GITEA}  hub:\n{GITEA}");
        let repositories = format!("  - {{name: dns, forge: work, project: p/dns, approvers: [\"@sre\"]}}\n  - {{name: app, forge: hub, project: p/app, approvers: [{other}]}}\n");
        with(&forges, &repositories).replace("forges:\n", &format!("groups: {{sre: [{members}]}}\nforges:\n"))
    };
    insta::assert_snapshot!(refused(&two("ana, \"work:ben\"", "\"@sre\"")));
    let server = read(&two("\"work:ana\", \"hub:ben\"", "\"@sre\""));
    let rights = |who: &str| [0, 1].map(|at| server.right(&server.repositories[at], who));
    assert_eq!((rights("ana"), rights("ben")), ([Right::Approve, Right::None], [Right::None, Right::Approve]));
    assert_eq!(server.groups_in(&server.repositories[1])["sre"], ["ben"].map(Str::from));
    // A group of one forge needs no more words.
    read(&two("ana, ben", "zoe"));
}

#[test]
fn what_a_forge_cannot_be_is_refused_with_its_place() {
    insta::assert_snapshot!(refused(&with("    kind: bitbucket\n    url: https://x.example\n    token: {env: T}\n", DNS)));
    insta::assert_snapshot!(refused(&with(&GITEA.replace("https://git.example.com/", "http://git.example.com"), DNS)));
    let told = refused(&with(&GITEA.replace("https://git.example.com/", "https://me:hunter2@git.example.com"), DNS));
    assert!(told.contains("a user or password stands in it") && !told.contains("hunter2"), "{told}");
    insta::assert_snapshot!(refused(&with(&GITEA.replace("https://git.example.com/", "git.example.com"), DNS)));
    insta::assert_snapshot!(refused(&with(&GITEA.replace("{env: TOKEN}", "0123456789abcdef"), DNS)));
}

const APP: &str = "    kind: github\n    url: https://github.com\n    app: {id: 123456, key: {env: KEY}}\n";

#[test]
fn an_app_stands_where_a_token_would_by_its_number_or_its_client_id() {
    let of = |text: &str| read(&with(text, DNS));
    let server = of(APP);
    let id = |server: &trueup::app::config::Server| server.forges["work"].app.as_ref().map(|app| app.id.to_string());
    assert_eq!(id(&server).as_deref(), Some("123456"));
    assert_eq!(id(&of(&APP.replace("123456", "Iv23liAbC"))).as_deref(), Some("Iv23liAbC"));
    let own: Vec<String> = server.own_secrets().into_iter().map(|(what, _)| what).collect();
    assert!(own.contains(&"private key of the app on forge work".to_owned()) && !own.contains(&"token of forge work".to_owned()), "{own:?}");
}

#[test]
fn who_the_server_is_on_a_forge_is_said_once_and_as_the_forge_knows_it() {
    let told = [
        APP.replace("    app: {id: 123456, key: {env: KEY}}\n", ""),
        format!("{APP}    token: {{env: T}}\n"),
        APP.replace("github\n", "gitea\n"),
        APP.replace("123456", "\"my app\""),
        APP.replace("{env: KEY}", "\"-----BEGIN RSA PRIVATE KEY----- hunter2\""),
    ]
    .map(|forge| refused(&with(&forge, DNS)));
    assert!(!told[4].contains("hunter2"), "{}", told[4]);
    let own = refused(&with(APP, &format!("{DNS}    webhook_secret: {{env: S}}\n")));
    insta::assert_snapshot!(told.into_iter().chain([own]).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_token_may_travel_plain_inside_this_machine_or_where_the_operator_says_so() {
    for url in ["http://127.0.0.1:3000", "http://[::1]:3000", "http://localhost:3000", "http://git.example.com\n    insecure: true"] {
        read(&with(&GITEA.replace("https://git.example.com/", url), DNS));
    }
}

#[test]
fn a_repository_must_say_where_on_its_forge_it_is() {
    insta::assert_snapshot!(refused(&with(
        GITEA,
        "  - {name: a, forge: wrok, project: p/a}\n  - {name: b, forge: work}\n  - {name: c, forge: work, project: ../c}\n  - {name: d, project: p/d}\n"
    )));
    insta::assert_snapshot!(refused(&with(GITEA, "  - {name: a, forge: work, project: p/a}\n  - {name: b, forge: work, project: P/A, path: b.git}\n")));
}
