//! A zone file's text to entries: tokens with places, comments gone, parentheses undone.

use crate::core::model::{Place, Refusal, RefusalKind, Str};

/// One entry: a record or a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// It starts with a blank, so the owner of the record before holds.
    pub indented: bool,
    pub words: Vec<Word>,
    pub place: Place,
    /// The lines it stands on; nothing else does.
    pub first_line: u32,
    pub last_line: u32,
}

/// One token; escapes are still in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// As it stands in the file, quotes included.
    pub text: String,
    pub place: Place,
}

/// Splits a file; what is broken is reported and its entry left out.
pub(super) fn entries(file: &Str, text: &str, faults: &mut Vec<Refusal>) -> Vec<Entry> {
    let mut reader = Reader { chars: text.chars().peekable(), file, line: 1, column: 1 };
    let mut out = Vec::new();
    while reader.chars.peek().is_some() {
        match reader.entry() {
            Ok(Some(entry)) => out.push(entry),
            Ok(None) => {}
            Err(refusal) => {
                faults.push(refusal);
                reader.skip_line();
            }
        }
    }
    out
}

struct Reader<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    file: &'a Str,
    line: u32,
    column: u32,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn place(&self) -> Place {
        Place::new(self.file.clone(), self.line, self.column)
    }

    fn skip_line(&mut self) {
        while self.next().is_some_and(|c| c != '\n') {}
    }

    /// One entry, to the end of its last line; `None` for a line without words.
    fn entry(&mut self) -> Result<Option<Entry>, Refusal> {
        let indented = matches!(self.chars.peek(), Some(' ' | '\t'));
        let first_line = self.line;
        let mut words: Vec<Word> = Vec::new();
        let mut open: Option<Place> = None;
        loop {
            let (place, line) = (self.place(), self.line);
            match self.chars.peek() {
                None | Some('\n') if open.is_none() => {
                    self.next();
                    let first = words.first().map(|word| word.place.clone());
                    return Ok(first.map(|place| Entry { indented, words, place, first_line, last_line: line }));
                }
                None => {
                    let at = open.unwrap_or(place);
                    return Err(Refusal::new(RefusalKind::Syntax, "a parenthesis has no end").at(at).advice("close it with `)`"));
                }
                Some('\n' | ' ' | '\t' | '\r') => {
                    self.next();
                }
                Some(';') => {
                    while self.chars.peek().is_some_and(|c| *c != '\n') {
                        self.next();
                    }
                }
                Some('(') if open.is_none() => {
                    self.next();
                    open = Some(place);
                }
                Some(')') if open.is_some() => {
                    self.next();
                    open = None;
                }
                Some(c @ ('(' | ')')) => {
                    let what = format!("the parenthesis `{c}` does not fit");
                    return Err(Refusal::new(RefusalKind::Syntax, what).at(place).advice("parentheses come in pairs and not inside each other; write `\\(` for the character"));
                }
                Some(_) => words.push(self.word()?),
            }
        }
    }

    /// Characters up to a blank outside of quotes.
    fn word(&mut self) -> Result<Word, Refusal> {
        let place = self.place();
        let mut text = String::new();
        let mut quoted = false;
        while let Some(&c) = self.chars.peek() {
            match c {
                '\n' if quoted => break,
                ' ' | '\t' | '\r' | '\n' | ';' | '(' | ')' if !quoted => break,
                _ => {}
            }
            self.next();
            text.push(c);
            match c {
                '"' => {
                    quoted = !quoted;
                    if !quoted && text.starts_with('"') {
                        break;
                    }
                }
                '\\' => match self.chars.peek() {
                    Some('\n') | None => {
                        return Err(Refusal::new(RefusalKind::Syntax, "a backslash stands at the end of a line").at(place).advice("write `\\\\` for the character"));
                    }
                    Some(_) => text.extend(self.next()),
                },
                _ => {}
            }
        }
        if quoted {
            return Err(Refusal::new(RefusalKind::Syntax, "a quoted string has no end on its line")
                .at(place)
                .advice("close the quote; a string that long can be written as several"));
        }
        Ok(Word { text, place })
    }
}
