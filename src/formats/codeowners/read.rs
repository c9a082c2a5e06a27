//! A whole file: lines, sections, and who is asked for what changed.

use super::{
    Owner,
    pattern::{Unread, pattern},
};
use crate::core::model::{Place, Refusal, RefusalKind, Str};
use regex::Regex;
use std::collections::BTreeSet;

/// Lines with patterns; each is held against each changed file.
const MOST: usize = 3_000;

/// Whose rules a file is written by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// GitHub's; repositories on this server have the same.
    #[default]
    GitHub,
    GitLab,
    /// Gitea's, which Forgejo keeps.
    Gitea,
}

impl Dialect {
    /// Whose rules these are, for people.
    pub fn said(self) -> &'static str {
        match self {
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
            Self::Gitea => "Gitea",
        }
    }

    /// The forge that alone looks for its file there.
    pub fn of_place(path: &str) -> Option<Self> {
        match path {
            ".github/CODEOWNERS" => Some(Self::GitHub),
            ".gitlab/CODEOWNERS" => Some(Self::GitLab),
            ".gitea/CODEOWNERS" | ".forgejo/CODEOWNERS" => Some(Self::Gitea),
            _ => None,
        }
    }

    /// The forge that a host is named after: those of the public, and what people call their own.
    pub fn of_host(host: &str) -> Option<Self> {
        let host = host.to_ascii_lowercase();
        let is = |names: &[&str]| names.iter().any(|name| host.split(['.', '-']).any(|part| part == *name));
        match () {
            () if is(&["gitlab"]) => Some(Self::GitLab),
            () if is(&["gitea", "forgejo", "codeberg"]) => Some(Self::Gitea),
            () if is(&["github"]) => Some(Self::GitHub),
            () => None,
        }
    }

    /// Where the file is looked for; the first that is there holds.
    pub fn places(self) -> &'static [&'static str] {
        match self {
            Self::GitHub => &[".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"],
            Self::GitLab => &["CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"],
            Self::Gitea => &["CODEOWNERS", "docs/CODEOWNERS", ".gitea/CODEOWNERS", ".forgejo/CODEOWNERS"],
        }
    }
}

/// What one file asks for.
#[derive(Clone, Debug)]
pub struct CodeOwners {
    path: Str,
    dialect: Dialect,
    sections: Vec<Section>,
    /// Lines that say nothing, each with its place: they are passed by, as the forge does.
    pub faults: Vec<Refusal>,
    /// The first line that the forge may read and nobody here did: whom it asks is not known, nor whom those before it still ask.
    pub unread: Option<Place>,
}

/// Lines of which one decides for a file; GitHub and Gitea know one section alone.
#[derive(Clone, Debug, Default)]
struct Section {
    name: Str,
    optional: bool,
    count: u32,
    /// Whom its last heading named that named anybody.
    heads: Named,
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    at: u32,
    /// None: newer forges may read it and we cannot, so every file may be meant.
    pattern: Option<Regex>,
    /// Files that it matches are none of the section's, on GitLab; those that it does not match are meant, on Gitea.
    not: bool,
    named: Named,
}

/// Who is named in a line or a heading.
#[derive(Clone, Debug, Default)]
struct Named {
    owners: Vec<Owner>,
    /// Words where owners stand that name nobody.
    nobody: Vec<Str>,
}

impl Named {
    fn is_empty(&self) -> bool {
        self.owners.is_empty() && self.nobody.is_empty()
    }
}

/// Approvals that a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub owners: Vec<Owner>,
    /// Words that name nobody: where these are all, nobody can be asked.
    pub nobody: Vec<Str>,
    pub count: u32,
    pub place: Place,
    /// The first changed file that it is asked for, and how many more.
    pub file: Str,
    pub more: usize,
}

impl CodeOwners {
    /// Reads a file; whatever stands in it, something comes of it.
    pub fn read(path: &str, bytes: &[u8], dialect: Dialect) -> Self {
        let mut read = Self { path: path.into(), dialect, sections: vec![Section { count: 1, ..Section::default() }], faults: Vec::new(), unread: None };
        let text = String::from_utf8_lossy(bytes);
        let (mut section, mut lines) = (0, 0);
        for (n, line) in text.lines().enumerate() {
            let at = u32::try_from(n + 1).unwrap_or(u32::MAX);
            let words = words(line, dialect);
            let Some((first, rest)) = words.split_first() else { continue };
            if dialect == Dialect::GitLab && (first.starts_with('[') || first.starts_with("^[")) {
                if let Some(found) = read.heading(line.trim(), at) {
                    section = found;
                }
                continue;
            }
            lines += 1;
            if lines > MOST {
                read.fault(at, format!("more than {MOST} patterns; what follows is not read, so an admin approves whatever owners are asked for"), "name folders instead of files");
                read.unread(at);
                break;
            }
            read.line(section, at, first, rest);
        }
        read
    }

    /// Where the file is.
    pub fn path(&self) -> &Str {
        &self.path
    }

    /// What is asked for some changed paths, in the order of the lines; the same people are asked once.
    pub fn asked<'a>(&self, changed: impl IntoIterator<Item = &'a str>) -> Vec<Asked> {
        let mut asked: Vec<((usize, u32), Asked)> = Vec::new();
        let changed: BTreeSet<&str> = changed.into_iter().collect();
        for path in changed {
            for (n, section) in self.sections.iter().enumerate().filter(|(_, section)| !section.optional) {
                for line in self.decides(section, path) {
                    // Whoever writes a line without owners says that nobody is asked.
                    if line.named.is_empty() {
                        continue;
                    }
                    let Named { owners, nobody } = line.named.clone();
                    match asked.iter_mut().find(|(key, known)| *key == (n, line.at) || known.owners == owners && known.count == section.count && known.nobody == nobody) {
                        Some((_, known)) => known.more += 1,
                        None => asked.push(((n, line.at), Asked { owners, nobody, count: section.count, place: self.place(line.at), file: path.into(), more: 0 })),
                    }
                }
            }
        }
        asked.sort_by_key(|(key, _)| *key);
        asked.into_iter().map(|(_, asked)| asked).collect()
    }

    /// Whether some line says whose a path is.
    pub fn owns(&self, path: &str) -> bool {
        !self.asked([path]).is_empty()
    }

    /// Everybody who is named anywhere.
    pub fn owners(&self) -> BTreeSet<&Owner> {
        self.sections.iter().flat_map(|section| section.lines.iter().flat_map(|line| &line.named.owners)).collect()
    }

    /// The lines of a section that decide for a path.
    fn decides<'a>(&self, section: &'a Section, path: &str) -> Vec<&'a Line> {
        let matches = |line: &&Line| line.pattern.as_ref().is_some_and(|pattern| pattern.is_match(path));
        match self.dialect {
            Dialect::GitHub => section.lines.iter().rfind(matches).into_iter().collect(),
            Dialect::GitLab => match section.lines.iter().filter(|line| line.not).any(|line| matches(&line)) {
                true => Vec::new(),
                false => section.lines.iter().filter(|line| !line.not).rfind(matches).into_iter().collect(),
            },
            Dialect::Gitea => section.lines.iter().filter(|line| line.pattern.is_none() || matches(line) != line.not).collect(),
        }
    }

    fn line(&mut self, section: usize, at: u32, first: &str, rest: &[String]) {
        let (not, text) = match first.strip_prefix('!').filter(|_| self.dialect != Dialect::GitHub) {
            Some(text) => (true, text),
            None => (false, first),
        };
        if self.dialect == Dialect::Gitea && rest.is_empty() {
            return self.fault(at, "it names no owner".to_owned(), "write whom to ask after the pattern: `@ana`");
        }
        let shown = crate::core::review::escape::cut(first, 80);
        let pattern = match pattern(text, self.dialect) {
            Ok(pattern) => Some(pattern),
            // Newer ones take what looks around and back, which ours does not: every line that matches asks, so the stricter reading is that all do.
            Err(why) if self.dialect == Dialect::Gitea => {
                let what = format!("which files `{shown}` means is not known here: {}", why.said());
                self.fault(at, what, "write it without lookarounds and back references; until then the line asks its owners for every file");
                None
            }
            Err(Unread::Long) => {
                self.fault(at, format!("which files `{shown}` means is not known here: it is too long"), "shorten it; until then an admin approves whatever owners are asked for");
                return self.unread(at);
            }
            Err(Unread::Wrong(why)) => return self.fault(at, format!("`{shown}` matches nothing: {why}"), "mend the pattern; until then the line asks nobody"),
        };
        let named = self.named(at, rest);
        if let Some(section) = self.sections.get_mut(section) {
            // As the section stands by now: those of a later heading are not meant.
            let named = if named.is_empty() { section.heads.clone() } else { named };
            section.lines.push(Line { at, pattern, not, named });
        }
    }

    /// The owners among some words; what names nobody is told.
    fn named(&mut self, at: u32, words: &[String]) -> Named {
        let Named { mut owners, mut nobody } = Named::default();
        for word in words {
            match Owner::read(word, self.dialect) {
                Ok(owner) if !owners.contains(&owner) => owners.push(owner),
                Ok(_) => {}
                Err(why) => {
                    let word = crate::core::review::escape::cut(word, 80);
                    self.fault(at, format!("`{word}` is {why}"), "mend it; until then only the others of the line are asked, and nobody can approve where there are none");
                    nobody.push(word.into());
                }
            }
        }
        Named { owners, nobody }
    }

    /// A heading of GitLab: `^[Name][2] @owner`; which section it begins, or goes on with.
    fn heading(&mut self, line: &str, at: u32) -> Option<usize> {
        let (optional, rest) = line.strip_prefix('^').map_or((false, line), |rest| (true, rest));
        let named = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).filter(|(name, _)| !name.trim().is_empty());
        let Some((name, rest)) = named else {
            self.fault(at, "a section's heading without a name".to_owned(), "write it as `[Name]`; what follows counts to the section before");
            return None;
        };
        let (count, rest) = match rest.strip_prefix('[').map(|rest| rest.split_once(']')) {
            None => (1, rest),
            Some(Some((count, rest))) if count.parse::<u32>().is_ok_and(|count| count > 0) => (count.parse().unwrap_or(1), rest),
            Some(other) => {
                self.fault(at, "how many approvals the section asks is no number above 0".to_owned(), "write it as `[Name][2]`; one is asked until then");
                (1, other.map_or("", |(_, rest)| rest))
            }
        };
        let words = words(rest, self.dialect);
        let named = self.named(at, &words);
        let known = self.sections.iter().position(|known| !known.name.is_empty() && known.name.to_lowercase() == name.to_lowercase());
        let place = known.unwrap_or_else(|| {
            self.sections.push(Section { name: name.into(), optional, count, ..Section::default() });
            self.sections.len() - 1
        });
        if let Some(section) = self.sections.get_mut(place) {
            // Of one that is begun twice, the stricter word holds.
            section.optional &= optional;
            section.count = section.count.max(count);
            if !named.is_empty() {
                section.heads = named;
            }
        }
        Some(place)
    }

    fn place(&self, line: u32) -> Place {
        Place::new(self.path.clone(), line, 1)
    }

    fn unread(&mut self, line: u32) {
        let place = self.place(line);
        self.unread.get_or_insert(place);
    }

    fn fault(&mut self, line: u32, what: String, advice: &str) {
        let place = self.place(line);
        self.faults.push(Refusal::new(RefusalKind::Value, what).at(place).advice(advice));
    }
}

/// The words of a line; the first keeps its escapes where patterns have some of their own. What follows a `#` is for people.
fn words(line: &str, dialect: Dialect) -> Vec<String> {
    let (mut words, mut word, mut chars) = (Vec::new(), String::new(), line.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let next = chars.next();
                // Gitea takes its own escapes off before it reads the expression.
                if dialect != Dialect::Gitea || next.is_none() {
                    word.push('\\');
                }
                word.extend(next);
            }
            '#' if word.is_empty() || dialect == Dialect::Gitea => {
                // GitLab takes whoever is named there for an owner, unless the whole line is for people.
                if dialect == Dialect::GitLab && !words.is_empty() {
                    words.extend(chars.as_str().split_whitespace().filter(|word| word.contains('@')).map(str::to_owned));
                }
                break;
            }
            c if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
