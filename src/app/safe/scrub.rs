//! Sentences of others: none that quotes a hidden value, or a part of one, leaves.

use crate::core::model::{Refusal, Value};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use std::collections::BTreeSet;

/// What stands for a sentence that is not shown.
const NOT_SHOWN: &str = "what was said quotes a sensitive value and is not shown; look at the target's own log";

/// So many characters in a row are a part of a value; fewer are in every sentence.
const WINDOW: usize = 8;

/// The plain values of one call.
#[derive(Default)]
pub struct Scrub {
    plain: Vec<String>,
}

impl Scrub {
    /// Keeps this value out of every sentence.
    pub fn add(&mut self, value: &Value) {
        match value {
            Value::Str(text) => self.text(text),
            Value::Num(number) => self.text(&number.0),
            Value::List(items) => items.iter().for_each(|item| self.add(item)),
            Value::Map(map) => map.values().for_each(|below| self.add(below)),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Blob { .. } | Value::Secret(_) | Value::Hidden(_) | Value::Unknown(_) => {}
        }
    }

    fn text(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let bytes = text.as_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let url: String =
            bytes.iter().map(|byte| if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) { char::from(*byte).to_string() } else { format!("%{byte:02x}") }).collect();
        let json = serde_json::Value::from(text).to_string();
        let all = [text.to_owned(), json[1..json.len() - 1].to_owned(), STANDARD.encode(bytes), URL_SAFE.encode(bytes), hex, url, text.escape_debug().to_string()];
        self.plain.extend(all.into_iter().map(|form| form.to_lowercase()).collect::<BTreeSet<_>>());
    }

    /// Whether a sentence holds a value, or a part of one.
    pub fn quotes(&self, said: &str) -> bool {
        let said = said.to_lowercase();
        let chars: Vec<char> = said.chars().collect();
        let windows: BTreeSet<&[char]> = chars.windows(WINDOW).collect();
        self.plain.iter().any(|plain| {
            let plain_chars: Vec<char> = plain.chars().collect();
            if plain_chars.len() <= WINDOW { said.contains(plain.as_str()) } else { plain_chars.windows(WINDOW).any(|part| windows.contains(part)) }
        })
    }

    /// The sentence, or that it is not shown.
    pub fn clean(&self, said: String) -> String {
        if self.quotes(&said) { NOT_SHOWN.to_owned() } else { said }
    }

    pub fn clean_refusal(&self, refusal: Refusal) -> Refusal {
        let Refusal { kind, what, place, excerpt, advice, also } = refusal;
        Refusal { kind, what: self.clean(what), place, excerpt: excerpt.filter(|line| !self.quotes(line)), advice: advice.filter(|text| !self.quotes(text)), also }
    }
}

#[cfg(test)]
mod tests {
    use super::{NOT_SHOWN, Scrub};
    use crate::core::model::Value;

    fn scrub(value: &str) -> Scrub {
        let mut scrub = Scrub::default();
        scrub.add(&Value::map([("values", Value::List(vec![Value::str(value)]))]));
        scrub
    }

    #[test]
    fn a_sentence_that_quotes_a_value_in_any_form_is_not_shown() {
        let scrub = scrub("s3cret \"värde\" & more");
        for said in [
            "the server says: s3cret \"värde\" & more",
            "bad value s3cret \\\"värde\\\" & more",
            "it begins with `S3CRET \"V`",
            "czNjcmV0ICJ2w6RyZGUiICYgbW9yZQ== is too long",
            "733363726574 is no number",
            "GET /?q=s3cret%20%22v%C3%A4rde",
        ] {
            assert_eq!(scrub.clean(said.to_owned()), NOT_SHOWN, "{said}");
        }
        let fine = "the user may not write `app/db/password`";
        assert_eq!(scrub.clean(fine.to_owned()), fine);
    }

    #[test]
    fn a_short_value_is_found_whole() {
        let scrub = scrub("pin1");
        assert!(scrub.quotes("it is pin1 now"));
        assert!(!scrub.quotes("it is pin2 now"));
    }
}
