//! Commands in comments.

use proptest::prelude::*;
use trueup::core::{
    model::StepId,
    review::{Answer, Command, Right, command::parse},
};

fn approve() -> Command {
    Command::Approve { digest: None, steps: vec![] }
}

fn nearest(body: &str) -> Option<String> {
    match parse(body).as_slice() {
        [Command::Unknown { nearest, .. }] => nearest.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn several_commands_are_read_in_order() {
    assert_eq!(parse("Looks good.\r\n/trueup approve\r\n\r\n/trueup start\r\n"), [approve(), Command::Start]);
}

#[test]
fn only_lines_that_start_with_the_command_count() {
    assert!(parse("please say /trueup approve").is_empty());
    assert!(parse("`/trueup approve`").is_empty());
    assert!(parse("- /trueup approve").is_empty());
    assert!(parse("/trueupapprove").is_empty());
    assert!(parse("    /trueup approve").is_empty(), "four spaces are code");
}

#[test]
fn quotes_code_and_html_comments_are_not_commands() {
    assert!(parse("> /trueup approve").is_empty());
    assert!(parse("```\n/trueup approve\n```").is_empty());
    assert!(parse("~~~~ text\n/trueup approve\n~~~\n/trueup approve\n~~~~").is_empty());
    assert!(parse("```\n/trueup approve").is_empty(), "a fence that nobody closes goes to the end");
    assert!(parse("<!-- for later\n/trueup approve\n-->").is_empty());
    assert!(parse("<!-- a --> text <!--\n/trueup approve\n").is_empty());
}

#[test]
fn what_follows_code_or_a_comment_counts_again() {
    assert_eq!(parse("```\nx\n```\n/trueup pause"), [Command::Pause]);
    assert_eq!(parse("<!-- x -->\n/trueup pause"), [Command::Pause]);
    assert_eq!(parse("<!-- x\n``` \n-->\n/trueup pause"), [Command::Pause]);
    assert_eq!(parse("```inline``` text\n/trueup pause"), [Command::Pause]);
}

#[test]
fn an_approval_names_a_digest_or_steps_or_nothing() {
    assert_eq!(parse("/trueup approve 0123456789AB"), [Command::Approve { digest: Some("0123456789ab".into()), steps: vec![] }]);
    assert_eq!(parse("/trueup approve 3, 4"), [Command::Approve { digest: None, steps: vec![StepId(3), StepId(4)] }]);
    assert_eq!(parse("/trueup  Approve"), [approve()]);
}

#[test]
fn an_approval_is_never_guessed() {
    for body in ["/trueup approve please", "/trueup approve 0123", "/trueup approve 0123456789ab 0123456789ab", "/trueup aprove"] {
        assert_eq!(nearest(body).as_deref(), Some("approve [DIGEST | STEP…]"), "{body}");
    }
}

#[test]
fn a_skip_has_a_step_and_a_reason() {
    assert_eq!(parse("/trueup skip 3 the record is gone on purpose"), [Command::Skip { step: StepId(3), until: None, reason: "the record is gone on purpose".into() }]);
    assert_eq!(parse("/trueup skip 3"), [Command::Skip { step: StepId(3), until: None, reason: String::new() }]);
    assert_eq!(parse("/trueup skip 3 until 7d the key comes"), [Command::Skip { step: StepId(3), until: Some("7d".into()), reason: "the key comes".into() }]);
    assert_eq!(nearest("/trueup skip it").as_deref(), Some("skip STEP [until WHEN] REASON…"));
}

#[test]
fn an_unknown_command_names_the_nearest() {
    assert_eq!(nearest("/trueup pasue").as_deref(), Some("pause"));
    assert_eq!(nearest("/trueup restor").as_deref(), Some("restore"));
    assert_eq!(nearest("/trueup explode").as_deref(), None);
    assert_eq!(nearest("/trueup restore everything").as_deref(), Some("restore"));
}

#[test]
fn the_bare_word_asks_for_help() {
    assert_eq!(parse("/trueup"), [Command::Help]);
}

#[test]
fn the_help_lists_every_command_with_what_it_does() {
    insta::assert_snapshot!(Answer::Help.to_string());
}

#[test]
fn every_command_is_read_back_from_its_name() {
    for command in Command::all() {
        let body = match &command {
            Command::Skip { .. } => "/trueup skip 1".to_owned(),
            Command::Override { .. } => {
                let said = Command::Override { resource: "inside/rrset/a./@/A".into(), until: "1d".into(), reason: "moved by hand".into() };
                assert_eq!(parse("/trueup override `inside/rrset/a./@/A` until 1d moved by hand"), [said]);
                assert!(matches!(parse("/trueup override inside/rrset/a./@/A 1d x")[..], [Command::Unknown { .. }]), "an override must not be guessed");
                continue;
            }
            other => format!("/trueup {}", other.verb()),
        };
        assert_eq!(parse(&body), std::slice::from_ref(&command));
        assert!(command.needs() >= Right::Read);
    }
}

proptest! {
    #[test]
    fn no_comment_breaks_the_reader(body in "[/<>!`~ \\n\\-a-z0-9]{0,200}") {
        parse(&body);
    }

    #[test]
    fn fenced_text_never_commands(body in "[^`]{0,200}") {
        let comment = format!("````\n{body}\n/trueup approve\n````");
        prop_assert!(parse(&comment).is_empty());
    }
}
