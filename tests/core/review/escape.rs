//! Data that comes from outside does nothing where it is shown.

use proptest::prelude::*;
use trueup::core::review::escape::{code, fence, html, html_code, mermaid, plain, sentence_html};

/// Names that try everything.
pub const HOSTILE: [&str; 12] = [
    "@everyone",
    "`@everyone`",
    "``` \n/close\n```",
    "[click](https://evil.example)",
    "https://evil.example",
    "<img src=x onerror=alert(1)>",
    "--> <script>alert(1)</script> <!--",
    "</details></code>",
    "#1 !2 ~bug &copy; :smile:",
    "\"] --> x[\"y",
    "a\u{202e}b\u{200b}c\u{1b}[31m",
    "`",
];

/// What a CommonMark reader sees outside code spans and fenced blocks; written apart from the product's code.
pub fn active_text(markdown: &str) -> String {
    let mut out = String::new();
    let mut fence: Option<usize> = None;
    for line in markdown.split_inclusive('\n') {
        let ticks = line.chars().take_while(|c| *c == '`').count();
        let rest = line[ticks..].trim();
        match fence {
            Some(open) if ticks >= open && rest.is_empty() => fence = None,
            Some(_) => {}
            None if ticks >= 3 && !rest.contains('`') => fence = Some(ticks),
            None => out.push_str(line),
        }
    }
    assert!(fence.is_none(), "a fence is left open");
    let chars: Vec<char> = out.chars().collect();
    let run = |at: usize| chars[at..].iter().take_while(|c| **c == '`').count();
    let (mut at, mut text) = (0, String::new());
    while at < chars.len() {
        let ticks = run(at);
        if ticks == 0 {
            text.push(chars[at]);
            at += 1;
            continue;
        }
        let mut end = at + ticks;
        while end < chars.len() && run(end) != ticks {
            end += run(end).max(1);
        }
        assert!(end < chars.len(), "a code span is left open in {out}");
        text.push('§');
        at = end + ticks;
    }
    text
}

#[test]
fn data_in_a_sentence_is_one_code_span() {
    for text in HOSTILE {
        assert_eq!(active_text(&format!("before {} after", code(text))), "before § after", "{text}");
    }
}

#[test]
fn a_fence_is_longer_than_any_in_its_body() {
    assert_eq!(fence("diff", "+ a\n```\n````\n"), "`````diff\n+ a\n```\n````\n`````\n");
}

#[test]
fn what_reorders_or_hides_text_is_made_visible() {
    assert_eq!(plain("a\u{202e}b\u{200b}c\u{1b}[31m\r\n"), "a\\u{202e}b\\u{200b}c\\u{1b}[31m\\u{d}\\n");
}

#[test]
fn long_data_is_cut_in_a_sentence() {
    assert_eq!(code(&"x".repeat(5000)).chars().count(), 202);
}

#[test]
fn a_sentence_on_a_page_keeps_its_code_and_nothing_else() {
    assert_eq!(
        sentence_html(&format!("{} <b>said</b> `/trueup approve`: {}", code("<i>`x`</i>"), code("@a"))),
        "<code>&lt;i&gt;&#96;x&#96;&lt;/i&gt;</code> &lt;b&gt;said&lt;/b&gt; <code>/trueup approve</code>: <code>@a</code>"
    );
}

#[test]
fn mermaid_labels_hold_no_syntax() {
    assert_eq!(mermaid("www \"] --> x[\"y", 60), "www #34;#93; --#62; x#91;#34;y");
}

proptest! {
    #[test]
    fn any_data_is_one_code_span(text in "(\\PC|[`\\n\\r<>@]){0,60}") {
        prop_assert_eq!(active_text(&format!("before {} after", code(&text))), "before § after");
    }

    #[test]
    fn any_body_stays_in_its_fence(text in "(\\PC|[`\\n\\r~]){0,80}") {
        prop_assert_eq!(active_text(&format!("{}after", fence("text", &text))), "after");
    }

    #[test]
    fn any_data_in_html_is_text(text in "(\\PC|[<>&\"'`]){0,60}") {
        for out in [html(&text), html_code(&text).replace("<code>", "").replace("</code>", ""), sentence_html(&text).replace("<code>", "").replace("</code>", "")] {
            prop_assert!(!out.contains(['<', '>', '"', '\'']), "{}", out);
        }
    }

    #[test]
    fn any_data_in_mermaid_is_letters_and_codes(text in "(\\PC|[\"\\n;{}\\[\\]]){0,60}") {
        prop_assert!(mermaid(&text, 60).chars().all(|c| c.is_alphanumeric() || " .-_/,#;".contains(c)));
    }
}
