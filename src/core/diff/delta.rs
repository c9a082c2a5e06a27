//! A delta: what changes about one resource.

use crate::core::model::{MrId, Path, Place, ResourceId, Sure, Value};
use serde::{Deserialize, Serialize};

/// What changes about one resource, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    pub id: ResourceId,
    pub op: Op,
    /// Live content before; what the write's precondition compares.
    pub from: Option<Value>,
    /// Content after; what the merged tree asks for.
    pub to: Option<Value>,
    pub paths: Vec<Path>,
    pub sure: Sure,
    pub reason: Reason,
    pub place: Place,
}

/// The kind of change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    Create,
    Update,
    /// Delete and create again, where the kind cannot change it in place.
    Replace,
    Delete,
    /// Live already equals merged.
    Keep,
    /// Take ownership of what is live and equal; writes nothing.
    Adopt,
    /// Stop governing and leave it; writes nothing.
    Release,
    /// The same live object under a new id, file or repository.
    Move {
        was: ResourceId,
    },
}

/// Why a delta is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Merged asks for something else than base.
    MergeRequest,
    /// This change wrote it before and now asks for something else, or has not finished.
    Continues,
    /// Live is what merged asks for.
    AlreadyTrue,
    /// Live is none of base, merged, ours; policy says to write over it.
    DriftOverwritten,
    /// Live is what somebody made by hand and answers for; this change of it ends the override.
    OverrideEnds,
    /// Another open change wrote what is live.
    AheadBy(MrId),
    /// The way back.
    Restores,
}

impl Reason {
    /// The open change whose write a delta goes on from.
    pub fn ahead_by(&self) -> Option<&MrId> {
        match self {
            Self::AheadBy(change) => Some(change),
            Self::MergeRequest | Self::Continues | Self::AlreadyTrue | Self::DriftOverwritten | Self::OverrideEnds | Self::Restores => None,
        }
    }
}
