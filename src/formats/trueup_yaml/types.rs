//! The keys of `trueup.yaml`; the doc of each field is its line in docs/configuration.md.

use crate::{
    core::{
        model::{HealthRule, Place, Policy, ResourceId, Str},
        plan::{Order, Side},
    },
    formats::keytree::{Expand, KeyTree},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a repository governs, and by which policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Repository {
    /// The folders that hold desired state. Read from the merged tree.
    pub sources: Vec<Source>,
    /// Resource id patterns (glob over `target/kind/name`) that are given up and left as they are, when their source no longer asks for them.
    pub release: Vec<Str>,
    /// Resources that have another id now and are the same live object.
    pub moved: Vec<Moved>,
    /// Orders between resources that the data cannot say: all that `first` matches is proven before anything that `then` matches is begun. Read from the merged tree.
    pub order: Vec<Ordered>,
    /// Who approves, how much at once, when, and what to leave alone. Read from base.
    pub policy: Policy,
    /// Everybody whom `policy.approvals` names, each with its place.
    #[serde(skip)]
    pub approvers: Vec<(Str, Place)>,
}

/// One folder of desired state, in one format, for one or several targets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The folder, relative to the root of the repository and below it: the root itself holds `trueup.yaml` and `plans/`.
    pub path: Str,
    /// What the files are: `octodns`, `zonefile` or `keytree`.
    pub format: Str,
    /// The targets that shall all hold what the folder asks for, by their names in the server's configuration.
    pub targets: Vec<Str>,
    /// `keytree`: what every key starts with: `/app/`. Without it, a file's path in the folder is its key.
    #[serde(default)]
    pub prefix: Option<Str>,
    /// `keytree`: the files that give a key for every leaf (`yaml`, `json`, `toml`, `properties`); their extension is no part of the keys. Every other file is one key, byte for byte.
    #[serde(default)]
    pub expand: Vec<Expand>,
    /// `keytree`: what stands between the names of an expanded file's maps inside each other. Without it: `/`.
    #[serde(default)]
    pub separator: Option<Str>,
    /// `keytree`: `NAME.schema.json` is the JSON Schema that the file `NAME` (with any of these extensions, expanded or not) must fit, and no key.
    #[serde(default)]
    pub schemas: bool,
    /// `keytree`, `octodns`: `${TARGET/KIND/NAME.FIELD}` in a value (of octoDNS: an address, a target or a text) stands for what this repository asks of another resource, and is resolved when a plan is made. `$${` is `${` itself.
    #[serde(default)]
    pub references: bool,
    /// `octodns`: `octodns.healthcheck` of A, AAAA and CNAME records is asked of each of their values before a change of them merges, as octoDNS has its providers ask it.
    #[serde(default)]
    pub healthchecks: bool,
    /// `keytree`: groups of keys that are written in one transaction or not at all: all keys that start so (`/app/db/*`), one group a line; a key is in the first that takes it.
    #[serde(default)]
    pub atomic: Vec<Str>,
    /// What else must hold, for what this source asks for, before a change of it merges: added to what policy asks.
    #[serde(default)]
    pub health: Vec<HealthRule>,
    /// Paths of other sources: what they ask for is proven before anything that this one asks for is begun.
    #[serde(default)]
    pub after: Vec<Str>,
    /// Where the source is declared.
    #[serde(skip)]
    pub place: Place,
    /// Where each of `targets` is named.
    #[serde(skip)]
    pub target_places: Vec<Place>,
    /// Where each of `health` stands.
    #[serde(skip)]
    pub health_places: Vec<Place>,
    /// Where each of `after` is named.
    #[serde(skip)]
    pub after_places: Vec<Place>,
}

/// One order between the resources of two patterns.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ordered {
    /// What comes first: a glob over `target/kind/name`.
    pub first: Str,
    /// What waits for it: a glob over `target/kind/name`.
    pub then: Str,
    /// Where it is said.
    #[serde(skip)]
    pub place: Place,
}

/// One resource under its old and its new id.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// The id it had: `target/kind/name`.
    #[schemars(with = "String")]
    pub from: ResourceId,
    /// The id it has now: `target/kind/name`.
    #[schemars(with = "String")]
    pub to: ResourceId,
}

impl Source {
    /// The format of a key tree with this source's settings.
    pub fn key_tree(&self) -> KeyTree {
        let plain = KeyTree::default();
        KeyTree {
            prefix: self.prefix.clone().unwrap_or(plain.prefix),
            separator: self.separator.clone().unwrap_or(plain.separator),
            expand: self.expand.iter().copied().collect(),
            schemas: self.schemas,
            references: self.references,
        }
    }

    /// Whether two sources read the same folder the same way; their targets may differ.
    pub fn reads_like(&self, other: &Source) -> bool {
        self.path == other.path && self.format == other.format && self.key_tree() == other.key_tree()
    }

    /// The path inside the source's folder; `None` when the file is not in it.
    pub fn inside<'a>(&self, file: &'a str) -> Option<&'a str> {
        file.strip_prefix(&*self.path)?.strip_prefix('/')
    }
}

impl Repository {
    /// What `order:` and the sources' `after:` say.
    pub fn orders(&self) -> Vec<Order> {
        let ordered =
            self.order.iter().map(|Ordered { first, then, place }| Order { first: Side::Resources(first.clone()), then: Side::Resources(then.clone()), place: place.clone() });
        let after = self.sources.iter().flat_map(|source| source.after.iter().zip(&source.after_places).map(move |(first, place)| (source, first, place)));
        let after = after.map(|(source, first, place)| Order { first: Side::Folder(first.clone()), then: Side::Folder(source.path.clone()), place: place.clone() });
        ordered.chain(after).collect()
    }

    /// The source that maps a file, by its path in the repository.
    pub fn source_of(&self, file: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.inside(file).is_some())
    }
}
