//! A refusal as a compiler would show it: what, where, the line with a caret, and what to do next.

use crate::core::{
    model::Refusal,
    review::escape::{cut, plain},
};

/// How much of a long line is shown on each side of the caret.
const AROUND: usize = 70;

/// One refusal as lines of text, without colour and without anything that a terminal or a page could take as its own.
pub fn refusal(refusal: &Refusal) -> String {
    let Refusal { kind: _, what, place, excerpt, advice, also } = refusal;
    let mut out = format!("error: {}\n", cut(what, 1000));
    let line = place.as_ref().map_or(0, |place| place.line);
    let gutter = " ".repeat(if line == 0 { 0 } else { line.to_string().len() });
    if let Some(place) = place {
        out.push_str(&format!("{gutter}--> {}\n", plain(&place.to_string())));
        if let Some(excerpt) = excerpt
            && line > 0
        {
            let (text, caret) = window(excerpt, place.column as usize);
            out.push_str(&format!("{gutter} |\n{line} | {text}\n"));
            if let Some(caret) = caret {
                out.push_str(&format!("{gutter} | {}^\n", " ".repeat(caret)));
            }
        }
    }
    if let Some(also) = also {
        out.push_str(&format!("{gutter}also: {}\n", plain(&also.to_string())));
    }
    if let Some(advice) = advice {
        out.push_str(&format!("{gutter}help: {}\n", cut(advice, 1000)));
    }
    out
}

/// The part of a line around a column, and where the caret stands in it.
fn window(line: &str, column: usize) -> (String, Option<usize>) {
    let chars: Vec<char> = line.trim_end_matches(['\n', '\r']).chars().collect();
    let caret = column.checked_sub(1).filter(|at| *at <= chars.len());
    let at = caret.unwrap_or(0);
    let (from, to) = (at.saturating_sub(AROUND), (at + AROUND).min(chars.len()));
    let shown = |part: &[char]| plain(&part.iter().collect::<String>());
    let before = format!("{}{}", if from > 0 { "…" } else { "" }, shown(&chars[from..at]));
    let caret = caret.map(|_| before.chars().count());
    (format!("{before}{}{}", shown(&chars[at..to]), if to < chars.len() { "…" } else { "" }), caret)
}
