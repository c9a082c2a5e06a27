//! The effective base of one resource: what base asks for, or what an open change of the same repository has applied ahead of it.

use crate::core::model::{MrId, RepoId, Value};

/// What somebody asks of one resource: base, or an open change that has written it ahead of base.
///
/// What a change of another repository wrote is nobody's base here: it is drift, told with whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    pub base: Option<&'a Value>,
    /// The open change that wrote here, and what; inside: `None` when it deleted the resource.
    pub ahead: Option<(&'a MrId, Option<&'a Value>)>,
}

impl<'a> Asked<'a> {
    pub fn new(repo: &RepoId, base: Option<&'a Value>, ahead: Option<&'a (MrId, Option<Value>)>) -> Self {
        let ours = ahead.filter(|(change, _)| change.repo == *repo);
        Self { base, ahead: ours.map(|(change, applied)| (change, applied.as_ref())) }
    }

    /// What the effective base asks for.
    pub fn effective(&self) -> Option<&'a Value> {
        match self.ahead {
            Some((_, applied)) => applied,
            None => self.base,
        }
    }
}
