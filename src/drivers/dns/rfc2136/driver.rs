//! The driver itself: one target, its key, and a count of what was sent.

use super::{
    absence, act,
    config::{Config, ConfigError, with_port},
    health, observe, probe,
    transport::{Conn, WireError},
};
use crate::{
    core::{
        model::{ABSENCE_LINGERS, Fact, Kind, Observed, Str, Token, Unit, Want},
        plan::Act,
        run::Outcome,
    },
    kinds::dns::DNS,
    ports::{Census, Clock, Cx, Driver, Exam, Fut, Guarded, ObserveError, Precondition, Probe, SystemClock},
};
use hickory_proto::rr::TSigner;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// Talks to one primary name server and asks the servers that answer for it.
pub struct Rfc2136 {
    pub(super) config: Config,
    pub(super) primary: String,
    pub(super) nameservers: Vec<String>,
    signer: Option<TSigner>,
    clock: Arc<dyn Clock>,
    updates: AtomicU64,
    transfers: AtomicU64,
    questions: AtomicU64,
}

/// What a driver has sent since it was made, for metrics and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// UPDATE messages, whatever the answer was.
    pub updates: u64,
    /// Whole zones read.
    pub transfers: u64,
    /// Single questions to the primary.
    pub questions: u64,
}

impl Rfc2136 {
    /// Makes a driver; nothing is sent before the first call.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with_clock(config, Arc::new(SystemClock))
    }

    /// The same with another clock than the machine's: TSIG signs the time with every message.
    pub fn with_clock(config: Config, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let signer = config.signer()?;
        let primary = with_port(&config.address);
        let nameservers = if config.nameservers.is_empty() { vec![primary.clone()] } else { config.nameservers.iter().map(|address| with_port(address)).collect() };
        Ok(Self { config, primary, nameservers, signer, clock, updates: AtomicU64::new(0), transfers: AtomicU64::new(0), questions: AtomicU64::new(0) })
    }

    pub fn counts(&self) -> Counts {
        Counts { updates: self.updates.load(Ordering::Relaxed), transfers: self.transfers.load(Ordering::Relaxed), questions: self.questions.load(Ordering::Relaxed) }
    }

    /// A signed connection to the primary.
    pub(super) async fn connect(&self, deadline: Instant) -> Result<Conn, WireError> {
        Conn::open(&self.primary, self.signer.clone(), self.clock.clone(), self.config.timeouts, deadline).await
    }

    /// An unsigned connection, as any client of a name server makes it.
    pub(super) async fn connect_as_client(&self, address: &str, deadline: Instant) -> Result<Conn, WireError> {
        Conn::open(address, None, self.clock.clone(), self.config.timeouts, deadline).await
    }

    pub(super) fn count_update(&self) {
        self.updates.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_transfer(&self) {
        self.transfers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_questions(&self, n: usize) {
        self.questions.fetch_add(n as u64, Ordering::Relaxed);
    }
}

impl Driver for Rfc2136 {
    fn kind(&self) -> &'static dyn Kind {
        &DNS
    }

    fn precondition(&self) -> Precondition {
        // RFC 2136 §2.4: the TTL of a prerequisite is zero on the wire; where nothing but the TTL changes, `act` re-reads first.
        Precondition::Partial(Guarded { field: "ttl", not_compared: "TTL" })
    }

    fn caution(&self) -> Option<&'static str> {
        self.signer.is_none().then_some("updates are sent unsigned (no `tsig` in the server's configuration), so the name server cannot tell them from anybody else's")
    }

    fn observe<'a>(&'a self, cx: &'a Cx<'a>, wants: &'a [Want], facts: &'a [Fact]) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        Box::pin(async move {
            let mut seen = observe::observe(self, cx.deadline, wants).await?;
            if facts.iter().any(|fact| &**fact == health::ANSWERED_BY_ALL) {
                health::ask(self, cx.deadline, &mut seen).await;
            }
            if facts.iter().any(|fact| &**fact == ABSENCE_LINGERS) {
                absence::ask(self, cx.deadline, &mut seen).await;
            }
            Ok(seen)
        })
    }

    fn act<'a>(&'a self, cx: &'a Cx<'a>, act: &'a Act, skip: &'a BTreeSet<u32>, _tokens: &'a [Token]) -> Fut<'a, Outcome> {
        Box::pin(act::act(self, cx, act, skip))
    }

    fn census(&self) -> Option<&dyn Census> {
        Some(self)
    }

    fn prober(&self) -> Option<&dyn Probe> {
        Some(self)
    }
}

impl Probe for Rfc2136 {
    /// Sends questions, transfers that stop at once, and an update of nothing under a condition that does not hold.
    fn probe<'a>(&'a self, cx: &'a Cx<'a>, units: &'a [Unit], _granted: &'a [Str]) -> Fut<'a, Vec<Exam>> {
        Box::pin(probe::probe(self, cx.deadline, units))
    }
}

impl Census for Rfc2136 {
    /// Includes the name servers at the apex, which are a resource only where a source asks for them.
    fn list<'a>(&'a self, cx: &'a Cx<'a>, unit: &'a Unit) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        Box::pin(observe::list(self, cx.deadline, unit))
    }
}
