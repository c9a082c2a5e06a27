//! A source of `trueup.yaml` with everything that reading it takes, made once however many of its units are read.

use super::wiring;
use crate::{
    core::model::{Policy, Str},
    formats::{Format, Scope, trueup_yaml::Source},
    git,
};
use std::sync::Arc;

/// One source, its format, and where what it asks for goes.
pub(in crate::app) struct Mapped<'a> {
    pub source: &'a Source,
    pub format: Arc<dyn Format>,
    scope: Scope,
}

impl<'a> Mapped<'a> {
    /// The source for all its targets; none where nothing here reads its format.
    pub fn of(source: &'a Source, policy: &Policy) -> Option<Self> {
        Self::to(source, source.targets.clone(), policy)
    }

    /// The same for one target.
    pub fn of_target(source: &'a Source, target: impl Into<Str>, policy: &Policy) -> Option<Self> {
        Self::to(source, vec![target.into()], policy)
    }

    fn to(source: &'a Source, targets: Vec<Str>, policy: &Policy) -> Option<Self> {
        wiring::format(source).map(|format| Self { source, format, scope: Scope { targets, policy: policy.clone() } })
    }

    pub fn git(&self) -> git::Source<'_> {
        git::Source { folder: &self.source.path, format: &*self.format, scope: &self.scope }
    }
}
