//! The kind that a resource is of, by its id alone.

use super::{
    config::{self, KEYS},
    dns::DNS,
};
use crate::core::model::{Kind, ResourceId};

/// What a resource means where its target is not at hand: the kind without the limits of a certain target.
pub fn of(id: &ResourceId) -> &'static dyn Kind {
    match &*id.kind {
        config::KEY => &KEYS,
        _ => &DNS,
    }
}
