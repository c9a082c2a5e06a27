//! Signatures against the vendors' own published examples, and everything that must not pass for one.

use std::collections::BTreeMap;
use trueup::{
    core::model::{Span, Time},
    forges::hooks::{Dialect, Envelope, Refused, TOLERANCE, payload_of_form, verify},
    ports::SecretText,
};

/// GitHub's own example: docs.github.com, "Validating webhook deliveries", "Testing the webhook payload validation".
const GITHUB_SECRET: &str = "It's a Secret to Everybody";
const GITHUB_BODY: &[u8] = b"Hello, World!";
const GITHUB_MAC: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

/// The example that the libraries of Standard Webhooks are tested with.
const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const STANDARD_BODY: &[u8] = br#"{"test": 2432232314}"#;
const STANDARD_AT: i64 = 1_614_265_330;
const STANDARD: [(&str, &str); 4] = [
    ("x-gitlab-event", "Push Hook"),
    ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
    ("webhook-timestamp", "1614265330"),
    ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
];

fn envelope(headers: &[(&str, &str)]) -> Envelope {
    let headers: BTreeMap<&str, &str> = headers.iter().copied().collect();
    Envelope::of(|name| headers.get(name).copied()).expect("a forge's headers")
}

fn judged(headers: &[(&str, &str)], body: &[u8], secrets: &[&str], at: Time) -> Result<(), Refused> {
    let secrets: Vec<SecretText> = secrets.iter().map(|text| SecretText::new(*text)).collect();
    verify(&envelope(headers), body, body, &secrets, at)
}

fn seconds(n: i64) -> Time {
    Time(n * 1000)
}

#[test]
fn githubs_published_example_is_genuine() {
    let signature = format!("sha256={GITHUB_MAC}");
    let headers = [("x-github-event", "push"), ("x-hub-signature-256", &*signature)];
    assert_eq!(judged(&headers, GITHUB_BODY, &[GITHUB_SECRET], Time(0)), Ok(()));
    assert_eq!(judged(&headers, b"Hello, World?", &[GITHUB_SECRET], Time(0)), Err(Refused::Forged));
    assert_eq!(judged(&headers, GITHUB_BODY, &["another"], Time(0)), Err(Refused::Forged));
    assert_eq!(judged(&headers, GITHUB_BODY, &["another", GITHUB_SECRET], Time(0)), Ok(()), "the old secret counts while it is listed");
}

#[test]
fn what_is_not_signed_as_the_forge_signs_is_refused() {
    let only = [("x-github-event", "push")];
    assert_eq!(judged(&only, GITHUB_BODY, &[GITHUB_SECRET], Time(0)), Err(Refused::Unsigned));
    // The older header is SHA-1, bare digits are Gitea's, and half a mac is none.
    for (header, value) in [
        ("x-hub-signature", format!("sha1={GITHUB_MAC}")),
        ("x-hub-signature-256", GITHUB_MAC.to_owned()),
        ("x-hub-signature-256", format!("sha256={GITHUB_MAC}0")),
        ("x-hub-signature-256", "sha256=öö".to_owned()),
    ] {
        let headers = [only[0], (header, &*value)];
        assert_eq!(judged(&headers, GITHUB_BODY, &[GITHUB_SECRET], Time(0)), Err(Refused::Unsigned), "{header}: {value}");
    }
    let half = format!("sha256={}", &GITHUB_MAC[..32]);
    assert_eq!(judged(&[only[0], ("x-hub-signature-256", &half)], GITHUB_BODY, &[GITHUB_SECRET], Time(0)), Err(Refused::Forged));
    assert_eq!(judged(&[only[0], ("x-hub-signature-256", "sha256=")], GITHUB_BODY, &[GITHUB_SECRET], Time(0)), Err(Refused::Forged));
}

#[test]
fn without_a_secret_nothing_is_genuine() {
    // The HMAC under an empty key is anybody's to compute.
    let empty = [("x-gitea-event", "push"), ("x-gitea-signature", "a4be0ad6bd1a9d8f6b1b3f6c1c4f2d2f4f7c5ce2a5bbd7b1e5d1c0e3ad1f0d11")];
    assert_eq!(judged(&empty, b"{}", &[], Time(0)), Err(Refused::NoSecret));
    assert_eq!(judged(&empty, b"{}", &[""], Time(0)), Err(Refused::NoSecret));
    assert_eq!(judged(&[("x-gitlab-event", "Push Hook"), ("x-gitlab-token", "")], b"{}", &[" \n"], Time(0)), Err(Refused::NoSecret));
}

#[test]
fn gitea_and_forgejo_are_recognised_before_the_headers_of_github_that_they_send_too() {
    let signature = format!("sha256={GITHUB_MAC}");
    let hub = [("x-github-event", "push"), ("x-github-delivery", "d-1"), ("x-hub-signature-256", &*signature)];
    for (event, own, delivery) in [("x-gitea-event", "x-gitea-signature", "x-gitea-delivery"), ("x-forgejo-event", "x-forgejo-signature", "x-forgejo-delivery")] {
        let headers = [&hub[..], &[(event, "push"), (own, GITHUB_MAC), (delivery, "d-2")]].concat();
        let found = envelope(&headers);
        assert_eq!((found.dialect, found.id.as_deref()), (Dialect::Gitea, Some("d-2")));
        assert_eq!(judged(&headers, GITHUB_BODY, &[GITHUB_SECRET], Time(0)), Ok(()));
        // A wrong one of its own is not made good by GitHub's.
        let zeros = "0".repeat(64);
        let headers = [&hub[..], &[(event, "push"), (own, &*zeros)]].concat();
        assert_eq!(judged(&headers, GITHUB_BODY, &[GITHUB_SECRET], Time(0)), Err(Refused::Forged));
    }
    assert!(Envelope::of(|_| None).is_none());
}

#[test]
fn a_form_is_signed_as_a_whole_by_github_and_before_it_was_one_by_gitea() {
    let form = b"payload=Hello%2C+World%21";
    let payload = payload_of_form(form).expect("a form");
    assert_eq!(payload, GITHUB_BODY);
    let secrets = [SecretText::new(GITHUB_SECRET)];
    let gitea = envelope(&[("x-gitea-event", "push"), ("x-gitea-signature", GITHUB_MAC)]);
    assert_eq!(verify(&gitea, form, &payload, &secrets, Time(0)), Ok(()));
    let signature = format!("sha256={GITHUB_MAC}");
    let github = envelope(&[("x-github-event", "push"), ("x-hub-signature-256", &signature)]);
    assert_eq!(verify(&github, form, &payload, &secrets, Time(0)), Err(Refused::Forged), "GitHub signs what it sends");
    for broken in [&b"payload=%4"[..], b"payload=%zz", b"other=1", b""] {
        assert_eq!(payload_of_form(broken), None, "{}", String::from_utf8_lossy(broken));
    }
    assert_eq!(payload_of_form(b"a=1&payload=%7b%7D&b=2").as_deref(), Some(&b"{}"[..]));
}

#[test]
fn gitlabs_plain_token_is_compared_whole() {
    let token = |said: &'static str| [("x-gitlab-event", "Push Hook"), ("x-gitlab-token", said)];
    assert_eq!(judged(&token("hunter2"), b"{}", &["hunter2"], Time(0)), Ok(()));
    for wrong in ["hunter", "hunter22", "Hunter2", ""] {
        assert_eq!(judged(&token(wrong), b"{}", &["hunter2"], Time(0)), Err(Refused::Forged), "{wrong}");
    }
    assert_eq!(judged(&[("x-gitlab-event", "Push Hook")], b"{}", &["hunter2"], Time(0)), Err(Refused::Unsigned));
}

#[test]
fn the_example_of_standard_webhooks_is_genuine_for_five_minutes_either_way() {
    let judge = |at| judged(&STANDARD, STANDARD_BODY, &[STANDARD_SECRET], at);
    let most = i64::try_from(TOLERANCE.0 / 1000).expect("minutes");
    assert_eq!(TOLERANCE, Span::mins(5));
    for (at, verdict) in [
        (STANDARD_AT, Ok(())),
        (STANDARD_AT + most, Ok(())),
        (STANDARD_AT - most, Ok(())),
        (STANDARD_AT + most + 1, Err(Refused::Stale)),
        (STANDARD_AT - most - 1, Err(Refused::Stale)),
    ] {
        assert_eq!(judge(seconds(at)), verdict, "at {at}");
    }
    assert_eq!(envelope(&STANDARD).id.as_deref(), Some("msg_p5jXN8AQM9LWM0D4loKWxJek"), "the id that the signature covers");
}

#[test]
fn id_time_and_body_of_a_signed_delivery_are_all_covered() {
    let now = seconds(STANDARD_AT);
    for (header, other) in
        [("webhook-id", "msg_other"), ("webhook-timestamp", "1614265331"), ("webhook-timestamp", "0x6037bd32"), ("webhook-signature", "v1,"), ("webhook-signature", "")]
    {
        let headers = STANDARD.map(|(name, value)| if name == header { (name, other) } else { (name, value) });
        assert_eq!(judged(&headers, STANDARD_BODY, &[STANDARD_SECRET], now), Err(Refused::Forged), "{header}: {other}");
    }
    assert_eq!(judged(&STANDARD, b"{}", &[STANDARD_SECRET], now), Err(Refused::Forged));
}

#[test]
fn one_right_signature_among_several_is_enough_while_a_key_is_rotated() {
    let right = STANDARD[3].1;
    let several = format!("v1,AAAA v2,{} {right}", &right[3..]);
    let headers = [STANDARD[0], STANDARD[1], STANDARD[2], ("webhook-signature", &*several)];
    assert_eq!(judged(&headers, STANDARD_BODY, &[STANDARD_SECRET], seconds(STANDARD_AT)), Ok(()));
    let other_version = format!("v2,{}", &right[3..]);
    let headers = [STANDARD[0], STANDARD[1], STANDARD[2], ("webhook-signature", &*other_version)];
    assert_eq!(judged(&headers, STANDARD_BODY, &[STANDARD_SECRET], seconds(STANDARD_AT)), Err(Refused::Forged));
}

#[test]
fn a_signing_token_is_never_content_with_the_plain_one() {
    let plain = [("x-gitlab-event", "Push Hook"), ("x-gitlab-token", STANDARD_SECRET)];
    assert_eq!(judged(&plain, STANDARD_BODY, &[STANDARD_SECRET], seconds(STANDARD_AT)), Err(Refused::Unsigned));
    // And a key that is no base64 signs nothing.
    assert_eq!(judged(&STANDARD, STANDARD_BODY, &["whsec_***"], seconds(STANDARD_AT)), Err(Refused::NoSecret));
}

#[test]
fn nothing_printed_of_a_delivery_holds_its_token() {
    let printed = format!("{:?}", envelope(&[("x-gitlab-event", "Push Hook"), ("x-gitlab-token", "hunter2"), ("idempotency-key", "k-1")]));
    assert!(printed.contains("k-1") && !printed.contains("hunter2"), "{printed}");
}

#[test]
fn an_id_that_is_no_plain_text_is_none() {
    for (id, kept) in [("0b989ba4-242f-11e5-81e1-c7b6966d2516", true), ("", false), ("a b", false), (&*"x".repeat(201), false), ("\u{202e}", false)] {
        assert_eq!(envelope(&[("x-github-event", "push"), ("x-github-delivery", id)]).id.is_some(), kept, "{id:?}");
    }
    // Events that follow from one another share GitLab's event id, so the delivery's own goes first.
    let both = [("x-gitlab-event", "Push Hook"), ("x-gitlab-event-uuid", "event"), ("idempotency-key", "delivery")];
    assert_eq!(envelope(&both).id.as_deref(), Some("delivery"));
}
