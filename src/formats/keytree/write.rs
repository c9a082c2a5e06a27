//! Writing keys back as files: a file a key; what expanded files ask for already stays theirs, edited in place.

use super::{edit, format::KeyTree, secret};
use crate::{
    core::model::{Desired, Place, Policy, Refusal, RefusalKind, Str, Unit, Value},
    formats::{Files, Format, Scope, UnitFiles, references},
};
use std::collections::{BTreeMap, BTreeSet};

/// The files that ask for exactly `desired`.
pub(super) fn write(format: &KeyTree, desired: &Desired, previous: &UnitFiles) -> Result<UnitFiles, Vec<Refusal>> {
    // What a reference leads to is not known here: its file stays, and no plain value is written over it.
    let stays = |asked: &Asked| asked.is_none();
    let plain = |bytes: Vec<u8>| if format.references && secret::meant(&bytes).is_none() { references::escaped(bytes) } else { bytes };
    let mut left: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    let mut faults = Vec::new();
    for (id, wanted) in desired.resources.iter().filter(|(_, wanted)| !matches!(wanted.value, Value::Unknown(_))) {
        match secret::written(&wanted.value) {
            Ok(bytes) if !matches!(wanted.value, Value::Secret(_)) && secret::meant(&bytes).is_some() => faults.push(secret::misread(&id.name, &wanted.place)),
            Ok(bytes) => drop(left.insert(&id.name, bytes)),
            Err(refusal) => faults.push(refusal),
        }
    }
    let mut out = UnitFiles::new();
    // An expanded file keeps its form and its comments: only the text of what is wanted otherwise changes.
    for (path, content) in previous.iter().filter(|(path, _)| format.expanded(path).is_some()) {
        let Some(asks) = asked(format, path, content) else { continue };
        match edited(format, path, content, &asks, &left) {
            Some(content) => drop(out.insert(path.clone(), content)),
            None => {
                let what = "what this file asks for is no longer what is live, and more than the text of its values would have to change";
                faults.push(Refusal::new(RefusalKind::Value, what).at(Place::file(path.clone())).advice("change its keys by hand"));
            }
        }
        for key in asks.keys() {
            left.remove(&**key);
        }
    }
    for (path, content) in previous.iter().filter(|(path, _)| format.expanded(path).is_none()) {
        if let Some(unit) = format.unit_of(path).filter(|_| asked(format, path, content).is_some_and(|asked| asked.values().any(stays))) {
            left.remove(unit.as_str());
            out.insert(path.clone(), content.clone());
        }
    }
    let keys: BTreeSet<&str> = left.keys().copied().collect();
    for (key, bytes) in left {
        match path(format, key, &keys) {
            Ok(path) => drop(out.insert(path.into(), plain(bytes))),
            Err(refusal) => faults.push(refusal),
        }
    }
    if faults.is_empty() { Ok(out) } else { Err(faults) }
}

/// An expanded file that asks for what is wanted of its keys, proven by reading it; `None`: no edit of its values' own text does.
fn edited(format: &KeyTree, path: &Str, content: &[u8], asks: &BTreeMap<Str, Asked>, wanted: &BTreeMap<&str, Vec<u8>>) -> Option<Vec<u8>> {
    let (_, how) = format.expanded(path)?;
    let own = format!("{}{}", format.unit_of(path)?.as_str(), format.separator);
    let mut wishes = edit::Wishes::new();
    for (key, value) in asks.iter().filter(|(_, value)| value.is_some()) {
        let new = wanted.get(&**key);
        if new == value.as_ref() {
            continue;
        }
        let text = match new {
            // A reference in place of what is written, or the other way, is read as what it is.
            Some(bytes) if format.references && secret::meant(bytes).is_none() => Some(String::from_utf8(references::escaped(bytes.clone())).ok()?),
            Some(bytes) => Some(String::from_utf8(bytes.clone()).ok()?),
            None => None,
        };
        wishes.insert(key.strip_prefix(&*own)?.to_owned(), text);
    }
    if wishes.is_empty() {
        return Some(content.to_vec());
    }
    let after = edit::edited(how, &format.separator, content, &wishes)?;
    let reads = asked(format, path, &after)?;
    // What refers stays as it is, what is gone is gone, and nothing else is there.
    let expected = |(key, value): (&Str, &Asked)| match value {
        None => Some((key.clone(), None)),
        Some(_) => wanted.get(&**key).map(|new| (key.clone(), Some(new.clone()))),
    };
    (reads == asks.iter().filter_map(expected).collect()).then_some(after)
}

/// The file of a key, or why there is none.
fn path<'k>(format: &KeyTree, key: &'k str, keys: &BTreeSet<&str>) -> Result<&'k str, Refusal> {
    let fault = |what: String, advice: &str| Refusal::new(RefusalKind::Path, what).advice(advice);
    let Some(path) = key.strip_prefix(&*format.prefix) else {
        return Err(fault(format!("the key `{key}` does not start with the prefix `{}`", format.prefix), "import it with another prefix"));
    };
    let fits = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.eq_ignore_ascii_case(".git") && part.len() <= 255 && !part.contains(['\\', '\0']);
    if !path.split('/').all(fits) {
        return Err(fault(format!("the key `{key}` is no path of a file"), "leave it out, and govern it from an expanded file"));
    }
    let Some(unit) = format.unit_of(path) else {
        return Err(fault(format!("a file called like the key `{key}` is read as no key"), "leave it out, and govern it from an expanded file"));
    };
    if unit.as_str() != key {
        return Err(fault(format!("the file of the key `{key}` would not be read as that key"), "write without `expand`"));
    }
    let folder = format!("{key}/");
    if keys.range(&*folder..).next().is_some_and(|below| below.starts_with(&folder)) {
        return Err(fault(format!("`{key}` is a key and a folder at once, which no file tree holds"), "leave one of the two out, or govern them from an expanded file"));
    }
    Ok(path)
}

/// The bytes that a file asks a key to be; `None`: a reference, to a secret or to another resource.
type Asked = Option<Vec<u8>>;

/// What a file asks for, by key; `None` when it does not read.
fn asked(format: &KeyTree, path: &Str, content: &[u8]) -> Option<BTreeMap<Str, Asked>> {
    let unit: Unit = format.unit_of(path)?;
    let scope = Scope { targets: vec!["x".into()], policy: Policy::default() };
    let read = format.read(&unit, &One { path: path.clone(), content: content.to_vec() }, &scope).ok()?;
    let bytes = |value: &Value| match value {
        Value::Secret(_) | Value::Unknown(_) => Some(None),
        plain => secret::written(plain).ok().map(Some),
    };
    read.resources.into_iter().map(|(id, wanted)| Some((id.name, bytes(&wanted.value)?))).collect()
}

/// A source of one file.
struct One {
    path: Str,
    content: Vec<u8>,
}

impl Files for One {
    fn list(&self) -> Vec<Str> {
        vec![self.path.clone()]
    }

    fn bytes(&self, _path: &str) -> Result<Vec<u8>, Refusal> {
        Ok(self.content.clone())
    }

    fn has(&self, path: &str) -> bool {
        *path == *self.path
    }

    fn in_repository(&self, path: &str) -> Str {
        path.into()
    }
}
