//! Tokens of jobs: what opens something, and everything that must not.

use super::issuer::{FakeIssuer, KEYS, Signer, now};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use trueup::{
    app::{
        ci::{About, Asker, Issuer, KeySource, Keys, Refused, SignIns},
        config::ForgeKind,
    },
    core::model::{CommitId, RepoId, Span},
    ports::SystemClock,
};

const AUDIENCE: &str = "https://trueup.example.com";
const SHA: &str = "cccccccccccccccccccccccccccccccccccccccc";

/// Sign-ins that take tokens of one issuer, and look for keys as often as they like.
fn sign_ins(issuer: &FakeIssuer, pause: Duration) -> SignIns {
    let source = KeySource::Url { url: issuer.site.url(KEYS), ca: None };
    let one = Issuer {
        name: issuer.name(),
        kind: ForgeKind::Github,
        audience: AUDIENCE.into(),
        keys: Keys::looking_every(source, pause).expect("a URL"),
        claims: BTreeMap::from([("repository_owner".into(), "example".into())]),
        leeway: Span::secs(30),
        projects: BTreeMap::from([("example/dns".into(), vec![RepoId::new("dns")])]),
    };
    SignIns::new(vec![one], Vec::new(), Arc::new(SystemClock))
}

fn claims(issuer: &FakeIssuer) -> Value {
    json!({
        "iss": issuer.name(), "aud": AUDIENCE, "iat": now(), "nbf": now() - 5, "exp": now() + 300,
        "repository": "Example/dns", "repository_owner": "example", "ref": "refs/heads/move-www", "sha": SHA,
    })
}

/// The claims with some replaced; null: left out.
fn with(mut claims: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => drop(claims.as_object_mut().expect("an object").remove(name)),
            other => claims[name] = other.clone(),
        }
    }
    claims
}

async fn refused(sign_ins: &SignIns, token: &str) -> Refused {
    sign_ins.asker(token).await.expect_err("it opens nothing")
}

#[tokio::test]
async fn a_token_of_a_job_opens_its_own_repository_and_commit() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256] {
        let signer = Signer::new("one", algorithm);
        let issuer = FakeIssuer::start(&[&signer]);
        let asker = sign_ins(&issuer, Duration::ZERO).asker(&signer.sign(&claims(&issuer))).await;
        let about = About::Commit { id: CommitId::new(SHA), branch: None };
        assert_eq!(asker, Ok(Asker { name: "a job of Example/dns".into(), repos: vec![RepoId::new("dns")], about }), "{algorithm:?}");
    }
}

#[tokio::test]
async fn a_token_that_is_not_for_us_now_or_from_there_opens_nothing() {
    let (signer, other) = (Signer::new("one", Algorithm::RS256), Signer::new("one", Algorithm::RS256));
    let issuer = FakeIssuer::start(&[&signer]);
    let (sign_ins, good) = (sign_ins(&issuer, Duration::ZERO), claims(&issuer));
    for (changes, what) in [
        (json!({ "exp": now() - 31 }), "has expired"),
        (json!({ "exp": Value::Null }), "has no claim `exp`"),
        (json!({ "nbf": now() + 300 }), "is not valid yet"),
        (json!({ "iat": now() + 300 }), "was made in the future"),
        (json!({ "iat": Value::Null }), "does not say when it was made"),
        (json!({ "aud": "https://elsewhere.example.com" }), "is not made for `https://trueup.example.com`"),
        (json!({ "aud": Value::Null }), "has no claim `aud`"),
        (json!({ "iss": "https://elsewhere.example.com" }), "no sign-in takes tokens of `https://elsewhere.example.com`"),
        (json!({ "repository_owner": "mallory" }), "`repository_owner` is `mallory`"),
        (json!({ "repository_owner": Value::Null }), "`repository_owner` is `nothing`"),
        (json!({ "repository": "example/other" }), "`example/other` is no repository of this server"),
        (json!({ "repository": Value::Null }), "names no repository"),
        (json!({ "sha": Value::Null }), "names no commit"),
    ] {
        let why = refused(&sign_ins, &signer.sign(&with(good.clone(), changes.clone()))).await.to_string();
        assert!(why.contains(what), "{changes}: {why}");
    }
    let why = refused(&sign_ins, &other.sign(&good)).await;
    assert!(matches!(&why, Refused::Unproven(what, _) if what.contains("signature")), "{why}");
    // What a clock may be off by is no expiry.
    assert!(sign_ins.asker(&signer.sign(&with(good, json!({ "exp": now() - 5 })))).await.is_ok());
}

#[tokio::test]
async fn only_the_issuers_own_kind_of_signature_counts() {
    let (signer, elliptic) = (Signer::new("one", Algorithm::RS256), Signer::new("two", Algorithm::ES256));
    let issuer = FakeIssuer::start(&[&signer, &elliptic]);
    let (sign_ins, good) = (sign_ins(&issuer, Duration::ZERO), claims(&issuer));
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = |alg: &str| format!("{}.{}.", part(&json!({ "alg": alg, "typ": "JWT", "kid": "one" })), part(&good));
    for alg in ["none", "None", "nOnE", "XX999"] {
        assert!(refused(&sign_ins, &unsigned(alg)).await.to_string().contains("not signed with RS256 or ES256"), "{alg}");
    }
    // The public key taken for a shared secret, as each server has it that does not look at the algorithm.
    let shared = EncodingKey::from_secret(&signer.public_pem());
    let header = Header { kid: Some("one".into()), ..Header::new(Algorithm::HS256) };
    let forged = jsonwebtoken::encode(&header, &good, &shared).expect("it can be signed");
    assert!(refused(&sign_ins, &forged).await.to_string().contains("not signed with RS256 or ES256"));
    // A key of one kind under the name of a key of another.
    let crossed = signer.sign_as(&Header { kid: Some("two".into()), ..signer.header() }, &good);
    assert!(refused(&sign_ins, &crossed).await.to_string().contains("signature"));
    let critical = signer.sign_as(&Header { crit: Some(vec!["b64".into()]), ..signer.header() }, &good);
    assert!(refused(&sign_ins, &critical).await.to_string().contains("crit"));
    let token = signer.sign(&good);
    let [head, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let changed = format!("{head}.{}.{signature}", part(&with(good.clone(), json!({ "repository_owner": "example", "sha": "dd" }))));
    assert!(refused(&sign_ins, &changed).await.to_string().contains("signature"));
    let nameless = signer.sign_as(&Header { kid: None, ..signer.header() }, &good);
    assert!(refused(&sign_ins, &nameless).await.to_string().contains("which key"));
    for nonsense in ["", "a.b.c", "....", "not a token", &"x".repeat(20_000), &format!("{}.{}.{}", "e".repeat(6000), "e".repeat(6000), "e".repeat(6000))] {
        assert!(matches!(refused(&sign_ins, nonsense).await, Refused::Unproven(..)));
    }
}

#[tokio::test]
async fn a_new_key_is_read_when_a_token_names_it_and_a_made_up_one_asks_the_issuer_no_more_than_once_a_while() {
    let (first, second) = (Signer::new("first", Algorithm::RS256), Signer::new("second", Algorithm::ES256));
    let issuer = FakeIssuer::start(&[&first]);
    let eager = sign_ins(&issuer, Duration::ZERO);
    assert!(eager.asker(&first.sign(&claims(&issuer))).await.is_ok());
    assert!(refused(&eager, &second.sign(&claims(&issuer))).await.to_string().contains("publishes no key `second`"));
    issuer.publishes(&[&first, &second]);
    assert!(eager.asker(&second.sign(&claims(&issuer))).await.is_ok());
    let asked = issuer.site.asked(KEYS);
    assert!(eager.asker(&first.sign(&claims(&issuer))).await.is_ok());
    assert_eq!(issuer.site.asked(KEYS), asked, "known keys are not asked for again");
    let patient = sign_ins(&issuer, Duration::from_secs(3600));
    let made_up = Signer::new("made-up", Algorithm::ES256);
    for _ in 0..20 {
        assert!(matches!(refused(&patient, &made_up.sign(&claims(&issuer))).await, Refused::Unproven(..)));
    }
    assert_eq!(issuer.site.asked(KEYS), asked + 1);
}

#[tokio::test]
async fn an_issuer_that_is_away_or_answers_without_end_is_told_and_known_keys_go_on() {
    let signer = Signer::new("one", Algorithm::RS256);
    let issuer = FakeIssuer::start(&[&signer]);
    let (sign_ins, fresh) = (sign_ins(&issuer, Duration::ZERO), sign_ins(&issuer, Duration::ZERO));
    assert!(sign_ins.asker(&signer.sign(&claims(&issuer))).await.is_ok());
    let other = Signer::new("other", Algorithm::RS256);
    for (status, body, what) in [
        (503, String::new(), "503"),
        (200, format!("{{\"keys\": [{}]}}", "0,".repeat(5 << 20)), "longer than"),
        (200, "<html>".to_owned(), "no JSON"),
        (200, "{}".to_owned(), "no list `keys`"),
        (200, format!("{{\"keys\": [{}1]}}", "1,".repeat(200)), "more than 100 keys"),
    ] {
        issuer.site.says(KEYS, status, &body);
        let why = refused(&fresh, &signer.sign(&claims(&issuer))).await;
        assert!(matches!(&why, Refused::Away(told, _) if told.contains(what)), "{what}: {why}");
        assert!(matches!(refused(&sign_ins, &other.sign(&claims(&issuer))).await, Refused::Away(..)));
        assert!(sign_ins.asker(&signer.sign(&claims(&issuer))).await.is_ok(), "known keys go on: {what}");
    }
    issuer.site.leads(KEYS, "http://127.0.0.1:1/keys");
    assert!(matches!(refused(&fresh, &signer.sign(&claims(&issuer))).await, Refused::Away(told, _) if told.contains("302")));
}

#[tokio::test]
async fn keys_of_a_file_prove_without_a_network() {
    let signer = Signer::new("one", Algorithm::ES256);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("keys.json");
    std::fs::write(&path, json!({ "keys": [signer.public()] }).to_string()).expect("the folder is writable");
    let keys = Keys::new(KeySource::File(path)).expect("a file");
    assert!(keys.key("one").await.is_ok());
}
