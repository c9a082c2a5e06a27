//! A center as a driver: what the shell asks, in terms of what its own driver brings.

use super::{Center, act, observe};
use crate::{
    core::{
        model::{Fact, Kind, Observed, Str, Token, Unit, Want},
        plan::Act,
        run::Outcome,
    },
    ports::{Census, Cx, Driver, Exam, Fut, ObserveError, Precondition, Probe},
};
use std::collections::BTreeSet;

impl<C: Center + 'static> Driver for C {
    fn kind(&self) -> &'static dyn Kind {
        Center::kind(self)
    }

    fn precondition(&self) -> Precondition {
        Precondition::Token
    }

    fn observe<'a>(&'a self, cx: &'a Cx<'a>, wants: &'a [Want], facts: &'a [Fact]) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        Box::pin(observe(self, cx.deadline, wants, facts))
    }

    fn act<'a>(&'a self, cx: &'a Cx<'a>, step: &'a Act, skip: &'a BTreeSet<u32>, tokens: &'a [Token]) -> Fut<'a, Outcome> {
        Box::pin(act(self, cx, step, skip, tokens))
    }

    fn census(&self) -> Option<&dyn Census> {
        Some(self)
    }

    fn prober(&self) -> Option<&dyn Probe> {
        Some(self)
    }
}

impl<C: Center + 'static> Probe for C {
    fn probe<'a>(&'a self, cx: &'a Cx<'a>, _units: &'a [Unit], granted: &'a [Str]) -> Fut<'a, Vec<Exam>> {
        self.exams(granted, cx.deadline)
    }
}

impl<C: Center + 'static> Census for C {
    fn list<'a>(&'a self, cx: &'a Cx<'a>, unit: &'a Unit) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        self.list_below(cx, unit, "")
    }

    fn list_below<'a>(&'a self, cx: &'a Cx<'a>, _unit: &'a Unit, prefix: &'a str) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        Center::list(self, prefix, cx.deadline)
    }
}
