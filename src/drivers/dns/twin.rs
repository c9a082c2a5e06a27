//! The in-memory twin of a name server's driver: the same answers without a wire, and failures on demand.

use crate::{
    core::{
        model::{Fact, FactValue, Health, Kind, Observed, Reading, Refusal, RefusalKind, ResourceId, Token, Unit, Value, Want},
        plan::{Act, Write},
        run::{Item, Outcome},
    },
    kinds::dns::{DNS, split},
    ports::{Census, Clock, Cx, Driver, Fut, ObserveError, ObserveErrorKind, Precondition, SystemClock},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Zones in memory behind the `Driver` port; passes the ladder that real servers pass.
#[derive(Debug)]
pub struct Twin {
    target: String,
    state: Mutex<State>,
}

/// What happens to the next `act`, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request is lost: nothing happens, and the answer is unknown.
    LoseRequest,
    /// The reply is lost: everything happens, and the answer is unknown.
    LoseReply,
    /// Another writer changes a resource right before.
    Meanwhile(ResourceId, Option<Value>),
    /// Nobody answers: nothing happens, and that is known.
    Unreachable,
}

#[derive(Debug, Default)]
struct State {
    zones: BTreeMap<Unit, BTreeMap<ResourceId, Value>>,
    faults: Vec<Fault>,
    refused: BTreeSet<ResourceId>,
    lagging: BTreeSet<ResourceId>,
    down: bool,
    effects: u64,
}

impl Twin {
    /// A server without zones.
    pub fn new(target: impl Into<String>) -> Self {
        Self { target: target.into(), state: Mutex::default() }
    }

    /// Creates an empty zone: `example.com.`.
    pub fn serve(&self, zone: &str) {
        self.state().zones.entry(Unit::new(zone)).or_default();
    }

    /// Changes a resource as another writer would.
    pub fn by_hand(&self, id: &ResourceId, value: Option<&Value>) {
        self.state().put(id, value);
    }

    /// Everything that is live.
    pub fn live(&self) -> BTreeMap<ResourceId, Value> {
        self.state().zones.values().flatten().map(|(id, value)| (id.clone(), value.clone())).collect()
    }

    /// How many writes have taken effect.
    pub fn effects(&self) -> u64 {
        self.state().effects
    }

    /// Adds a fault; each act takes one, in order.
    pub fn fail_next(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Refuses every write of the resource from now on.
    pub fn refuse(&self, id: &ResourceId) {
        self.state().refused.insert(id.clone());
    }

    /// Makes a secondary lag behind, or catch up, for the resource.
    pub fn lag(&self, id: &ResourceId, lags: bool) {
        let mut state = self.state();
        if lags {
            state.lagging.insert(id.clone());
        } else {
            state.lagging.remove(id);
        }
    }

    /// Stops answering, or starts again.
    pub fn set_down(&self, down: bool) {
        self.state().down = down;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the state has failed already; the state itself is whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, kind: ObserveErrorKind, what: impl Into<String>, about: Vec<ResourceId>) -> ObserveError {
        ObserveError { target: self.target.clone(), what: what.into(), kind, about }
    }

    fn see(&self, wants: &[Want], facts: &[Fact]) -> Result<Vec<Observed>, ObserveError> {
        let state = self.state();
        if state.down {
            return Err(self.error(ObserveErrorKind::Unreachable, "the twin is down; start it again", Vec::new()));
        }
        let asked = facts.iter().any(|fact| &**fact == "answered_by_all");
        wants.iter().map(|want| self.one(&state, want, asked)).collect()
    }

    fn one(&self, state: &State, want: &Want, asked: bool) -> Result<Observed, ObserveError> {
        let merged = match split(&want.id) {
            Err(refusal) => Err(refusal),
            Ok(_) => want.merged.clone().map(|value| DNS.canon(&want.id, value)).transpose(),
        };
        let mut live = None;
        if split(&want.id).is_ok() {
            let zone = state.zones.get(&DNS.unit(&want.id));
            let zone = zone.ok_or_else(|| self.error(ObserveErrorKind::Missing, "the zone is not there; create the zone on the server first", vec![want.id.clone()]))?;
            live = zone.get(&want.id).cloned();
        }
        let settled = merged.as_ref().is_ok_and(|merged| *merged == live) && !state.lagging.contains(&want.id);
        let mut observed = Observed {
            id: want.id.clone(),
            reading: Reading::Seen { live, base: want.base.clone().map(|value| DNS.canon(&want.id, value.clone()).unwrap_or(value)), merged },
            facts: BTreeMap::new(),
            health: Health::NotAsked,
            token: Token::default(),
            at: SystemClock.now(),
        };
        if asked {
            observed.health = if settled { Health::Current } else { Health::InProgress("a name server still answers otherwise".into()) };
            observed.facts.insert("answered_by_all".into(), FactValue::Bool(settled));
        }
        Ok(observed)
    }

    fn write(&self, writes: &[Write], skip: &BTreeSet<u32>) -> Outcome {
        let mut state = self.state();
        let fault = if state.faults.is_empty() { None } else { Some(state.faults.remove(0)) };
        let tried = |at: usize| !skip.contains(&(at as u32));
        let all = |item: Item| Outcome { items: (0..writes.len()).map(|at| if tried(at) { item.clone() } else { Item::NotTried }).collect(), report: None };
        match &fault {
            Some(Fault::LoseRequest) => return all(Item::Unknown),
            Some(Fault::Unreachable) => return all(Item::Failed { transient: true, why: "the twin does not answer; try again".into() }),
            Some(Fault::Meanwhile(id, value)) => state.put(id, value.as_ref()),
            Some(Fault::LoseReply) | None if state.down => return all(Item::Failed { transient: true, why: "the twin is down; start it again".into() }),
            Some(Fault::LoseReply) | None => {}
        }
        let (gone, come): (Vec<_>, Vec<_>) = writes.iter().enumerate().filter(|(at, _)| tried(*at)).partition(|(_, write)| write.to.is_none());
        let mut items = vec![Item::NotTried; writes.len()];
        // Deletes first, as a message orders them, so that a CNAME and what replaces it swap in one act.
        for (at, write) in gone.into_iter().chain(come) {
            items[at] = state.item(write);
        }
        if fault == Some(Fault::LoseReply) { all(Item::Unknown) } else { Outcome { items, report: None } }
    }
}

impl State {
    fn put(&mut self, id: &ResourceId, value: Option<&Value>) {
        let zone = self.zones.entry(DNS.unit(id)).or_default();
        match value {
            Some(value) => zone.insert(id.clone(), value.clone()),
            None => zone.remove(id),
        };
    }

    fn item(&mut self, write: &Write) -> Item {
        let refuse = |what: &str, advice: &str| Item::Refused(Refusal::new(RefusalKind::Target, what).advice(advice));
        if self.refused.contains(&write.id) {
            return refuse("the twin refuses this name", "use another name");
        }
        let Some(zone) = self.zones.get(&DNS.unit(&write.id)) else { return refuse("the zone is not there", "create the zone on the server first") };
        let live = zone.get(&write.id);
        if live == write.to.as_ref() {
            return Item::Already;
        }
        if live != write.from.as_ref() {
            return Item::Moved(live.cloned());
        }
        let owner = |id: &ResourceId| id.name.rsplit_once('/').map(|(owner, _)| owner.to_owned());
        let cname = |id: &ResourceId| id.name.ends_with("/CNAME");
        let excluded = |id: &ResourceId| *id != write.id && owner(id) == owner(&write.id) && (cname(id) || cname(&write.id));
        if write.to.is_some() && zone.keys().any(excluded) {
            return refuse("a CNAME stands alone at its name", "remove what stands there in the same merge request");
        }
        self.put(&write.id, write.to.as_ref());
        self.effects += 1;
        Item::Done
    }
}

impl Driver for Twin {
    fn kind(&self) -> &'static dyn Kind {
        &DNS
    }

    fn precondition(&self) -> Precondition {
        Precondition::Token
    }

    fn observe<'a>(&'a self, _cx: &'a Cx<'a>, wants: &'a [Want], facts: &'a [Fact]) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        Box::pin(async move { self.see(wants, facts) })
    }

    fn act<'a>(&'a self, _cx: &'a Cx<'a>, act: &'a Act, skip: &'a BTreeSet<u32>, _tokens: &'a [Token]) -> Fut<'a, Outcome> {
        Box::pin(async move {
            match act {
                Act::Write(writes) => self.write(writes, skip),
                Act::Verb { .. } | Act::Run { .. } | Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause | Act::Earlier(_) => {
                    Outcome::all(1, Item::Refused(Refusal::new(RefusalKind::Target, "a name server knows writes alone").advice("plan the step without verbs and programs")))
                }
            }
        })
    }

    fn census(&self) -> Option<&dyn Census> {
        Some(self)
    }
}

impl Census for Twin {
    fn list<'a>(&'a self, _cx: &'a Cx<'a>, unit: &'a Unit) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        Box::pin(async move {
            let ids: Vec<ResourceId> = match self.state().zones.get(unit) {
                Some(zone) => zone.keys().cloned().collect(),
                None => return Err(self.error(ObserveErrorKind::Missing, "the zone is not there; create the zone on the server first", Vec::new())),
            };
            let wants: Vec<Want> = ids.into_iter().map(|id| Want { id, base: None, merged: None, ours: None }).collect();
            self.see(&wants, &[])
        })
    }
}
