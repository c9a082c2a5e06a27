//! Data on its way into sentences, Markdown, HTML, Mermaid and terminals: it can never ping people, or become markup, links or diagrams.
//!
//! Forges look for mentions and references in rendered text, so character references do not stop them; code does.
//! Therefore every piece of data in Markdown stands in a code span or a fenced block, and nowhere else.

/// The longest piece of data inside a sentence; longer ones are cut, because the whole stands in the plan.
const LONGEST: usize = 200;

/// One visible line: control characters, line ends and characters that reorder or hide text are written as `\u{…}`.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_hidden(c) => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// Controls, line separators, and format characters with which text can look like other text.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `plain`, at most `most` characters long.
pub fn cut(text: &str, most: usize) -> String {
    // What is visible is never shorter than what it stands for, so the rest of a long text need not be read.
    let head = text.char_indices().nth(most.saturating_add(1)).map_or(text, |(end, _)| &text[..end]);
    let shown = plain(head);
    match shown.char_indices().nth(most) {
        None => shown,
        Some(_) => shown.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Data inside a sentence: a Markdown code span, which reads well in a terminal too.
pub fn code(text: &str) -> String {
    span(&cut(text, LONGEST))
}

/// A code span around one line, with a delimiter longer than any run of backticks in it.
fn span(text: &str) -> String {
    match longest_run(text, '`') {
        0 if text.trim().is_empty() => "` `".to_owned(),
        0 => format!("`{text}`"),
        run => {
            let ticks = "`".repeat(run + 1);
            format!("{ticks} {text} {ticks}")
        }
    }
}

fn longest_run(text: &str, of: char) -> usize {
    text.split(|c| c != of).map(str::len).max().unwrap_or(0)
}

/// A fenced block whose fence no line of the body can close; lines are made visible one by one.
pub fn fence(language: &str, body: &str) -> String {
    let lines: Vec<String> = body.lines().map(plain).collect();
    let run = lines.iter().map(|line| longest_run(line, '`')).max().unwrap_or(0);
    let ticks = "`".repeat(3.max(run + 1));
    let mut out = format!("{ticks}{language}\n");
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
    out + &ticks + "\n"
}

/// Text for HTML, in elements and in quoted attributes.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Some Markdown readers see code spans in raw HTML too.
            '`' => out.push_str("&#96;"),
            c => out.push(c),
        }
    }
    out
}

/// Data inside raw HTML of a comment (`<summary>`), where Markdown is not read: a code element.
pub fn html_code(text: &str) -> String {
    format!("<code>{}</code>", html(&cut(text, LONGEST)))
}

/// A sentence of ours as HTML: everything escaped, code spans as code elements.
pub fn sentence_html(sentence: &str) -> String {
    let mut out = String::new();
    let mut rest = sentence;
    while let Some(open) = rest.find('`') {
        let ticks = rest[open..].len() - rest[open..].trim_start_matches('`').len();
        let inside = &rest[open + ticks..];
        let Some(close) = closing(inside, ticks) else { break };
        out.push_str(&html(&rest[..open]));
        let text = &inside[..close];
        let text = text.strip_prefix(' ').and_then(|text| text.strip_suffix(' ')).filter(|text| ticks > 1 && !text.is_empty()).unwrap_or(text);
        out.push_str(&format!("<code>{}</code>", html(text)));
        rest = &inside[close + ticks..];
    }
    out + &html(rest)
}

/// Where a run of exactly `ticks` backticks starts.
fn closing(text: &str, ticks: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text[at..].find('`') {
        let start = at + found;
        let run = text[start..].len() - text[start..].trim_start_matches('`').len();
        if run == ticks {
            return Some(start);
        }
        at = start + run;
    }
    None
}

/// Data inside a quoted Mermaid label, at most `most` characters of it: everything but letters, digits and a few marks becomes a character code.
pub fn mermaid(text: &str, most: usize) -> String {
    let mut out = String::new();
    for c in cut(text, most).chars() {
        match c {
            ' ' | '.' | '-' | '_' | '/' | ',' => out.push(c),
            c if c.is_alphanumeric() => out.push(c),
            c => out.push_str(&format!("#{};", u32::from(c))),
        }
    }
    out
}
