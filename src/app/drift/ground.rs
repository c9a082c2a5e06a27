//! The ground a search stands on: what one commit of the governed branch asks for, part by part. Blocking, reads git objects only.

use super::super::{governing, late, mapped::Mapped, world::Repository};
use crate::{
    core::{
        drift::Stretch,
        model::{CommitId, Desired, Kind, Policy, Refusal, ResourceId, Str, TreeId, Unit, Wanted},
        plan::Patterns,
        review::Veil,
    },
    formats::trueup_yaml::Source,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// So many files of a key tree are one part: a few transactions of the target, and little memory however many keys there are.
const FILES: usize = 500;

/// The same where files are expanded, since each of them may ask for a hundred keys.
const EXPANDED: usize = 50;

/// One commit of the governed branch, as far as a search needs it.
pub struct Ground {
    pub base: CommitId,
    pub tree: TreeId,
    pub policy: Arc<Policy>,
    pub veil: Veil,
    pub sources: Vec<Source>,
    ignored: Patterns,
}

/// Some units of one source, looked at in one read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bundle {
    /// The source's folder and format: a source that moves or changes its form is another one.
    pub folder: Str,
    pub format: Str,
    pub units: Vec<Unit>,
}

impl Bundle {
    /// Its place in the order of a walk.
    pub fn stretch(&self) -> Stretch {
        let at = |unit: Option<&Unit>| format!("{} {} {}", self.folder, self.format, unit.map_or("", Unit::as_str));
        Stretch { first: at(self.units.first()), last: at(self.units.last()) }
    }

    /// What of the target it is, for people.
    pub fn area(&self) -> String {
        match self.units.as_slice() {
            [] => self.folder.to_string(),
            [one] => one.to_string(),
            [first, .., last] => format!("{first} … {last}"),
        }
    }
}

/// Narrows a search.
#[derive(Default)]
pub struct Only {
    /// A unit as grants name them: a zone, a key, `app/*`.
    pub unit: Option<Str>,
    /// One resource.
    pub id: Option<ResourceId>,
    /// Globs over `target/kind/name`.
    pub pattern: Option<Patterns>,
}

impl Only {
    pub fn takes(&self, id: &ResourceId, kind: &dyn Kind) -> bool {
        self.id.as_ref().is_none_or(|only| only == id)
            && self.unit.as_ref().is_none_or(|unit| kind.granted(id, unit))
            && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(id))
    }
}

/// What a part asks of one target.
#[derive(Default)]
pub struct Wishes {
    pub resources: BTreeMap<ResourceId, Wanted>,
    pub ignored: u64,
    /// Files that cannot be read ask for nothing that could be compared.
    pub faults: Vec<(Unit, Refusal)>,
}

impl Ground {
    /// Reads what governs at a commit; the text says what to do where nothing does.
    pub fn at(repo: &Repository, base: &CommitId) -> Result<Self, String> {
        let governing = governing::governing(repo, base).map_err(|error| error.to_string())?;
        let policy = Arc::new(governing::policy(repo, &governing));
        let Some(root) = governing.root else {
            return Err(format!("the branch `{}` of {} has no trueup.yaml that can be read, so nothing is governed; merge one first", repo.governed, repo.id));
        };
        let ignored = Patterns::new("policy.ignore", &policy.ignore).map_err(|fault| fault.to_string())?;
        let tree = repo.state.tree(base).map_err(|error| error.to_string())?;
        Ok(Self { base: base.clone(), tree, veil: Veil::new(&policy.sensitive), policy, sources: root.sources, ignored })
    }

    /// The targets that anything is asked of.
    pub fn targets(&self) -> BTreeSet<Str> {
        self.sources.iter().flat_map(|source| source.targets.iter().cloned()).collect()
    }

    /// The parts of one target, in a stable order. Zones are parts of their own; files of key trees come many at once.
    pub fn bundles(&self, repo: &Repository, target: &str) -> Result<Vec<Bundle>, String> {
        let mut all = Vec::new();
        for source in self.sources.iter().filter(|source| source.targets.iter().any(|named| **named == *target)) {
            let Some(mapped) = Mapped::of_target(source, target, &self.policy) else { continue };
            let units = repo.units.units(&*repo.state, &mapped.git(), &self.tree).map_err(|error| error.to_string())?;
            let bundle = |units: Vec<Unit>| Bundle { folder: source.path.clone(), format: source.format.clone(), units };
            if mapped.format.in_parts() {
                let units: Vec<Unit> = units.into_iter().collect();
                let files = if source.expand.is_empty() { FILES } else { EXPANDED };
                all.extend(units.chunks(files).map(|some| bundle(some.to_vec())));
            } else {
                all.extend(units.into_iter().map(|unit| bundle(vec![unit])));
            }
        }
        all.sort_by_cached_key(Bundle::stretch);
        Ok(all)
    }

    /// The parts that may ask for one resource, one a source.
    pub fn bundles_of(&self, repo: &Repository, id: &ResourceId) -> Result<Vec<Bundle>, String> {
        let mut all = Vec::new();
        for source in self.sources.iter().filter(|source| source.targets.contains(&id.target)) {
            let Some(mapped) = Mapped::of_target(source, id.target.clone(), &self.policy) else { continue };
            // Expanded files above it ask for keys that no file is called by.
            let mut units = BTreeSet::from([mapped.format.unit_for(id)]);
            units.extend(repo.units.beside(&*repo.state, &mapped.git(), &self.tree, &units).map_err(|error| error.to_string())?);
            if mapped.format.in_parts() {
                all.push(Bundle { folder: source.path.clone(), format: source.format.clone(), units: units.into_iter().collect() });
            } else {
                all.extend(units.into_iter().map(|unit| Bundle { folder: source.path.clone(), format: source.format.clone(), units: vec![unit] }));
            }
        }
        Ok(all)
    }

    /// Which of these parts may ask for one resource.
    pub fn asking(&self, repo: &Repository, parts: &[Bundle], id: &ResourceId) -> Result<BTreeSet<usize>, String> {
        let mut all = BTreeSet::new();
        for home in self.bundles_of(repo, id)? {
            let has = |part: &Bundle| part.folder == home.folder && part.format == home.format && home.units.iter().any(|unit| part.units.binary_search(unit).is_ok());
            all.extend(parts.iter().enumerate().filter(|(_, part)| has(part)).map(|(at, _)| at));
        }
        Ok(all)
    }

    /// What a part asks of one target.
    pub fn wishes(&self, repo: &Repository, bundle: &Bundle, target: &str, kind: &dyn Kind, only: &Only) -> Result<Wishes, String> {
        let mut wishes = Wishes::default();
        let source = self.sources.iter().find(|source| source.path == bundle.folder && source.format == bundle.format && source.targets.iter().any(|named| **named == *target));
        let Some(mapped) = source.and_then(|source| Mapped::of_target(source, target, &self.policy)) else { return Ok(wishes) };
        let from = mapped.git();
        for unit in &bundle.units {
            let side = repo.units.once(&*repo.state, &from, &self.tree, unit).map_err(|error| error.to_string())?;
            match &*side {
                Ok(read) if read.desired.late.is_empty() => self.keep(&read.desired, target, kind, only, &mut wishes),
                Ok(read) => {
                    let mut desired = read.desired.clone();
                    let faults = late::Tree::new(repo, &self.tree, &self.sources, &self.policy).resolve(&mut desired).map_err(|error| error.to_string())?;
                    wishes.faults.extend(faults.into_iter().map(|fault| (unit.clone(), fault)));
                    self.keep(&desired, target, kind, only, &mut wishes);
                }
                Err(faults) => wishes.faults.extend(faults.iter().map(|fault| (unit.clone(), fault.clone()))),
            }
        }
        Ok(wishes)
    }

    fn keep(&self, desired: &Desired, target: &str, kind: &dyn Kind, only: &Only, wishes: &mut Wishes) {
        for (id, wanted) in desired.resources.iter().filter(|(id, _)| *id.target == *target && only.takes(id, kind)) {
            if self.ignored.matches(id) {
                wishes.ignored += 1;
            } else {
                wishes.resources.insert(id.clone(), wanted.clone());
            }
        }
    }

    /// Whether policy leaves a resource alone.
    pub fn ignores(&self, id: &ResourceId) -> bool {
        self.ignored.matches(id)
    }
}
