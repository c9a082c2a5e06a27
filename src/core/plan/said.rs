//! Orders that people write down for many resources at once, where the data cannot say them.

use super::{
    item::Item,
    order::{Said, SaidWhy},
    pattern::Patterns,
};
use crate::core::model::{Place, Refusal, RefusalKind, ResourceId, Str};
use std::collections::BTreeSet;

/// All that one side matches comes before all that the other matches; what goes, goes the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub first: Side,
    pub then: Side,
    /// Where it is said.
    pub place: Place,
}

/// One side of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// A glob over `target/kind/name`.
    Resources(Str),
    /// All that the files below a folder ask for, or asked for.
    Folder(Str),
}

/// An order is kept pair by pair, so that what fails blocks its own followers only; of more pairs than this nobody reads one.
const PAIRS: usize = 200_000;

/// The orders between the resources of a plan.
pub(super) fn orders(items: &[Item<'_>], orders: &[Order]) -> Result<Vec<Said>, Vec<Refusal>> {
    let (mut said, mut faults) = (Vec::new(), Vec::new());
    for order in orders {
        let (first, then) = match (matched(items, &order.first), matched(items, &order.then)) {
            (Ok(first), Ok(then)) => (first, then),
            (Err(fault), _) | (_, Err(fault)) => {
                faults.push(fault.at(order.place.clone()));
                continue;
            }
        };
        if first.len().saturating_mul(then.len()) > PAIRS {
            let what = format!("this order holds between {} and {} writes of the merge request, and at most {PAIRS} pairs are ordered", first.len(), then.len());
            faults.push(Refusal::new(RefusalKind::Budget, what).at(order.place.clone()).advice("order fewer of them, or change them in two merge requests"));
            continue;
        }
        for (a, a_stays) in &first {
            // One that is on both sides does not wait for itself, and one that goes is not ordered with one that stays.
            for (b, _) in then.iter().filter(|(b, stays)| b != a && stays == a_stays) {
                let (first, then) = if *a_stays { (a, b) } else { (b, a) };
                said.push(Said { first: (*first).clone(), then: (*then).clone(), place: order.place.clone(), why: SaidWhy::Said });
            }
        }
    }
    if faults.is_empty() { Ok(said) } else { Err(faults) }
}

/// What a side matches, and whether it is there afterwards.
fn matched<'i>(items: &'i [Item<'_>], side: &Side) -> Result<BTreeSet<(&'i ResourceId, bool)>, Refusal> {
    let stays = |item: &'i Item<'_>| (item.id(), item.delta.to.is_some());
    Ok(match side {
        Side::Resources(pattern) => {
            let patterns = Patterns::new("order", std::slice::from_ref(pattern))?;
            items.iter().filter(|item| patterns.matches(item.id())).map(stays).collect()
        }
        Side::Folder(path) => {
            let inside = |item: &&Item<'_>| item.delta.place.file.strip_prefix(&**path).is_some_and(|rest| rest.starts_with('/'));
            items.iter().filter(inside).map(stays).collect()
        }
    })
}
