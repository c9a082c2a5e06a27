//! Resources to octoDNS YAML: what did not change keeps its text, comments and order; the rest is written as octoDNS would.

use super::{
    OctoDns,
    fields::shape,
    read::Reader,
    splice::{Entry, Item, Pieces},
    yaml_text::{Record, scalar_text},
};
use crate::{
    core::model::{Desired, Kind, Place, Policy, Refusal, RefusalKind, ResourceId, SkippedType, Str, Unit, Value},
    formats::{
        Files, Format, Scope, UnitFiles,
        yaml::{Budget, Node, load},
    },
    kinds::dns::{DNS, DnsName, RType, split},
};
use std::{cmp::Ordering, collections::BTreeMap};

/// The RRsets still to be written, by owner and type.
type Sets = BTreeMap<DnsName, BTreeMap<RType, (ResourceId, Value)>>;

/// Writes a zone. Records that the target does not hold (other types, other targets, ignored ones) stay as they are.
pub(super) fn write(format: &OctoDns, unit: &Unit, desired: &Desired, previous: &UnitFiles) -> Result<UnitFiles, Vec<Refusal>> {
    let zone = DnsName::parse(unit.as_str()).map_err(|refusal| vec![refusal])?;
    let own: Vec<Str> = previous.keys().filter(|path| format.unit_of(path).as_ref() == Some(unit)).cloned().collect();
    let mut roots = BTreeMap::new();
    for path in &own {
        roots.insert(path.clone(), load(path, &previous[path], &Budget::default()).map_err(|refusal| vec![refusal])?);
    }
    let target = desired.resources.keys().next().map_or_else(|| Str::from("target"), |id| id.target.clone());
    let scope = Scope { targets: vec![target], policy: Policy { lenient: true, skip: unknown_types(roots.values()), ..Policy::default() } };
    let before = format.read(unit, &Written { own: &own, files: previous }, &scope)?;
    let mut left: Sets = BTreeMap::new();
    for (id, wanted) in &desired.resources {
        let name = split(id).map_err(|refusal| vec![refusal])?;
        left.entry(name.owner).or_default().insert(name.rtype, (id.clone(), wanted.value.clone()));
    }
    // What was read, by the place it was read from.
    let read: BTreeMap<&Place, (&ResourceId, &Value)> = before.resources.iter().map(|(id, wanted)| (&wanted.place, (id, &wanted.value))).collect();
    let mut faults = Vec::new();
    let mut files: BTreeMap<Str, Pieces> = BTreeMap::new();
    for (path, root) in &roots {
        let text = String::from_utf8_lossy(&previous[path]);
        let reader = Reader { zone: zone.clone(), scope: &scope, references: format.references, healthchecks: false, desired: Desired::default(), faults: Vec::new() };
        let Some(mut pieces) = Pieces::of(&text, root, |key| reader.owner(key).ok()) else {
            let refusal = Refusal::new(RefusalKind::Syntax, "the file cannot be edited by lines: names share lines, or records come from anchors");
            return Err(vec![refusal.at(Place::file(path.clone())).advice("write each name at the start of a line of its own")]);
        };
        let keys: Vec<&Place> = root.as_map().unwrap_or_default().iter().map(|(key, _)| &key.place).collect();
        keep_and_change(format, &mut pieces, &keys, &read, &mut left, &mut faults);
        files.insert(path.clone(), pieces);
    }
    add(format, &zone, &own, left, &mut files, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut out = previous.clone();
    for (path, pieces) in files {
        // A split zone's file without records is no file.
        if pieces.entries.is_empty() && path.contains('/') {
            out.remove(&path);
        } else {
            out.insert(path, pieces.text().into_bytes());
        }
    }
    proven(format, unit, desired, &before, &scope, out)
}

/// Reads what was written and compares: nothing but what was asked may have changed.
fn proven(format: &OctoDns, unit: &Unit, desired: &Desired, before: &Desired, scope: &Scope, out: UnitFiles) -> Result<UnitFiles, Vec<Refusal>> {
    let own: Vec<Str> = out.keys().filter(|path| format.unit_of(path).as_ref() == Some(unit)).cloned().collect();
    let read = format.read(unit, &Written { own: &own, files: &out }, scope)?;
    let differs = desired.resources.keys().chain(read.resources.keys()).find(|id| desired.get(id).map(|wanted| &wanted.value) != read.get(id).map(|wanted| &wanted.value));
    match differs {
        Some(id) => Err(vec![Refusal::new(RefusalKind::Value, format!("{} cannot be written so that it reads back the same", DNS.title(id))).advice("edit the file by hand")]),
        None if read.skipped != before.skipped => {
            Err(vec![Refusal::new(RefusalKind::Value, "records that this target does not hold would be lost").advice("edit the file by hand")])
        }
        None => Ok(out),
    }
}

/// Every type name in the files that only other programs know; their records are left alone.
fn unknown_types<'a>(roots: impl Iterator<Item = &'a Node>) -> Vec<SkippedType> {
    let mut names: Vec<Str> = Vec::new();
    for (_, value) in roots.flat_map(|root| root.as_map().unwrap_or_default()) {
        for record in value.as_list().unwrap_or(std::slice::from_ref(value)) {
            names.extend(record.get("type").and_then(Node::as_str).filter(|name| shape(name).is_none()).map(Str::from));
        }
    }
    names.sort();
    names.dedup();
    names.into_iter().map(|r#type| SkippedType { r#type, reason: "left alone".into() }).collect()
}

/// Goes through the records of one file: keeps, changes or removes each, and takes it off what is left to write.
fn keep_and_change(format: &OctoDns, pieces: &mut Pieces, keys: &[&Place], read: &BTreeMap<&Place, (&ResourceId, &Value)>, left: &mut Sets, faults: &mut Vec<Refusal>) {
    let mut entries = Vec::new();
    for (mut entry, key) in std::mem::take(&mut pieces.entries).into_iter().zip(keys) {
        let mut gone = false;
        let mut items = Vec::new();
        for mut record in std::mem::take(&mut entry.items) {
            // A record alone under its name was read at the place of the name.
            let Some((id, value)) = read.get(&record.place).or_else(|| read.get(*key)) else {
                items.push(record);
                continue;
            };
            let Ok(name) = split(id) else { continue };
            match left.get_mut(&name.owner).and_then(|types| types.remove(&name.rtype)) {
                Some((_, wanted)) if wanted == **value => items.push(record),
                Some((id, wanted)) => match text(format, name.rtype, &id, &wanted) {
                    Ok(text) => {
                        record.update(name.rtype, &text, wanted.get("ttl") == value.get("ttl"));
                        entry.changed();
                        items.push(record);
                    }
                    Err(refusal) => faults.push(refusal),
                },
                None => gone = true,
            }
        }
        if let Some(types) = left.remove(&entry.owner) {
            for (rtype, (id, wanted)) in types {
                match text(format, rtype, &id, &wanted) {
                    Ok(text) => items.push(Item::new(rtype, &text)),
                    Err(refusal) => faults.push(refusal),
                }
                entry.changed();
            }
        }
        if gone {
            entry.changed();
        }
        entry.items = items;
        if entry.items.is_empty() {
            // Its own comments go with it; those above a blank line speak of more.
            let more = entry.lead.iter().rposition(|line| line.trim().is_empty()).map_or(0, |at| at + 1);
            entry.lead.truncate(more);
            pieces_lead(&mut entries, &mut pieces.head, entry.lead);
        } else {
            entries.push(entry);
        }
    }
    pieces.entries = entries;
}

/// Keeps the lines of a removed entry that speak of more than it: below the entry before, or at the head.
fn pieces_lead(entries: &mut [Entry], head: &mut Vec<String>, lead: Vec<String>) {
    match entries.last_mut() {
        Some(entry) => entry.trail(lead),
        None => head.extend(lead),
    }
}

fn text(format: &OctoDns, rtype: RType, id: &ResourceId, value: &Value) -> Result<Record, Refusal> {
    let data: Vec<&str> = value.get("values").map(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_str).collect();
    let ttl = value.get("ttl").and_then(Value::as_int).unwrap_or_default();
    let escaped = |mut record: Record| {
        // So that it means itself where the source reads references.
        record.values.iter_mut().filter(|line| format.references && line.contains("${")).for_each(|line| *line = line.replace("${", "$${"));
        record
    };
    Record::new(rtype, ttl, &data).map(escaped).ok_or_else(|| {
        let advice = match rtype.to_string().as_str() {
            "TXT" | "SPF" => {
                "octoDNS knows whole texts of characters, which it cuts at 255 octets itself: join several strings to one on the name server (SPF, DKIM and DMARC read both alike), or use the format `zonefile`, which keeps them"
            }
            _ => "use the format `zonefile`, which can, or take the record off the name server first",
        };
        Refusal::new(RefusalKind::Value, format!("{} holds what octoDNS YAML cannot say", DNS.title(id))).advice(advice)
    })
}

/// Writes the names that no file has yet, each where a reader looks for it.
fn add(format: &OctoDns, zone: &DnsName, own: &[Str], left: Sets, files: &mut BTreeMap<Str, Pieces>, faults: &mut Vec<Refusal>) {
    let whole = own.iter().find(|path| !path.contains('/'));
    let folder = own.iter().find_map(|path| path.split_once('/')).map(|(folder, _)| folder.to_owned());
    for (owner, types) in left {
        let Some((id, _)) = types.values().next() else { continue };
        let Some(relative) = owner.relative_to(zone) else {
            faults.push(Refusal::new(RefusalKind::Value, format!("{} is not in the zone `{zone}`", DNS.title(id))).advice("write it to its own zone"));
            continue;
        };
        let name = if relative == "@" { String::new() } else { relative };
        let mut items = Vec::new();
        for (rtype, (id, value)) in &types {
            match text(format, *rtype, id, value) {
                Ok(text) => items.push(Item::new(*rtype, &text)),
                Err(refusal) => faults.push(refusal),
            }
        }
        let path: Str = match (whole, &folder) {
            (Some(whole), _) => whole.clone(),
            (None, Some(folder)) if matches!(name.as_str(), "" | "*") || name.contains('/') => format!("{folder}/${}yaml", folder).into(),
            (None, Some(folder)) => format!("{folder}/{name}.yaml").into(),
            (None, None) => format!("{zone}yaml").into(),
        };
        let pieces = files.entry(path).or_insert_with(Pieces::new);
        let at = pieces.entries.iter().position(|entry| natural(&key_of(&entry.owner, zone), &name) == Ordering::Greater).unwrap_or(pieces.entries.len());
        pieces.entries.insert(at, Entry::new(scalar_text(&name), owner, items));
    }
}

fn key_of(owner: &DnsName, zone: &DnsName) -> String {
    owner.relative_to(zone).filter(|name| name != "@").unwrap_or_default()
}

/// octoDNS' order of names: runs of digits count as numbers, and stand before other characters.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    while !a.is_empty() && !b.is_empty() {
        let (x, after_a) = run(a);
        let (y, after_b) = run(b);
        let digits = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        // Numbers of any length: without zeros in front, the longer is the larger.
        let number = |text: &'_ str| (text.trim_start_matches('0').len(), text.trim_start_matches('0').to_owned());
        let order = match (digits(x), digits(y)) {
            (true, true) => number(x).cmp(&number(y)),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => x.cmp(y),
        };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (after_a, after_b);
    }
    a.len().cmp(&b.len())
}

/// The digits at the start of a text, or what stands before the first digit.
fn run(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end)
}

/// Files to be read back.
struct Written<'a> {
    own: &'a [Str],
    files: &'a UnitFiles,
}

impl Files for Written<'_> {
    fn list(&self) -> Vec<Str> {
        self.own.to_vec()
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, Refusal> {
        self.files.get(path).cloned().ok_or_else(|| Refusal::new(RefusalKind::Path, format!("there is no file `{path}`")).advice("add it"))
    }

    fn in_repository(&self, path: &str) -> Str {
        path.into()
    }
}
