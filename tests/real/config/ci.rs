//! Sign-ins of CI in `server.yaml`: what is taken, and how every fault is told.

use super::{read, refused};

fn with(ci: &str) -> String {
    let forges = "forges:\n  hub: {kind: github, url: https://github.com, token: {env: T}}\n  lab: {kind: gitlab, url: https://gitlab.example.com/, token: {env: T}}\n  tea: {kind: gitea, url: https://git.example.com, token: {env: T}}\n";
    format!("data: d\nurl: https://trueup.example.com\n{forges}repositories:\n  - {{name: dns, forge: hub, project: example/dns}}\nci:\n{ci}")
}

#[test]
fn what_is_not_said_of_a_sign_in_is_as_the_forge_has_it() {
    let server = read(&with("  sign_ins: [{forge: hub}, {forge: lab}]\n  tokens: [{name: one, token: {env: CI}, repositories: [dns]}]\n"));
    let [hub, lab] = &server.ci.sign_ins[..] else { panic!("two sign-ins") };
    assert_eq!(
        (hub.issuer(&server).as_str(), hub.keys(&server).as_str()),
        ("https://token.actions.githubusercontent.com", "https://token.actions.githubusercontent.com/.well-known/jwks")
    );
    assert_eq!((lab.issuer(&server).as_str(), lab.keys(&server).as_str()), ("https://gitlab.example.com", "https://gitlab.example.com/oauth/discovery/keys"));
    assert!(server.own_secrets().iter().any(|(what, _)| what == "token of CI one"), "no repository may refer to it");
}

#[test]
fn every_fault_of_a_sign_in_is_told_with_its_place() {
    for (ci, what) in [
        ("  sign_ins: [{forge: hup}]\n", "did you mean `hub`"),
        ("  sign_ins: [{forge: tea}]\n", "give its jobs a token under `ci.tokens`"),
        ("  sign_ins: [{forge: hub, issuer: http://issuer.example.com}]\n", "start it with `https://`"),
        ("  sign_ins: [{forge: hub, keys: 'ftp://x'}]\n", "is no URL of a web page"),
        ("  sign_ins: [{forge: hub, keys: 'https://k.example.com', keys_file: k.json}]\n", "one of the two"),
        ("  sign_ins: [{forge: hub, audience: ''}]\n", "a token for nobody"),
        ("  sign_ins: [{forge: hub, leeway: 10m}]\n", "write 5m or less"),
        ("  sign_ins: [{forge: hub, claims: {aud: x}}]\n", "`aud` is judged by itself"),
        ("  sign_ins: [{forge: hub}, {forge: hub}]\n", "name each issuer once"),
        ("  tokens: [{name: a, token: {env: X}, repositories: []}]\n", "list the repositories"),
        ("  tokens: [{name: a, token: {env: X}, repositories: [dsn]}]\n", "did you mean `dns`"),
        ("  tokens: [{name: a, token: {env: X}, repositories: [dns]}, {name: a, token: {env: Y}, repositories: [dns]}]\n", "a name of its own"),
        ("  tokens: [{name: a, token: {file: x}, repositories: [dns]}]\n", "add `secrets: FOLDER`"),
        ("  tokens: [{name: a, token: plain, repositories: [dns]}]\n", "a plain secret stands here"),
    ] {
        let told = refused(&with(ci));
        assert!(told.contains(what) && told.contains("server.yaml:10:"), "{ci}: {told}");
    }
}

#[test]
fn a_token_is_given_for_a_further_branch_and_for_what_a_group_has() {
    let forges = "forges:\n  tea:\n    kind: gitea\n    url: https://git.example.com\n    token: {env: T}\n    discover:\n      - {group: platform, allow: [\"app-*\"], branches: [{name: production}]}\n";
    let of = |name: &str| {
        format!(
            "data: d\nurl: https://trueup.example.com\n{forges}repositories:\n  - {{name: dns, forge: tea, project: example/dns, branches: [{{pattern: release/*}}]}}\nci:\n  tokens: [{{name: one, token: {{env: CI}}, repositories: [\"{name}\"]}}]\n"
        )
    };
    for name in ["dns", "dns@release", "platform/app-one", "platform/app-one@production"] {
        assert_eq!(&*read(&of(name)).ci.tokens[0].repositories[0], name);
    }
    for name in ["dns@main", "platform/other", "platform/app-one@main"] {
        assert!(refused(&of(name)).contains("no repository is named"), "{name}");
    }
}
