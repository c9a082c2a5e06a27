//! Refusals as a compiler shows them.

use trueup::core::{
    model::{Place, Refusal, RefusalKind},
    render::refusal,
};

fn fault(what: &str) -> Refusal {
    Refusal::new(RefusalKind::Value, what)
}

#[test]
fn a_refusal_points_at_its_column_and_says_what_to_do() {
    let full = fault("a CNAME cannot point at a URL")
        .at(Place::new("dns/example.com.yaml", 104, 12))
        .excerpt("    value: https://example.org/")
        .advice("write the host name alone: `example.org.`")
        .also(Place::new("dns/b.yaml", 1, 1));
    insta::assert_snapshot!(refusal(&full));
}

#[test]
fn a_refusal_without_a_line_has_no_excerpt() {
    assert_eq!(refusal(&fault("too large").at(Place::file("a.yaml")).excerpt("x")), "error: too large\n--> a.yaml\n |\n".split(" |").next().unwrap());
    assert_eq!(refusal(&fault("no zone")), "error: no zone\n");
}

#[test]
fn the_caret_stands_below_its_column_also_after_tabs_and_controls() {
    let text = refusal(&fault("x").at(Place::new("a", 1, 4)).excerpt("\ta\u{1b}b"));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[3..], ["1 | \\ta\\u{1b}b", "  |          ^"]);
}

#[test]
fn of_a_long_line_the_part_around_the_column_is_shown() {
    let line = format!("{}HERE{}", "a".repeat(5000), "b".repeat(5000));
    let text = refusal(&fault("x").at(Place::new("a", 1, 5001)).excerpt(&line));
    assert!(text.len() < 600);
    let lines: Vec<&str> = text.lines().collect();
    let at = lines[4].chars().position(|c| c == '^').unwrap();
    assert_eq!(lines[3].chars().skip(at).take(4).collect::<String>(), "HERE");
}

#[test]
fn a_column_outside_the_line_has_no_caret() {
    assert!(!refusal(&fault("x").at(Place::new("a", 1, 99)).excerpt("short")).contains('^'));
    assert!(!refusal(&fault("x").at(Place::new("a", 1, 0)).excerpt("short")).contains('^'));
}
