//! A zone file and what it includes, to records and from there to resources.

use super::entries::{Entry, Word, entries};
use crate::{
    core::model::{Desired, Kind, Place, Refusal, RefusalKind, Str, Value, Wanted},
    formats::{Files, Scope, yaml::Budget},
    kinds::dns::{DNS, DnsName, RType, parse_rdata_under, print_rdata, rrset_id},
};
use std::collections::BTreeMap;

/// Files inside each other: deeper than any layout seen, and far from the stack's end.
const INCLUDES: usize = 16;

/// A longer line is data, not something a person reads in an error.
const LONGEST: usize = 200;

/// One record as a file says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub owner: DnsName,
    pub rtype: RType,
    pub ttl: Option<u32>,
    /// Canonical data; empty for types that the server makes itself.
    pub data: String,
    pub place: Place,
    /// The last line of the entry, where it stands in the zone's own file.
    pub last_line: Option<u32>,
    /// Which of the entry's words is the first of the data.
    pub data_at: usize,
}

/// One entry with what held where it stands, for those who edit the file.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub file: Str,
    pub entry: Entry,
    /// A directive has no owner.
    pub owner: Option<DnsName>,
    pub origin: DnsName,
    pub default_ttl: Option<u32>,
    /// Its record, in the order of reading.
    pub record: Option<usize>,
}

/// Reads files one after the other into records.
pub(super) struct Reader<'a> {
    files: &'a dyn Files,
    scope: &'a Scope,
    pub records: Vec<Record>,
    pub faults: Vec<Refusal>,
    /// Every entry as it was read, where somebody asked for them.
    pub kept: Option<Vec<Kept>>,
    skipped: BTreeMap<Str, u64>,
    /// The first `$ORIGIN`, where no record stands before it.
    named: Option<DnsName>,
    default_ttl: Option<u32>,
    last_ttl: Option<u32>,
    /// The SOA's last number: the TTL of old where nothing else says one.
    minimum: Option<u32>,
    /// Paths of the files being read, outermost first.
    open: Vec<String>,
    /// Every file read: its name in the repository, and its path.
    read: Vec<(Str, String)>,
    bytes: usize,
}

/// What directives change for the file they stand in.
struct Here {
    origin: DnsName,
    owner: Option<DnsName>,
}

impl<'a> Reader<'a> {
    pub fn new(files: &'a dyn Files, scope: &'a Scope) -> Self {
        Self {
            files,
            scope,
            records: Vec::new(),
            faults: Vec::new(),
            kept: None,
            skipped: BTreeMap::new(),
            named: None,
            default_ttl: None,
            last_ttl: None,
            minimum: None,
            open: Vec::new(),
            read: Vec::new(),
            bytes: 0,
        }
    }

    /// Reads one file; `from` is the place that includes it.
    pub fn file(&mut self, path: &str, origin: &DnsName, from: Option<&Place>) {
        if let Err(refusal) = self.try_file(path, origin) {
            self.faults.push(Refusal { place: refusal.place.or_else(|| from.cloned()), ..refusal });
        }
    }

    fn try_file(&mut self, path: &str, origin: &DnsName) -> Result<(), Refusal> {
        if self.open.len() >= INCLUDES || self.open.iter().any(|open| open == path) {
            let refusal = Refusal::new(RefusalKind::Cycle, format!("`{path}` includes itself, or files are included more than {INCLUDES} deep"));
            return Err(refusal.advice("remove one `$INCLUDE`"));
        }
        let bytes = self.files.bytes(path)?;
        let name = self.files.in_repository(path);
        self.bytes += bytes.len();
        let most = Budget::default().bytes;
        if self.bytes > most {
            let refusal = Refusal::new(RefusalKind::Budget, format!("the zone has more than {most} bytes of files")).at(Place::file(name));
            return Err(refusal.advice("split it into zones"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            let place = Place::new(name.clone(), u32::try_from(line).unwrap_or(u32::MAX), 0);
            Refusal::new(RefusalKind::Syntax, "the line is not UTF-8").at(place).advice("save the file as UTF-8, and write other octets as `\\DDD`")
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut here = Here { origin: origin.clone(), owner: None };
        let all = entries(&name, text, &mut self.faults);
        self.open.push(path.to_owned());
        for entry in &all {
            let record = self.records.len();
            if let Err(refusal) = self.entry(entry, &mut here) {
                self.faults.push(Refusal { place: refusal.place.or_else(|| Some(entry.place.clone())), ..refusal });
            }
            if let Some(kept) = &mut self.kept {
                let owner = here.owner.clone().filter(|_| !is_directive(entry));
                let record = (owner.is_some() && self.records.len() > record).then_some(record);
                kept.push(Kept { file: name.clone(), entry: entry.clone(), owner, origin: here.origin.clone(), default_ttl: self.default_ttl, record });
            }
        }
        self.open.pop();
        self.read.push((name, path.to_owned()));
        Ok(())
    }

    fn entry(&mut self, entry: &Entry, here: &mut Here) -> Result<(), Refusal> {
        let Some(first) = entry.words.first() else { return Ok(()) };
        if is_directive(entry) {
            return self.directive(first, &entry.words[1..], here);
        }
        let mut rest = &entry.words[..];
        if !entry.indented {
            // A broken name must not hand the record below to the owner above.
            here.owner = None;
            here.owner = Some(name(first, &here.origin)?);
            rest = &entry.words[1..];
        }
        let owner = here.owner.clone().ok_or_else(|| at(first, "the record has no owner", "start its line with a name, `@` for the zone itself"))?;
        self.record(entry, owner, rest, &here.origin)
    }

    fn directive(&mut self, first: &Word, rest: &[Word], here: &mut Here) -> Result<(), Refusal> {
        match (first.text.to_ascii_uppercase().as_str(), rest) {
            ("$ORIGIN", [word]) => {
                here.origin = name(word, &here.origin)?;
                if self.records.is_empty() && self.open.len() == 1 {
                    self.named.get_or_insert_with(|| here.origin.clone());
                }
                Ok(())
            }
            ("$TTL", [word]) => {
                self.default_ttl = Some(ttl(&word.text).ok_or_else(|| at(word, format!("`{}` is no TTL", short(&word.text)), "write seconds, or `1h30m`"))?);
                Ok(())
            }
            ("$INCLUDE", [path, origin @ ..]) if origin.len() <= 1 => {
                let origin = origin.first().map_or_else(|| Ok(here.origin.clone()), |word| name(word, &here.origin))?;
                let text = path.text.trim_matches('"');
                let text = text.strip_prefix("./").unwrap_or(text);
                if text.is_empty() || text.contains('\\') || text.split('/').any(|part| part.is_empty() || part == ".." || part == ".") {
                    let refusal = Refusal::new(RefusalKind::Path, format!("`{}` leads out of the source's folder", short(text))).at(path.place.clone());
                    return Err(refusal.advice("write a path below the source's folder, relative to it"));
                }
                self.file(text, &origin, Some(&path.place));
                Ok(())
            }
            ("$ORIGIN" | "$TTL" | "$INCLUDE", _) => {
                Err(at(first, format!("`{}` has too few or too many words", first.text), "write `$ORIGIN name.`, `$TTL seconds` or `$INCLUDE file [name.]`"))
            }
            ("$GENERATE", _) => Err(at(first, "`$GENERATE` is not read", "write the records out, so that reviewers see each")),
            _ => Err(at(first, format!("`{}` is no directive", short(&first.text)), "use `$ORIGIN`, `$TTL` or `$INCLUDE`; write `\\$` for a name that starts with a dollar")),
        }
    }

    /// `[ttl] [class] type data`, the first two in any order.
    fn record(&mut self, entry: &Entry, owner: DnsName, words: &[Word], origin: &DnsName) -> Result<(), Refusal> {
        let mut rest = words;
        let (mut explicit, mut class) = (None, false);
        let kind = loop {
            let Some((word, after)) = rest.split_first() else {
                return Err(Refusal::new(RefusalKind::Syntax, format!("the record `{owner}` has no type")).at(entry.place.clone()).advice("write `name ttl IN type value`"));
            };
            rest = after;
            match word.text.to_ascii_uppercase().as_str() {
                "IN" if !class => class = true,
                "CH" | "HS" | "CS" if !class => return Err(at(word, format!("the class {} is not served here", word.text), "use `IN`")),
                _ if explicit.is_none() && ttl(&word.text).is_some() => explicit = ttl(&word.text),
                _ => break word,
            }
        };
        if explicit.is_some() {
            self.last_ttl = explicit;
        }
        if let Some(skip) = self.scope.policy.skip.iter().find(|skip| *skip.r#type == *kind.text) {
            let reason: Str = if skip.reason.is_empty() { skip.r#type.clone() } else { format!("{}: {}", skip.r#type, skip.reason).into() };
            *self.skipped.entry(reason).or_default() += 1;
            return Ok(());
        }
        let rtype = RType::parse(&kind.text).map_err(|refusal| refusal.at(kind.place.clone()))?;
        if rtype == RType::SOA {
            self.minimum = rest.last().and_then(|word| ttl(&word.text));
        } else if rtype.generated() {
            *self.skipped.entry(format!("{rtype}: the name server makes it").into()).or_default() += 1;
        }
        let data = if rtype.generated() {
            String::new()
        } else {
            let text: Vec<&str> = rest.iter().map(|word| word.text.as_str()).collect();
            let wire = parse_rdata_under(rtype, &text.join(" "), Some(origin)).map_err(|refusal| refusal.at(rest.first().unwrap_or(kind).place.clone()))?;
            print_rdata(rtype, &wire)
        };
        let ttl = explicit.or(self.default_ttl).or(self.last_ttl).or(self.minimum);
        let last_line = (self.open.len() == 1).then_some(entry.last_line);
        self.records.push(Record { owner, rtype, ttl, data, place: entry.place.clone(), last_line, data_at: entry.words.len() - rest.len() });
        Ok(())
    }

    /// The zone: where its SOA stands, else the first `$ORIGIN` when that leads away from the file's name, else the file's name.
    pub fn zone(&self, by_name: &DnsName) -> DnsName {
        let soa = self.records.iter().find(|record| record.rtype == RType::SOA).map(|record| &record.owner);
        soa.or(self.named.as_ref().filter(|named| !named.is_in(by_name))).unwrap_or(by_name).clone()
    }

    /// Groups records into resources of every target.
    pub fn finish(mut self, by_name: &DnsName) -> Result<Desired, Vec<Refusal>> {
        let zone = self.zone(by_name);
        let mut sets: BTreeMap<(&DnsName, RType), (u32, &Place, Vec<Value>)> = BTreeMap::new();
        for record in self.records.iter().filter(|record| !record.rtype.generated()) {
            let Some(ttl) = record.ttl else {
                let refusal = Refusal::new(RefusalKind::Value, "the record has no TTL, and no `$TTL` stands before it");
                self.faults.push(refusal.at(record.place.clone()).advice("write `$TTL 3600` at the top"));
                continue;
            };
            let set = sets.entry((&record.owner, record.rtype)).or_insert_with(|| (ttl, &record.place, Vec::new()));
            if set.0 != ttl {
                let refusal = Refusal::new(RefusalKind::Value, format!("one RRset has two TTLs, {} and {ttl} (RFC 2181, 5.2)", set.0));
                self.faults.push(refusal.at(record.place.clone()).also(set.1.clone()).advice("give all its records one TTL"));
            }
            set.2.push(Value::str(record.data.as_str()));
        }
        let mut desired = Desired { skipped: std::mem::take(&mut self.skipped), ..Desired::default() };
        for ((owner, rtype), (ttl, place, values)) in sets {
            let raw = Value::map([("ttl", Value::Int(i64::from(ttl))), ("values", Value::List(values))]);
            for target in &self.scope.targets {
                match rrset_id(target, &zone, owner, rtype).and_then(|id| DNS.canon(&id, raw.clone()).map(|value| (id, value))) {
                    Ok((id, value)) => {
                        desired.resources.insert(id, Wanted { value, place: place.clone(), after: Vec::new() });
                    }
                    Err(refusal) => {
                        // The same for every target: told once.
                        self.faults.push(refusal.at(place.clone()));
                        break;
                    }
                }
            }
        }
        if self.faults.is_empty() {
            return Ok(desired);
        }
        self.faults.sort_by(|a, b| a.place.cmp(&b.place));
        for fault in &mut self.faults {
            show_line(fault, &self.read, self.files);
        }
        Err(self.faults)
    }
}

fn is_directive(entry: &Entry) -> bool {
    !entry.indented && entry.words.first().is_some_and(|first| first.text.starts_with('$'))
}

fn name(word: &Word, origin: &DnsName) -> Result<DnsName, Refusal> {
    if word.text == "@" { Ok(origin.clone()) } else { DnsName::parse_under(&word.text, origin).map_err(|refusal| refusal.at(word.place.clone())) }
}

/// Seconds, or numbers with units: `1w2d3h4m5s`.
pub(super) fn ttl(text: &str) -> Option<u32> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut total: u64 = 0;
    let mut digits = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    if !digits.is_empty() {
        total = total.checked_add(digits.parse().ok()?)?;
    }
    u32::try_from(total).ok().filter(|ttl| i32::try_from(*ttl).is_ok())
}

fn at(word: &Word, what: impl Into<String>, advice: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Syntax, what).at(word.place.clone()).advice(advice)
}

fn short(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Adds the line a fault is on.
fn show_line(fault: &mut Refusal, read: &[(Str, String)], files: &dyn Files) {
    let Some(place) = fault.place.as_ref().filter(|place| place.line > 0 && place.column as usize <= LONGEST && fault.excerpt.is_none()) else { return };
    let Some(bytes) = read.iter().find(|(name, _)| *name == place.file).and_then(|(_, path)| files.bytes(path).ok()) else { return };
    let line = bytes.split(|byte| *byte == b'\n').nth(place.line as usize - 1).unwrap_or_default();
    let line: String = String::from_utf8_lossy(line).trim_end().chars().take(LONGEST).collect();
    if !line.is_empty() {
        fault.excerpt = Some(line);
    }
}
