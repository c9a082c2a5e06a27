//! Everything a tree asks for, read and judged without a server: what `trueup validate` tells.

use super::{late, wiring};
use crate::{
    core::model::{Desired, Place, Policy, Refusal, RefusalKind, ResourceId, Str, TreeId, Unit, Value},
    formats::{
        Scope, templates,
        trueup_yaml::{self, FILE},
    },
    git::{Source, UnitCache},
    kinds,
    ports::{Mode, RepoError, StateRepo},
};
use std::collections::BTreeMap;

/// `trueup.yaml` and templates are written by hand; a larger one is a mistake.
const FILE_BYTES: u64 = 1 << 20;

/// What was read of a tree without a fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Valid {
    pub sources: usize,
    pub units: usize,
    pub resources: usize,
    /// Left out on purpose, by reason.
    pub skipped: BTreeMap<Str, u64>,
}

/// Reads all of a tree; every fault found, or what there is.
pub fn validate(state: &dyn StateRepo, tree: &TreeId) -> Result<Result<Valid, Vec<Refusal>>, RepoError> {
    let Some(bytes) = regular(state, tree, FILE)? else {
        let advice = "commit one that maps your folders to targets; `trueup schema` describes it";
        return Ok(Err(vec![Refusal::new(RefusalKind::Unknown, format!("there is no file {FILE} at the root")).at(Place::file(FILE)).advice(advice)]));
    };
    let root = match trueup_yaml::read(&bytes, &wiring::FORMATS) {
        Ok(root) => root,
        Err(faults) => return Ok(Err(faults)),
    };
    let mut reader = Reader { state, tree, cache: UnitCache::new(0), all: Desired::default(), faults: Vec::new(), units: 0 };
    for source in &root.sources {
        reader.source(source, &root)?;
    }
    reader.references(&root.policy);
    reader.templates(&root.policy)?;
    reader.whole_units();
    let Reader { all, mut faults, units, .. } = reader;
    if faults.is_empty() {
        return Ok(Ok(Valid { sources: root.sources.len(), units, resources: all.resources.len(), skipped: all.skipped }));
    }
    faults.sort_by(|a, b| (&a.place, &a.what).cmp(&(&b.place, &b.what)));
    faults.dedup();
    Ok(Err(faults))
}

struct Reader<'a> {
    state: &'a dyn StateRepo,
    tree: &'a TreeId,
    cache: UnitCache,
    all: Desired,
    faults: Vec<Refusal>,
    units: usize,
}

impl Reader<'_> {
    fn source(&mut self, source: &trueup_yaml::Source, root: &trueup_yaml::Repository) -> Result<(), RepoError> {
        // Reading the file refused every format that is not there.
        let Some(format) = wiring::format(source) else { return Ok(()) };
        let scope = Scope { targets: source.targets.clone(), policy: root.policy.clone() };
        let from = Source { folder: &source.path, format: &*format, scope: &scope };
        if self.state.files(self.tree, &source.path)?.is_empty() {
            let what = format!("the source's folder `{}` holds no file", source.path);
            self.faults.push(Refusal::new(RefusalKind::Path, what).at(source.place.clone()).advice("mend the path, or take the source out"));
            return Ok(());
        }
        for unit in self.cache.units(self.state, &from, self.tree)? {
            self.units += 1;
            match &*self.cache.unit(self.state, &from, self.tree, &unit)? {
                Err(faults) => self.faults.extend(faults.iter().cloned()),
                Ok(read) => {
                    if let Err((id, first, second)) = self.all.merge(read.desired.clone()) {
                        let fault = Refusal::new(RefusalKind::Overlap, format!("two places ask for {id}")).at(second).also(first);
                        self.faults.push(fault.advice("keep one of them: each resource has one owner"));
                    }
                }
            }
        }
        Ok(())
    }

    /// What values are written as, from all that was read. What only the server knows, its grants, is judged when a plan is made.
    fn references(&mut self, policy: &Policy) {
        if self.all.late.is_empty() {
            return;
        }
        let read = self.all.clone();
        self.faults.extend(late::resolve_within(&read, policy, &mut self.all));
    }

    fn templates(&mut self, policy: &Policy) -> Result<(), RepoError> {
        for entry in self.state.files(self.tree, templates::FOLDER)? {
            if let Some(bytes) = regular(self.state, self.tree, &entry.path)?.filter(|_| entry.path.ends_with(".yaml")) {
                let read = templates::read(&entry.path, &bytes);
                self.faults.extend(read.and_then(|mut template| template.ask(policy)).err());
            }
        }
        Ok(())
    }

    /// What only a unit as a whole shows: a CNAME beside other data.
    fn whole_units(&mut self) {
        let mut units: BTreeMap<(&Str, Unit), Vec<&ResourceId>> = BTreeMap::new();
        for (id, wanted) in &self.all.resources {
            let kind = kinds::of(id);
            // What a reference leads to is known when a plan is made.
            let form = (!matches!(wanted.value, Value::Secret(_))).then(|| kind.canon(id, wanted.value.clone()));
            self.faults.extend(form.and_then(Result::err).map(|fault| fault.at(wanted.place.clone())));
            units.entry((&id.target, kind.unit(id))).or_default().push(id);
        }
        for ids in units.into_values() {
            let Some(kind) = ids.first().map(|id| kinds::of(id)) else { continue };
            let resources = ids.into_iter().map(|id| (id.clone(), self.all.resources[id].clone())).collect();
            self.faults.extend(kind.check_unit(&Desired { resources, ..Desired::default() }));
        }
    }
}

/// A file's bytes where it is a regular file; a link in its place is as if nothing were there.
fn regular(state: &dyn StateRepo, tree: &TreeId, path: &str) -> Result<Option<Vec<u8>>, RepoError> {
    match state.entry(tree, path)? {
        Some(entry) if matches!(entry.mode, Mode::File | Mode::Executable) => state.blob(&entry.id, FILE_BYTES).map(Some),
        Some(_) | None => Ok(None),
    }
}
