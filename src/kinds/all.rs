//! The kind that a resource is of, by its id alone.

use super::{
    config::{self, KEYS},
    dns::{DNS, RRSET},
};
use crate::core::model::{Kind, ResourceId, Str};

/// What a resource means where its target is not at hand: the kind without the limits of a certain target.
pub fn of(id: &ResourceId) -> &'static dyn Kind {
    match &*id.kind {
        config::KEY => &KEYS,
        _ => &DNS,
    }
}

/// What `TARGET/KIND/NAME.FIELD` refers to; `None`: there is no such kind.
///
/// The names of keys hold dots and keys have no fields, so all of it is the name. An RRset's name ends with its type, which holds none.
pub fn refers(target: &str, kind: &str, name: &str) -> Option<(ResourceId, Str)> {
    match kind {
        config::KEY => Some((ResourceId::new(target, kind, name), "".into())),
        RRSET => {
            let last = name.rfind('/').map_or(0, |at| at + 1);
            let (own, field) = name[last..].split_once('.').unwrap_or((&name[last..], ""));
            Some((ResourceId::new(target, kind, &name[..last + own.len()]), field.into()))
        }
        _ => None,
    }
}
