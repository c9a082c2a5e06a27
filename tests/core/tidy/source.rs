//! The source files as the rules see them.

use std::path::Path;

/// One Rust file.
pub struct Source {
    /// From the crate's root, with `/`: `src/core/mod.rs`.
    pub path: String,
    pub text: String,
}

impl Source {
    /// Lines of code with their numbers: comments and the text of string literals taken out.
    pub fn code(&self) -> Vec<(usize, String)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, code_of(line))).collect()
    }

    /// Lines before the unit tests at the end of the file.
    pub fn product(&self) -> Vec<(usize, String)> {
        self.code().into_iter().take_while(|(_, line)| line.trim() != "#[cfg(test)]").collect()
    }

    /// The first folder below `src`, or the file there: `core`, `lib.rs`.
    pub fn area(&self) -> &str {
        self.path.strip_prefix("src/").unwrap_or_default().split('/').next().unwrap_or_default()
    }
}

/// Every Rust file below a folder of the crate, sorted.
pub fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    for path in files(folder) {
        if path.ends_with(".rs") {
            let text = read(&path);
            found.push(Source { path, text });
        }
    }
    assert!(!found.is_empty(), "no source below {folder}");
    found
}

/// Every file below a folder of the crate, sorted, by its path from the crate's root.
pub fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(root().join(&folder)) else { continue };
        for entry in entries.map(Result::unwrap) {
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A line without its comment and without what stands inside quotes.
fn code_of(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => drop(chars.next()),
            '"' => {
                quoted = !quoted;
                out.push('"');
            }
            // The character literal '"' opens no string.
            '\'' if !quoted && chars.peek() == Some(&'"') => {
                chars.next();
                chars.next();
            }
            '/' if !quoted && chars.peek() == Some(&'/') => break,
            c if !quoted => out.push(c),
            _ => {}
        }
    }
    out
}

#[test]
fn comments_and_quoted_text_are_no_code() {
    assert_eq!(code_of(r#"let a = "x // y"; // later"#), r#"let a = ""; "#);
    assert_eq!(code_of(r#"'"' => "\"tokio\"", b"#), r#" => "", b"#);
}
