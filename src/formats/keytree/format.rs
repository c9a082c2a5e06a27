//! The format: which file is which key, and how a file is read.

use super::{flatten, json, properties, schema, secret, toml, write};
use crate::{
    core::model::{Desired, Kind, Late, Place, Refusal, RefusalKind, ResourceId, Str, Unit, Value, Wanted, Why},
    formats::{Files, Format, Home, Scope, UnitFiles, references, yaml},
    kinds::config::{KEYS, key_id},
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
    /// Whether `NAME.schema.json` is the schema of the file `NAME`, and no key.
    pub schemas: bool,
    /// Whether `${…}` in a value refers to another resource.
    pub references: bool,
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
    /// `.toml`.
    Toml,
}

impl Default for KeyTree {
    fn default() -> Self {
        Self { prefix: "".into(), separator: "/".into(), expand: BTreeSet::new(), schemas: false, references: false }
    }
}

impl Expand {
    const ALL: [Self; 4] = [Self::Yaml, Self::Json, Self::Properties, Self::Toml];

    fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Yaml => &[".yaml", ".yml"],
            Self::Json => &[".json"],
            Self::Properties => &[".properties"],
            Self::Toml => &[".toml"],
        }
    }

    /// A file's name without its extension, and the grammar that says.
    fn of(path: &str) -> Option<(&str, Self)> {
        let how = |expand: Self| expand.extensions().iter().find_map(|extension| Some((path.strip_suffix(extension)?, expand)));
        let (bare, expand) = Self::ALL.into_iter().find_map(how)?;
        // `.yaml` alone is a file without a name, not an extension.
        (!bare.is_empty() && !bare.ends_with('/')).then_some((bare, expand))
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
        Expand::of(path).filter(|(_, expand)| self.expand.contains(expand))
    }

    /// Where files are that would be the key `prefix + path`, or a folder of that name when expanded.
    fn files_of(&self, path: &str) -> impl Iterator<Item = Home> {
        let extensions = Expand::ALL.into_iter().filter(|expand| self.expand.contains(expand)).flat_map(Expand::extensions);
        std::iter::once("").chain(extensions.copied()).map(move |extension| Home::File(format!("{path}{extension}").into())).collect::<Vec<_>>().into_iter()
    }

    /// The keys of one file, each as its grammar and its schema allow.
    fn leaves(&self, files: &dyn Files, path: &str) -> Result<Vec<Leaf>, Vec<Refusal>> {
        let bytes = files.bytes(path).map_err(|refusal| vec![refusal])?;
        let name = files.in_repository(path);
        // A schema's own faults have lines of another file.
        let told = |fault: Refusal| if fault.place.as_ref().is_some_and(|place| place.file == name) { yaml::with_excerpt(fault, &bytes) } else { fault };
        let read = self.grammar(files, path, &bytes).map_err(|faults| faults.into_iter().map(told).collect::<Vec<_>>())?;
        Ok(read.unwrap_or_else(|| vec![Leaf { below: String::new(), bytes, place: Place::new(name, 1, 1) }]))
    }

    /// What a leaf asks for: a reference to a secret, text with references to others, or its bytes.
    fn asked(&self, leaf: &Leaf, lines: Option<&references::Lines<'_>>) -> Result<(Value, Option<Late>), Vec<Refusal>> {
        let plain = secret::asked(leaf).map_err(|refusal| vec![refusal])?;
        let (Some(lines), Value::Str(text)) = (lines, &plain) else { return Ok((plain, None)) };
        match references::read(text, lines, &leaf.place)? {
            None => Ok((plain, None)),
            Some(late) if late.refers().next().is_none() => Ok((Value::str(late.around()), None)),
            Some(late) => Ok((Value::Unknown(Why("a reference that is not resolved".into())), Some(late))),
        }
    }

    /// The leaves of an expanded file; `None` for one that is a key as it is.
    fn grammar(&self, files: &dyn Files, path: &str, bytes: &[u8]) -> Result<Option<Vec<Leaf>>, Vec<Refusal>> {
        let schema = self.schemas.then(|| schema::beside(Expand::of(path).map_or(path, |(bare, _)| bare))).filter(|schema| files.has(schema));
        let expanded = self.expanded(path).is_some();
        if !expanded && schema.is_none() {
            return Ok(None);
        }
        let file = &*files.in_repository(path);
        let (root, pairs) = match Expand::of(path).map(|(_, how)| how) {
            Some(Expand::Yaml) => (yaml::load(file, bytes, &yaml::Budget::default()).map_err(|fault| vec![fault])?, None),
            Some(Expand::Json) => (json::load(file, bytes).map_err(|fault| vec![fault])?, None),
            Some(Expand::Toml) => (toml::load(file, bytes)?, None),
            Some(Expand::Properties) => {
                let leaves = properties::read(file, bytes)?;
                (schema::pairs(file, &leaves), Some(leaves))
            }
            None => (schema::whole(file, bytes), None),
        };
        let faults = schema.map_or_else(Vec::new, |schema| schema::faults(files, &schema, &root));
        match faults.is_empty() {
            false => Err(faults),
            true if expanded => pairs.map_or_else(|| flatten::leaves(&root, &self.separator), Ok).map(Some),
            true => Ok(None),
        }
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
        format!("{:?} {:?} {:?} {} {}", self.prefix, self.separator, self.expand, self.schemas, self.references)
    }

    /// A unit is what one file asks for, named by the key that the file is or that all its keys start with.
    fn unit_of(&self, path: &str) -> Option<Unit> {
        let bare = self.expanded(path).map_or(path, |(bare, _)| bare);
        let schema = self.schemas && path.ends_with(schema::SUFFIX);
        (!for_git(path) && !schema).then(|| Unit::new(format!("{}{bare}", self.prefix)))
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

    /// Schemas, and what they refer to.
    fn reads_beyond(&self) -> bool {
        self.schemas
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
            let leaves = match self.leaves(files, &path) {
                Ok(leaves) => leaves,
                Err(more) => {
                    faults.extend(more);
                    continue;
                }
            };
            let file = if self.references { files.bytes(&path).unwrap_or_default() } else { Vec::new() };
            let lines = self.references.then(|| references::Lines::of(&file));
            for leaf in leaves {
                let asked = self.asked(&leaf, lines.as_ref());
                let Leaf { below, bytes: _, place } = leaf;
                let between = if below.is_empty() { "" } else { &*self.separator };
                let key = format!("{}{between}{below}", unit.as_str());
                if let Some(first) = seen.insert(key.clone(), place.clone()) {
                    let what = format!("two places ask for the key `{key}`");
                    faults.push(Refusal::new(RefusalKind::Overlap, what).at(place).also(first).advice("keep one of the two"));
                    continue;
                }
                let (value, late) = match asked {
                    Ok(asked) => asked,
                    Err(refused) => {
                        faults.extend(refused);
                        continue;
                    }
                };
                for target in &scope.targets {
                    desired.late.extend(late.iter().map(|late| (key_id(target, &key), late.clone())));
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
