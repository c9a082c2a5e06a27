//! Resources to a zone file: edited in place where that goes, else written anew below the head of the file before.

use super::{
    ZoneFile,
    read::Reader,
    splice::{Sets, spliced},
};
use crate::{
    core::model::{Desired, Policy, Refusal, RefusalKind, Str, Unit, Value},
    formats::{Files, Format, Scope, UnitFiles},
    kinds::dns::{DnsName, RType, split},
};
use std::collections::BTreeMap;

/// Writes a zone: the lines of what differs. Where that does not read back as it should, everything up to the SOA record stays as it was, comments and
/// all, and what stood below is replaced, comments too, since an owner left out or a `$TTL` above would give a moved line another meaning.
pub(super) fn write(format: &ZoneFile, unit: &Unit, desired: &Desired, previous: &UnitFiles) -> Result<UnitFiles, Vec<Refusal>> {
    match edited(format, unit, desired, previous)? {
        Some(files) => Ok(files),
        None => anew(format, unit, desired, previous),
    }
}

/// The files with edits of single lines alone; `None` where there is no file yet, or that is not enough.
pub(super) fn edited(format: &ZoneFile, unit: &Unit, desired: &Desired, previous: &UnitFiles) -> Result<Option<UnitFiles>, Vec<Refusal>> {
    let zone = DnsName::parse(unit.as_str()).map_err(|refusal| vec![refusal])?;
    let Some(path) = previous.keys().find(|path| format.unit_of(path).as_ref() == Some(unit)) else { return Ok(None) };
    let mut sets = Sets::new();
    for (id, wanted) in &desired.resources {
        let name = split(id).map_err(|refusal| vec![refusal])?;
        let values = wanted.value.get("values").map(Value::as_list).unwrap_or_default().iter();
        let values = values.map(|data| data.as_str().unwrap_or_default().to_owned()).collect();
        sets.insert((name.owner, name.rtype), (wanted.value.get("ttl").and_then(Value::as_int).unwrap_or_default(), values));
    }
    let files = spliced(&Written { format, unit, files: previous }, previous, path, &zone, &sets);
    Ok(files.filter(|files| reads_as(format, unit, files, desired).unwrap_or(false)))
}

/// Whether files ask for exactly this.
fn reads_as(format: &ZoneFile, unit: &Unit, files: &UnitFiles, desired: &Desired) -> Result<bool, Vec<Refusal>> {
    let target = desired.resources.keys().next().map_or_else(|| Str::from("target"), |id| id.target.clone());
    let scope = Scope { targets: vec![target], policy: Policy::default() };
    let read = format.read(unit, &Written { format, unit, files }, &scope)?;
    Ok(read.resources.len() == desired.resources.len() && desired.resources.iter().all(|(id, wanted)| read.get(id).is_some_and(|read| read.value == wanted.value)))
}

fn anew(format: &ZoneFile, unit: &Unit, desired: &Desired, previous: &UnitFiles) -> Result<UnitFiles, Vec<Refusal>> {
    let by_name = DnsName::parse(unit.as_str()).map_err(|refusal| vec![refusal])?;
    let scope = Scope { targets: vec!["target".into()], policy: Policy::default() };
    let path = previous.keys().find(|path| format.unit_of(path).as_ref() == Some(unit)).cloned().unwrap_or_else(|| format!("{}zone", unit.as_str()).into());
    let mut zone = by_name.clone();
    let mut text = String::new();
    if let Some(bytes) = previous.get(&path) {
        let files = Written { format, unit, files: previous };
        let mut reader = Reader::new(&files, &scope);
        reader.file(&path, &by_name, None);
        zone = reader.zone(&by_name);
        let head = reader.records.iter().find(|record| record.rtype == RType::SOA).and_then(|record| record.last_line);
        text.extend(String::from_utf8_lossy(bytes).split_inclusive('\n').take(head.unwrap_or(0) as usize));
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
    }
    text.push_str(&format!("$ORIGIN {zone}\n"));
    // By the text of the name, the zone's own first: a person looks for names in that order.
    let mut sets: BTreeMap<(bool, String, RType), &Value> = BTreeMap::new();
    for (id, wanted) in &desired.resources {
        let name = split(id).map_err(|refusal| vec![refusal])?;
        let relative = name.owner.relative_to(&zone).unwrap_or_else(|| name.owner.to_string());
        sets.insert((name.owner != zone, relative, name.rtype), &wanted.value);
    }
    for ((_, relative, rtype), value) in sets {
        let ttl = value.get("ttl").and_then(Value::as_int).unwrap_or_default();
        for data in value.get("values").map(Value::as_list).unwrap_or_default() {
            text.push_str(&format!("{relative}\t{ttl}\tIN\t{rtype}\t{}\n", data.as_str().unwrap_or_default()));
        }
    }
    let mut out = previous.clone();
    out.insert(path, text.into_bytes());
    if reads_as(format, unit, &out, desired)? {
        return Ok(out);
    }
    let refusal = Refusal::new(RefusalKind::Value, format!("the zone `{zone}` cannot be written so that it reads back the same"));
    Err(vec![refusal.advice("write the file by hand, or remove what is not of this zone")])
}

/// Files of a unit in memory, as they are or as they would be.
pub(super) struct Written<'a> {
    format: &'a ZoneFile,
    unit: &'a Unit,
    files: &'a UnitFiles,
}

impl Files for Written<'_> {
    fn list(&self) -> Vec<Str> {
        self.files.keys().filter(|path| self.format.unit_of(path).as_ref() == Some(self.unit)).cloned().collect()
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, Refusal> {
        self.files.get(path).cloned().ok_or_else(|| Refusal::new(RefusalKind::Path, format!("there is no file `{path}`")).advice("add it, or remove the line"))
    }

    fn in_repository(&self, path: &str) -> Str {
        path.into()
    }
}
