//! Edits of a zone file: the records that differ are changed on their own lines, and comments, order, `$TTL` and `$ORIGIN` stay.

use super::{
    read::{Kept, Reader, Record, ttl},
    write::Written,
};
use crate::{
    core::model::{Kind, Policy, ResourceId, Str, Value},
    formats::{
        Scope, UnitFiles,
        splice::{Edits, Lines, apply},
    },
    kinds::dns::{DNS, DnsName, RType, rrset_id, split, words},
};
use std::collections::{BTreeMap, BTreeSet};

/// An RRset by its owner and type: its TTL and its values, in the kind's one form.
pub(super) type Sets = BTreeMap<(DnsName, RType), (i64, Vec<String>)>;

/// The files with these RRsets; `None` where that takes more than edits of the lines of those that differ. Whoever edits reads back what came of it.
pub(super) fn spliced(files: &Written<'_>, previous: &UnitFiles, path: &Str, by_name: &DnsName, wanted: &Sets) -> Option<UnitFiles> {
    let scope = Scope { targets: vec!["x".into()], policy: Policy::default() };
    let mut reader = Reader::new(files, &scope);
    reader.kept = Some(Vec::new());
    reader.file(path, by_name, None);
    let zone = reader.zone(by_name);
    let kept = reader.kept.take()?;
    if !reader.faults.is_empty() {
        return None;
    }
    let mut texts = BTreeMap::new();
    for file in kept.iter().map(|kept| &kept.file) {
        if !texts.contains_key(file) {
            let text = std::str::from_utf8(previous.get(file)?).ok()?;
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            texts.insert(file.clone(), (text, Lines::of(text)));
        }
    }
    let mut splice = Splice { kept: &kept, own: path, texts: &texts, edits: BTreeMap::new(), gone: BTreeSet::new() };
    let mut asked: BTreeMap<(DnsName, RType), Vec<Said<'_>>> = BTreeMap::new();
    for (at, of) in kept.iter().enumerate() {
        let Some(record) = of.record.map(|record| &reader.records[record]).filter(|record| !record.rtype.generated()) else { continue };
        let said = Said::of(at, of, record, &zone)?;
        asked.entry((said.owner.clone(), record.rtype)).or_default().push(said);
    }
    let none = Vec::new();
    let names: BTreeSet<&(DnsName, RType)> = asked.keys().chain(wanted.keys()).collect();
    for name in names {
        splice.set(name, asked.get(name).unwrap_or(&none), wanted.get(name))?;
    }
    splice.owners();
    splice.files(previous)
}

/// One record as the file says it, and as the kind does.
struct Said<'a> {
    at: usize,
    of: &'a Kept,
    data_at: usize,
    owner: DnsName,
    ttl: i64,
    value: String,
}

impl<'a> Said<'a> {
    fn of(at: usize, of: &'a Kept, record: &Record, zone: &DnsName) -> Option<Self> {
        let id: ResourceId = rrset_id("x", zone, &record.owner, record.rtype).ok()?;
        let raw = Value::map([("ttl", Value::Int(i64::from(record.ttl?))), ("values", Value::List(vec![Value::str(record.data.as_str())]))]);
        let form = DNS.canon(&id, raw).ok()?;
        let value = form.get("values")?.as_list().first()?.as_str()?.to_owned();
        Some(Self { at, of, data_at: record.data_at, owner: split(&id).ok()?.owner, ttl: form.get("ttl")?.as_int()?, value })
    }
}

/// Whether other data can be written over where a record's stands: on one line, or word for word.
fn fits(one: &Said<'_>, value: &str) -> bool {
    let (entry, was) = (&one.of.entry, words(&one.value).len());
    entry.first_line == entry.last_line || (entry.words.len() - one.data_at == was && words(value).len() == was)
}

struct Splice<'a> {
    kept: &'a [Kept],
    /// The zone's own file, where what is new goes.
    own: &'a Str,
    texts: &'a BTreeMap<Str, (&'a str, Lines<'a>)>,
    edits: BTreeMap<Str, Edits>,
    /// Entries whose lines go.
    gone: BTreeSet<usize>,
}

impl<'a> Splice<'a> {
    fn text(&self, file: &Str) -> Option<&'a str> {
        self.texts.get(file).map(|(text, _)| *text)
    }

    fn lines(&self, file: &Str) -> Option<&'a Lines<'a>> {
        self.texts.get(file).map(|(_, lines)| lines)
    }

    fn put(&mut self, file: &Str, range: std::ops::Range<usize>, text: String) {
        self.edits.entry(file.clone()).or_default().push((range, text));
    }

    /// Makes one RRset what is wanted: values that stay keep their lines, one that goes gives its line to one that comes.
    fn set(&mut self, name: &(DnsName, RType), said: &[Said<'_>], wanted: Option<&(i64, Vec<String>)>) -> Option<()> {
        let (ttl, mut new) = wanted.map_or((0, Vec::new()), |(ttl, values)| (*ttl, values.clone()));
        let (stay, mut go): (Vec<&Said<'_>>, Vec<&Said<'_>>) = said.iter().partition(|one| new.iter().position(|value| *value == one.value).map(|at| new.remove(at)).is_some());
        let mut new = new.into_iter().peekable();
        let mut changed = Vec::new();
        go.retain(|one| match new.next_if(|value| fits(one, value)) {
            Some(value) => {
                changed.push((*one, value));
                false
            }
            None => true,
        });
        for (one, value) in &changed {
            self.value(one, value)?;
        }
        for one in stay.iter().copied().chain(changed.iter().map(|(one, _)| *one)).filter(|one| one.ttl != ttl) {
            self.ttl(one, ttl)?;
        }
        for one in &go {
            let file = &one.of.file;
            let range = self.lines(file)?.whole(one.of.entry.first_line, one.of.entry.last_line)?;
            self.put(file, range, String::new());
            self.gone.insert(one.at);
        }
        let beside = stay.iter().copied().chain(changed.iter().map(|(one, _)| *one)).filter(|one| one.ttl == ttl).max_by_key(|one| one.at);
        for value in new {
            self.add(name, ttl, &value, beside)?;
        }
        Some(())
    }

    /// Other data on the same lines: only the words that differ, where there are as many.
    fn value(&mut self, one: &Said<'_>, value: &str) -> Option<()> {
        let (raw, was, new) = (&one.of.entry.words[one.data_at..], words(&one.value), words(value));
        let file = &one.of.file;
        let lines = self.lines(file)?;
        let range = |word: &super::entries::Word| lines.at(&word.place).map(|at| at..at + word.text.len());
        let mut edits = Vec::new();
        if raw.len() == was.len() && was.len() == new.len() {
            for ((raw, _), new) in raw.iter().zip(was).zip(new).filter(|((_, was), new)| was != new) {
                edits.push((range(raw)?, new.to_owned()));
            }
        } else {
            edits.push((range(raw.first()?)?.start..range(raw.last()?)?.end, value.to_owned()));
        }
        edits.into_iter().for_each(|(range, text)| self.put(file, range, text));
        Some(())
    }

    /// Another TTL: in place of the one that is written, or before the type.
    fn ttl(&mut self, one: &Said<'_>, seconds: i64) -> Option<()> {
        let entry = &one.of.entry;
        let before = &entry.words[usize::from(!entry.indented)..one.data_at.checked_sub(1)?];
        let lines = self.lines(&one.of.file)?;
        let edit = match before.iter().find(|word| ttl(&word.text).is_some()) {
            Some(word) => {
                let at = lines.at(&word.place)?;
                (at..at + word.text.len(), seconds.to_string())
            }
            None => {
                let at = lines.at(&before.first().or_else(|| entry.words.get(one.data_at - 1))?.place)?;
                (at..at, format!("{seconds} "))
            }
        };
        self.put(&one.of.file, edit.0, edit.1);
        Some(())
    }

    /// A record more: written like the one beside it, else below its owner's last, else below everything in the zone's own file.
    fn add(&mut self, (owner, rtype): &(DnsName, RType), seconds: i64, value: &str, beside: Option<&Said<'_>>) -> Option<()> {
        let last = |of: &dyn Fn(&Kept) -> bool| self.kept.iter().rev().find(|kept| kept.owner.is_some() && of(kept));
        let owners = || last(&|kept| kept.owner.as_ref().is_some_and(|known| known == owner));
        let below = beside.map(|one| one.of).or_else(owners).or_else(|| last(&|kept| kept.file == *self.own))?;
        let (text, lines) = (self.text(&below.file)?, self.lines(&below.file)?);
        let plain = |one: &&Said<'_>| {
            one.of.entry.first_line == one.of.entry.last_line && lines.whole(one.of.entry.first_line, one.of.entry.last_line).is_some_and(|line| !text[line].contains('('))
        };
        let like = beside.filter(plain);
        let line = match like {
            Some(one) => {
                let start = lines.start(below.entry.first_line)?;
                format!("{}{value}", &text[start..lines.at(&one.of.entry.words.get(one.data_at)?.place)?])
            }
            None => {
                let name = owner.relative_to(&below.origin).unwrap_or_else(|| owner.to_string());
                let same = below.default_ttl.is_some_and(|known| i64::from(known) == seconds);
                let seconds = if same { String::new() } else { format!("{seconds}\t") };
                format!("{name}\t{seconds}IN\t{rtype}\t{value}")
            }
        };
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let at = lines.start(below.entry.last_line + 1).unwrap_or(text.len());
        let line = if text[..at].ends_with('\n') { format!("{line}{end}") } else { format!("{end}{line}") };
        self.put(&below.file, at..at, line);
        Some(())
    }

    /// A line that leaves its owner out means the one above: where that went, it says its owner itself.
    fn owners(&mut self) {
        let mut owed: BTreeMap<&Str, String> = BTreeMap::new();
        let all = self.kept;
        for (at, kept) in all.iter().enumerate() {
            let gone = self.gone.contains(&at);
            match (&kept.owner, kept.entry.indented) {
                // What a name is relative to may be another one from here on.
                (None, _) => drop(owed.get_mut(&kept.file).map(|name| {
                    if !name.ends_with('.') {
                        name.clear()
                    }
                })),
                (Some(_), false) if gone => drop(owed.insert(&kept.file, kept.entry.words.first().map(|word| word.text.clone()).unwrap_or_default())),
                (Some(_), false) => drop(owed.remove(&kept.file)),
                (Some(owner), true) if !gone => {
                    if let Some(name) = owed.remove(&kept.file) {
                        let name = if name.is_empty() { owner.to_string() } else { name };
                        if let Some(start) = self.lines(&kept.file).and_then(|lines| lines.start(kept.entry.first_line)) {
                            self.put(&kept.file, start..start, name);
                        }
                    }
                }
                (Some(_), true) => {}
            }
        }
    }

    fn files(self, previous: &UnitFiles) -> Option<UnitFiles> {
        let mut out = previous.clone();
        for (file, edits) in &self.edits {
            let mark = if previous.get(file)?.starts_with("\u{feff}".as_bytes()) { "\u{feff}" } else { "" };
            let text = apply(self.text(file)?, edits.clone())?;
            out.insert(file.clone(), format!("{mark}{text}").into_bytes());
        }
        Some(out)
    }
}
