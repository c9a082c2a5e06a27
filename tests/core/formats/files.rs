//! A source's files in memory, for the formats' tests.

use std::{cell::RefCell, collections::BTreeMap};
use trueup::core::model::{Desired, Policy, Refusal, RefusalKind, SkippedType, Str};
use trueup::formats::{Files, Scope};

/// The files of one source; `own` are the unit's.
pub struct Memory {
    pub all: BTreeMap<Str, Vec<u8>>,
    pub own: Vec<Str>,
    pub asked: RefCell<Vec<String>>,
}

impl Memory {
    /// Every file given belongs to the unit.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let all: BTreeMap<Str, Vec<u8>> = files.iter().map(|(path, text)| (Str::from(*path), text.as_bytes().to_vec())).collect();
        Self { own: all.keys().cloned().collect(), all, asked: RefCell::default() }
    }
}

impl Files for Memory {
    fn list(&self) -> Vec<Str> {
        self.own.clone()
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, Refusal> {
        self.asked.borrow_mut().push(path.to_owned());
        self.all.get(path).cloned().ok_or_else(|| Refusal::new(RefusalKind::Path, format!("there is no file `{path}`")))
    }

    fn has(&self, path: &str) -> bool {
        self.all.contains_key(path)
    }

    fn in_repository(&self, path: &str) -> Str {
        format!("dns/{path}").into()
    }
}

/// A scope of these targets that skips `Route53Provider/ALIAS`.
pub fn scope(targets: &[&str]) -> Scope {
    let skip = vec![SkippedType { r#type: "Route53Provider/ALIAS".into(), reason: "BIND has no ALIAS".into() }];
    Scope { targets: targets.iter().map(|target| Str::from(*target)).collect(), policy: Policy { skip, ..Policy::default() } }
}

/// Resources as `name ttl value…` lines, one an RRset, with the place each came from.
pub fn told(desired: &Desired) -> String {
    let mut lines = Vec::new();
    for (id, wanted) in &desired.resources {
        let values: Vec<&str> = wanted.value.get("values").unwrap().as_list().iter().map(|value| value.as_str().unwrap()).collect();
        lines.push(format!("{} {id} {} {}", wanted.place, wanted.value.get("ttl").unwrap(), values.join(" | ")));
    }
    for (id, place) in &desired.left {
        lines.push(format!("{place} {id} left alone"));
    }
    for (reason, count) in &desired.skipped {
        lines.push(format!("skipped {count}: {reason}"));
    }
    lines.join("\n")
}

/// Refusals as a person reads them.
pub fn refusals(all: &[Refusal]) -> String {
    all.iter().map(trueup::core::render::refusal).collect::<Vec<_>>().join("\n\n")
}
