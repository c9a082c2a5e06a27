//! What a driver is asked to look at, and what it saw.

use super::{Fingerprint, Refusal, ResourceId, Str, Time, Value};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// Asks for one resource: the driver returns live, base and merged in one canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    pub id: ResourceId,
    pub base: Option<Value>,
    pub merged: Option<Value>,
    /// What this change last wrote there, if it did.
    pub ours: Option<Fingerprint>,
}

/// The three values to compare, or the honest reason why there are not three.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reading {
    /// By `Kind::canon` or by a server's dry run. `None`: absent.
    Seen { live: Option<Value>, base: Option<Value>, merged: Result<Option<Value>, Refusal> },
    /// A rehearsal such as a playbook's `--check`; `changes: None` when it cannot tell.
    Opaque { changes: Option<bool>, covers: Fingerprint, report: String },
    /// What it lives in is made by this very plan.
    Later { until: ResourceId },
}

/// One resource as a driver saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    pub id: ResourceId,
    pub reading: Reading,
    pub facts: BTreeMap<Fact, FactValue>,
    pub health: Health,
    /// Undigested: the revision that the precondition is tried with first.
    pub token: Token,
    /// Undigested.
    pub at: Time,
}

/// Names something measurable about a resource: `answered_by_all`, `connections`.
pub type Fact = Str;

/// The fact that tells, as text, what a target knows of a resource's last change: a revision, a time. Drivers that know nothing leave it out.
pub const CHANGED: &str = "changed";

/// The fact that says for how many seconds it is remembered that a resource was not there: a zone's negative TTL (RFC 2308, 5). As text: why that could not be read.
pub const ABSENCE_LINGERS: &str = "absence_lingers";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FactValue {
    Bool(bool),
    Int(i64),
    Text(Str),
}

/// Health in kstatus' words; `Failed` is terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// This driver has no health for it: being equal is enough.
    NotAsked,
    Current,
    InProgress(Str),
    Failed(Str),
    /// It could not be asked; a sample without an answer is a gap.
    Unknown(Str),
}

/// A driver's own revision of a resource, opaque to core; never digested, never shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub Option<Str>);

/// How sure a delta is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Sure {
    Exact,
    Predicted(Why),
    Opaque(Why),
}

/// A reason in words, for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Why(pub Str);

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
