//! Reading Vault: versions, fields, signing in, and every way to get nothing.

use super::{read, twin::Twin};
use serde_json::json;
use std::time::Duration;
use trueup::{
    ports::{SecretErrorKind, SecretText},
    secrets::{Login, Vault, VaultConfig},
};

fn vault(twin: &Twin, login: Login) -> Vault {
    let config = VaultConfig { address: format!("{}/", twin.address), namespace: Some("team".into()), login, ca: None, answer: Duration::from_secs(60) };
    Vault::new(config).expect("a client is made")
}

fn token(twin: &Twin) -> Vault {
    twin.held.lock().expect("whole").tokens.push("root".into());
    vault(twin, Login::Token(SecretText::new("root")))
}

fn role(twin: &Twin, secret_id: &str) -> Vault {
    vault(twin, Login::AppRole { mount: "approle".into(), role_id: SecretText::new("role"), secret_id: SecretText::new(secret_id) })
}

fn started() -> Twin {
    let twin = Twin::start();
    let versions = vec![Some(json!({ "password": "canary-one" })), None, Some(json!({ "password": "canary-three", "port": 5432, "list": [1] }))];
    twin.held.lock().expect("whole").secrets.insert("kv/team/app".into(), versions);
    twin
}

#[test]
fn a_field_of_a_version_is_read_and_the_newest_without_one() {
    let twin = started();
    let vault = token(&twin);
    assert_eq!(read(&vault, "secret://vault/kv/team/app#password"), Ok(("canary-three".into(), Some("3".into()))));
    assert_eq!(read(&vault, "secret://vault/kv/team/app#password@1"), Ok(("canary-one".into(), Some("1".into()))));
    assert_eq!(read(&vault, "secret://vault/kv/team/app#port"), Ok(("5432".into(), Some("3".into()))));
    assert!(twin.held.lock().expect("whole").namespaces.iter().all(|namespace| namespace == "team"));
}

#[test]
fn what_is_not_there_is_told_apart_from_what_cannot_be_asked() {
    let twin = started();
    let vault = token(&twin);
    let kind = |reference: &str| {
        let error = read(&vault, reference).expect_err(reference);
        assert!(!error.to_string().contains("canary") && !error.to_string().contains("root"), "{error}");
        error.kind
    };
    for missing in ["kv/team/app", "kv/team/app#none", "kv/team/app#list", "kv/team/app#password@2", "kv/team/app#password@9", "kv/team/app#password@x", "kv/other#a", "kv#a"] {
        assert_eq!(kind(&format!("secret://vault/{missing}")), SecretErrorKind::Missing, "{missing}");
    }
    twin.held.lock().expect("whole").sealed = true;
    assert_eq!(kind("secret://vault/kv/team/app#password"), SecretErrorKind::Unavailable);
    twin.held.lock().expect("whole").sealed = false;
    twin.held.lock().expect("whole").tokens.clear();
    assert_eq!(kind("secret://vault/kv/team/app#password"), SecretErrorKind::Denied);
    drop(twin);
    assert_eq!(kind("secret://vault/kv/team/app#password"), SecretErrorKind::Unavailable);
}

#[test]
fn a_role_signs_in_once_and_again_when_its_token_ran_out() {
    let twin = started();
    let vault = role(&twin, "canary-secret-id");
    for _ in 0..3 {
        assert!(read(&vault, "secret://vault/kv/team/app#password").is_ok());
    }
    assert_eq!(twin.held.lock().expect("whole").logins, 1);
    twin.held.lock().expect("whole").tokens.clear();
    assert!(read(&vault, "secret://vault/kv/team/app#password").is_ok());
    assert_eq!(twin.held.lock().expect("whole").logins, 2);
    let error = read(&role(&twin, "canary-wrong"), "secret://vault/kv/team/app#password").expect_err("the secret id is wrong");
    assert!(error.kind == SecretErrorKind::Denied && error.what.contains("secret_id") && !error.what.contains("canary"), "{error}");
}
