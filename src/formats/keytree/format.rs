//! The format: which file is which key, and how a file is read.

use super::{flatten, json, properties, write};
use crate::{
    core::model::{Desired, Kind, Place, Refusal, RefusalKind, ResourceId, Str, Unit, Wanted},
    formats::{Files, Format, Home, Scope, UnitFiles, yaml},
    kinds::config::{KEYS, key_id, value},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// As `trueup.yaml` says it.
pub const NAME: &str = "keytree";

/// Key trees with the settings of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTree {
    /// What every key starts with: `/app/`.
    pub prefix: Str,
    /// What stands between the names of maps inside each other in an expanded file.
    pub separator: Str,
    pub expand: BTreeSet<Expand>,
}

/// Files that give a key for every leaf instead of one for themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expand {
    /// `.yaml` and `.yml`.
    Yaml,
    /// `.json`.
    Json,
    /// `.properties`.
    Properties,
}

impl Default for KeyTree {
    fn default() -> Self {
        Self { prefix: "".into(), separator: "/".into(), expand: BTreeSet::new() }
    }
}

impl Expand {
    const ALL: [Self; 3] = [Self::Yaml, Self::Json, Self::Properties];

    fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Yaml => &[".yaml", ".yml"],
            Self::Json => &[".json"],
            Self::Properties => &[".properties"],
        }
    }
}

/// A key that a file asks for, before it is one of a target.
pub(super) struct Leaf {
    /// Below the file's own key; empty: the file's key itself.
    pub below: String,
    pub bytes: Vec<u8>,
    pub place: Place,
}

impl KeyTree {
    /// The file's name without the extension that is expanded, and how; `None`: the file is a key as it is.
    pub(super) fn expanded<'p>(&self, path: &'p str) -> Option<(&'p str, Expand)> {
        let how = |expand: &Expand| expand.extensions().iter().find_map(|extension| Some((path.strip_suffix(extension)?, *expand)));
        let (bare, expand) = self.expand.iter().find_map(how)?;
        // `.yaml` alone is a file without a name, not an extension.
        (!bare.is_empty() && !bare.ends_with('/')).then_some((bare, expand))
    }

    /// Where files are that would be the key `prefix + path`, or a folder of that name when expanded.
    fn files_of(&self, path: &str) -> impl Iterator<Item = Home> {
        let extensions = Expand::ALL.into_iter().filter(|expand| self.expand.contains(expand)).flat_map(Expand::extensions);
        std::iter::once("").chain(extensions.copied()).map(move |extension| Home::File(format!("{path}{extension}").into())).collect::<Vec<_>>().into_iter()
    }

    fn leaves(&self, path: &str, file: &str, bytes: Vec<u8>) -> Result<Vec<Leaf>, Vec<Refusal>> {
        let read = match self.expanded(path) {
            None => return Ok(vec![Leaf { below: String::new(), bytes, place: Place::new(file, 1, 1) }]),
            Some((_, Expand::Properties)) => properties::read(file, &bytes),
            Some((_, Expand::Yaml)) => yaml::load(file, &bytes, &yaml::Budget::default()).map_err(|fault| vec![fault]).and_then(|root| flatten::leaves(&root, &self.separator)),
            Some((_, Expand::Json)) => json::load(file, &bytes).map_err(|fault| vec![fault]).and_then(|root| flatten::leaves(&root, &self.separator)),
        };
        read.map_err(|faults| faults.into_iter().map(|fault| yaml::with_excerpt(fault, &bytes)).collect())
    }
}

/// What git and editors keep beside the files that matter.
fn for_git(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| matches!(name, ".gitkeep" | ".gitignore" | ".gitattributes"))
}

impl Format for KeyTree {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kind(&self) -> &'static dyn Kind {
        &KEYS
    }

    fn settings(&self) -> String {
        format!("{:?} {:?} {:?}", self.prefix, self.separator, self.expand)
    }

    /// A unit is what one file asks for, named by the key that the file is or that all its keys start with.
    fn unit_of(&self, path: &str) -> Option<Unit> {
        let bare = self.expanded(path).map_or(path, |(bare, _)| bare);
        (!for_git(path)).then(|| Unit::new(format!("{}{bare}", self.prefix)))
    }

    fn homes(&self, unit: &Unit) -> Option<Vec<Home>> {
        // A unit outside of the prefix has no file here.
        Some(unit.as_str().strip_prefix(&*self.prefix).filter(|path| !path.is_empty()).map_or_else(Vec::new, |path| self.files_of(path).collect()))
    }

    fn unit_for(&self, id: &ResourceId) -> Unit {
        Unit::new(id.name.clone())
    }

    fn in_parts(&self) -> bool {
        true
    }

    /// A key can also be asked for by a file above it that is expanded, and below an expanded file by a folder of its name.
    fn beside(&self, unit: &Unit) -> Vec<Home> {
        match unit.as_str().strip_prefix(&*self.prefix) {
            Some(path) => {
                let mut cuts: Vec<usize> = path.match_indices('/').chain(path.match_indices(&*self.separator)).map(|(at, _)| at).collect();
                cuts.sort_unstable();
                cuts.dedup();
                let mut homes: Vec<Home> = cuts.into_iter().map(|at| &path[..at]).filter(|above| !above.is_empty()).flat_map(|above| self.files_of(above)).collect();
                homes.extend((!path.is_empty()).then(|| Home::Folder(path.into())));
                if *self.separator != *"/" && !self.expand.is_empty() {
                    // Keys of an expanded file then stand beside it as files, not in a folder of its name.
                    homes.push(Home::Folder(path.rsplit_once('/').map_or("", |(folder, _)| folder).into()));
                }
                homes
            }
            // Another source's file above everything here.
            None if self.prefix.strip_prefix(unit.as_str()).is_some_and(|rest| rest.starts_with('/')) => vec![Home::Folder("".into())],
            None => Vec::new(),
        }
    }

    fn read(&self, unit: &Unit, files: &dyn Files, scope: &Scope) -> Result<Desired, Vec<Refusal>> {
        let mut desired = Desired::default();
        let mut faults = Vec::new();
        let mut seen: BTreeMap<String, Place> = BTreeMap::new();
        for path in files.list() {
            let name = files.in_repository(&path);
            let leaves = files.bytes(&path).map_err(|refusal| vec![refusal]).and_then(|bytes| self.leaves(&path, &name, bytes));
            let leaves = match leaves {
                Ok(leaves) => leaves,
                Err(more) => {
                    faults.extend(more);
                    continue;
                }
            };
            for Leaf { below, bytes, place } in leaves {
                let between = if below.is_empty() { "" } else { &*self.separator };
                let key = format!("{}{between}{below}", unit.as_str());
                if let Some(first) = seen.insert(key.clone(), place.clone()) {
                    let what = format!("two places ask for the key `{key}`");
                    faults.push(Refusal::new(RefusalKind::Overlap, what).at(place).also(first).advice("keep one of the two"));
                    continue;
                }
                let value = value(&bytes);
                for target in &scope.targets {
                    let wanted = Wanted { value: value.clone(), place: place.clone(), after: Vec::new() };
                    desired.resources.insert(key_id(target, &key), wanted);
                }
            }
        }
        if faults.is_empty() { Ok(desired) } else { Err(faults) }
    }

    fn write(&self, _unit: &Unit, desired: &Desired, previous: &UnitFiles) -> Result<UnitFiles, Vec<Refusal>> {
        write::write(self, desired, previous)
    }
}
