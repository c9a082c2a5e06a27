//! The configured live systems: each behind its driver, with one dispatcher that owns how much is in flight there.

use super::safe::{Look, Opened};
use crate::{
    core::{
        model::{Fact, Kind, Observed, ResourceId, Str, Token, Unit, Want},
        plan::Step,
        run::{Item, Outcome},
    },
    ports::{Cancel, Cx, Driver, Exam, Fence, ObserveError, ObserveErrorKind, Secrets, Stands},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};
use tokio::sync::{AcquireError, Notify, Semaphore, SemaphorePermit, oneshot};

/// How long one read of a target may take, all its round trips together.
pub const READ_DEADLINE: Duration = Duration::from_secs(60);

/// How often whoever reads last looks whether a slot is free.
const IDLE: Duration = Duration::from_millis(100);

/// One configured target. All changes share it, so its dispatcher is fair between them: waiters are served in the order they came.
pub struct Target {
    pub name: Str,
    driver: Arc<dyn Driver>,
    slots: Semaphore,
    /// Told whenever somebody has to wait for a slot.
    wanted: Notify,
    /// Reads that wait for a slot.
    waiting: Mutex<Vec<Read>>,
    next: AtomicU64,
}

type Seen = Result<Vec<Observed>, ObserveError>;

/// A read that waits for a slot, and where its answer goes.
struct Read {
    number: u64,
    wants: Vec<Want>,
    units: BTreeSet<Unit>,
    facts: Vec<Fact>,
    answer: oneshot::Sender<Seen>,
}

/// All targets by name.
pub type Targets = BTreeMap<Str, Arc<Target>>;

impl Target {
    /// `in_flight`: how many calls the target takes at once.
    pub fn new(name: impl Into<Str>, driver: Arc<dyn Driver>, in_flight: usize) -> Self {
        Self { name: name.into(), driver, slots: Semaphore::new(in_flight.max(1)), wanted: Notify::new(), waiting: Mutex::default(), next: AtomicU64::default() }
    }

    pub fn kind(&self) -> &'static dyn Kind {
        self.driver.kind()
    }

    pub fn driver(&self) -> &dyn Driver {
        &*self.driver
    }

    /// Reads plain values; one `Observed` a want, in the order asked. A `Look` opens what is asked and hides what comes back.
    ///
    /// Reads of the same units that wait for a slot at the same time become one: the proofs of ten steps in one zone are one transfer.
    pub(super) async fn observe(&self, secrets: &dyn Secrets, wants: &[Want], facts: &[Fact]) -> Seen {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let units = wants.iter().map(|want| self.kind().unit(&want.id)).collect();
            let (answer, mut seen) = oneshot::channel();
            self.waiting().push(Read { number, wants: wants.to_vec(), units, facts: facts.to_vec(), answer });
            let told = tokio::select! {
                biased;
                told = &mut seen => told,
                slot = self.slot() => {
                    if let Some(reads) = self.like(number) {
                        self.read_all(secrets, reads).await;
                    }
                    drop(slot);
                    seen.await
                }
            };
            // Whoever read for us was cut off: it is asked again.
            if let Ok(told) = told {
                return told;
            }
        }
    }

    /// Reads when nobody else wants the target, and lets go in the middle as soon as somebody does: it is asked again from the start then.
    pub async fn observe_last(&self, secrets: &dyn Secrets, wants: &[Want], facts: &[Fact]) -> Seen {
        loop {
            let wanted = self.wanted.notified();
            // Nobody waits while a slot is free: whoever lets go of one hands it to the next in line.
            let Ok(_slot) = self.slots.try_acquire() else {
                tokio::time::sleep(IDLE).await;
                continue;
            };
            tokio::select! {
                biased;
                seen = self.read(secrets, wants, facts) => return seen,
                () = wanted => {}
            }
        }
    }

    /// The next free slot, in the order asked; whoever reads only while nobody else does hears of it.
    async fn slot(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        if self.slots.available_permits() == 0 {
            self.wanted.notify_waiters();
        }
        self.slots.acquire().await
    }

    /// Takes a waiting read with all that can be read with it; `None`: it is being read.
    fn like(&self, number: u64) -> Option<Vec<Read>> {
        let mut waiting = self.waiting();
        let (units, facts) = waiting.iter().find(|read| read.number == number).map(|read| (read.units.clone(), read.facts.clone()))?;
        let (like, others) = std::mem::take(&mut *waiting).into_iter().filter(|read| !read.answer.is_closed()).partition(|read| read.units == units && read.facts == facts);
        *waiting = others;
        Some(like)
    }

    /// Reads for all of them at once; when that fails each is read alone, so that nobody hears of another's fault.
    async fn read_all(&self, secrets: &dyn Secrets, reads: Vec<Read>) {
        let facts = reads.first().map(|read| read.facts.clone()).unwrap_or_default();
        if reads.len() > 1 {
            let wants: Vec<Want> = reads.iter().flat_map(|read| read.wants.iter().cloned()).collect();
            if let Ok(seen) = self.read(secrets, &wants, &facts).await
                && seen.len() == wants.len()
            {
                let mut seen = seen.into_iter();
                return reads.into_iter().for_each(|read| drop(read.answer.send(Ok(seen.by_ref().take(read.wants.len()).collect()))));
            }
        }
        for read in reads {
            let seen = self.read(secrets, &read.wants, &facts).await;
            // Whoever asked may have gone away.
            drop(read.answer.send(seen));
        }
    }

    async fn read(&self, secrets: &dyn Secrets, wants: &[Want], facts: &[Fact]) -> Seen {
        let cx = Cx { fence: None, deadline: Instant::now() + READ_DEADLINE, cancel: Cancel::default(), together: false, sensitive: &[], secrets };
        match tokio::time::timeout(READ_DEADLINE, self.driver.observe(&cx, wants, facts)).await {
            Ok(answer) => answer,
            Err(_) => Err(ObserveError {
                target: self.name.to_string(),
                what: format!("no answer within {}s; check that it is up and reachable", READ_DEADLINE.as_secs()),
                kind: ObserveErrorKind::Unreachable,
                about: Vec::new(),
            }),
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Read>> {
        // Reads are only moved in and out, so a panic elsewhere leaves the list whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists everything in a unit whose name starts so, wanted or not.
    pub async fn list(&self, secrets: &dyn Secrets, unit: &Unit, prefix: &str) -> Result<Vec<Observed>, ObserveError> {
        let fault = |what: String, kind| ObserveError { target: self.name.to_string(), what, kind, about: Vec::new() };
        let census = self.driver.census().ok_or_else(|| fault("this kind of target cannot list what it holds".into(), ObserveErrorKind::Broken))?;
        let _slot = self.slot().await;
        let cx = Cx { fence: None, deadline: Instant::now() + READ_DEADLINE, cancel: Cancel::default(), together: false, sensitive: &[], secrets };
        census.list_below(&cx, unit, prefix).await
    }

    /// Examines the target as `doctor` does; writes nothing.
    pub async fn probe(&self, secrets: &dyn Secrets, units: &[Unit], granted: &[Str]) -> Vec<Exam> {
        let about = format!("target {}", self.name);
        let Some(prober) = self.driver.prober() else { return vec![Exam::warn(about, "this kind of target cannot be examined", "make a plan to see whether it answers")] };
        let cx = Cx { fence: None, deadline: Instant::now() + READ_DEADLINE, cancel: Cancel::default(), together: false, sensitive: &[], secrets };
        prober.probe(&cx, units, granted).await
    }

    /// Does one step with plain values: `Safe::act` is what calls this, and says which items are `sensitive`. An act that outlives its deadline, or the time for which the change is certainly ours, has an unknown outcome: only observing tells.
    pub(super) async fn act(&self, secrets: &dyn Secrets, owned: Owned<'_>, step: &Step, skip: &BTreeSet<u32>, tokens: &[Token], sensitive: &[u32]) -> Outcome {
        let _slot = self.slot().await;
        // Only now: waiting for the slot may have taken longer than the lease.
        let end = Instant::now() + step.deadline.std();
        let end = match (owned.stands)() {
            Stands::Always => end,
            Stands::Until(lease) => end.min(lease),
            Stands::Gone => {
                let why = "the lease on the change may have ended; nothing was sent".to_owned();
                return Outcome::all(step.items() as usize, Item::Failed { transient: true, why });
            }
        };
        let cx = Cx { fence: Some(owned.fence), deadline: end, cancel: Cancel::default(), together: step.together.is_some(), sensitive, secrets };
        let _over = GivenUp(cx.cancel.clone());
        let started = Instant::now();
        match before(end, owned.stands, self.driver.act(&cx, &step.act, skip, tokens)).await {
            Some(outcome) => outcome,
            None => Outcome { items: vec![Item::Unknown; step.items() as usize], report: Some(format!("no answer within {}s", started.elapsed().as_secs())) },
        }
    }
}

/// Cancels a call when it ends, however it ends: a driver's thread goes on when the future that waits for it is dropped.
struct GivenUp(Cancel);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The right to act for a change, and how long it certainly stands.
#[derive(Clone, Copy)]
pub struct Owned<'a> {
    pub fence: &'a Fence,
    pub stands: &'a (dyn Fn() -> Stands + Sync),
}

/// What comes of some work before an instant, and while a lease stands.
///
/// Both are looked at before the work goes on, each time: a process that was stopped and goes on later does not send its next message.
pub(super) async fn before<T>(end: Instant, stands: &(dyn Fn() -> Stands + Sync), work: impl Future<Output = T>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    let mut timer = std::pin::pin!(tokio::time::sleep_until(end.into()));
    std::future::poll_fn(|cx| {
        if Instant::now() >= end || stands() == Stands::Gone {
            return Poll::Ready(None);
        }
        match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
        }
    })
    .await
}

/// Reads wants of several targets at once and gives the answers back in the order asked. `health`: with the facts that are health for each target's kind.
///
/// Drivers are handed plain values; what comes back hides what `look` says.
pub async fn observe_all(targets: &Targets, look: Look<'_>, wants: &[Want], facts: &[Fact], health: bool) -> Result<Vec<Observed>, ObserveError> {
    let mut by_target: BTreeMap<&Str, Vec<&Want>> = BTreeMap::new();
    for want in wants {
        by_target.entry(&want.id.target).or_default().push(want);
    }
    let asks = by_target.into_iter().map(|(name, wants)| async move {
        let target = targets.get(name).ok_or_else(|| unknown(name))?;
        let opened: Vec<Opened> = wants.into_iter().map(|want| look.open(want, target.kind())).collect();
        let plain: Vec<Want> = opened.iter().map(|one| one.want.clone()).collect();
        let of_kind: &[&str] = if health { target.kind().health() } else { &[] };
        let facts: Vec<Fact> = facts.iter().cloned().chain(of_kind.iter().map(|fact| (*fact).into())).collect();
        let seen = target.observe(look.safe.secrets(), &plain, &facts).await.map_err(|error| look.close_error(&opened, error))?;
        Ok(opened.iter().zip(seen).map(|(opened, seen)| look.close(opened, seen)).collect::<Vec<_>>())
    });
    let mut found: BTreeMap<ResourceId, Observed> = BTreeMap::new();
    for answer in futures::future::join_all(asks).await {
        found.extend(answer?.into_iter().map(|seen| (seen.id.clone(), seen)));
    }
    wants.iter().map(|want| found.get(&want.id).cloned().ok_or_else(|| incomplete(&want.id))).collect()
}

fn unknown(name: &Str) -> ObserveError {
    ObserveError { target: name.to_string(), what: "no such target in the server's configuration".into(), kind: ObserveErrorKind::Missing, about: Vec::new() }
}

fn incomplete(id: &ResourceId) -> ObserveError {
    ObserveError { target: id.target.to_string(), what: format!("the driver did not answer for {id}"), kind: ObserveErrorKind::Broken, about: vec![id.clone()] }
}

#[cfg(test)]
mod tests {
    use super::{Owned, Target};
    use crate::{
        core::{
            model::{Fact, Health, Kind, Observed, Reading, ResourceId, SecretRef, Span, StepId, Time, Token, Unit, Value, Want},
            plan::{Act, Proof, Step, Undo, Write},
            run::{Item, Outcome},
        },
        drivers::config::directory::{Config, Directory},
        kinds::{config::key_id, dns::DNS},
        ports::{Cancel, Cx, Driver, Fence, Fut, ObserveError, ObserveErrorKind, Precondition, SecretError, SecretText, Secrets, SessionId, Stands},
    };
    use std::{
        collections::{BTreeMap, BTreeSet},
        fs,
        path::Path,
        sync::{
            Arc, Mutex,
            atomic::{AtomicBool, Ordering},
            mpsc::{Receiver, channel},
        },
        time::{Duration, Instant},
    };
    use tokio::sync::Semaphore;

    /// Notes how many wants each read had; each waits until it is let go.
    struct Slow {
        reads: Mutex<Vec<usize>>,
        go: Semaphore,
    }

    impl Driver for Slow {
        fn kind(&self) -> &'static dyn Kind {
            &DNS
        }

        fn precondition(&self) -> Precondition {
            Precondition::Token
        }

        fn observe<'a>(&'a self, _: &'a Cx<'a>, wants: &'a [Want], _: &'a [Fact]) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
            Box::pin(async move {
                self.reads.lock().unwrap().push(wants.len());
                self.go.acquire().await.unwrap().forget();
                if wants.iter().any(|want| want.id.name.contains("bad")) {
                    return Err(ObserveError { target: "dns".into(), what: "it is bad".into(), kind: ObserveErrorKind::Broken, about: Vec::new() });
                }
                let see = |want: &Want| Observed {
                    id: want.id.clone(),
                    reading: Reading::Seen { live: None, base: None, merged: Ok(None) },
                    facts: BTreeMap::new(),
                    health: Health::NotAsked,
                    token: Token(None),
                    at: Time::default(),
                };
                Ok(wants.iter().map(see).collect())
            })
        }

        fn act<'a>(&'a self, _: &'a Cx<'a>, _: &'a Act, _: &'a BTreeSet<u32>, _: &'a [Token]) -> Fut<'a, Outcome> {
            unreachable!("these tests only read")
        }
    }

    struct Nobody;

    impl Secrets for Nobody {
        fn resolve<'a>(&'a self, _: &'a SecretRef) -> Fut<'a, Result<SecretText, SecretError>> {
            unreachable!("these tests have no secrets")
        }
    }

    /// Asks for names while a first read holds the only slot; how many wants each read had, and who was answered.
    async fn asked(names: &[&str]) -> (Vec<usize>, Vec<bool>) {
        let driver = Arc::new(Slow { reads: Mutex::default(), go: Semaphore::new(0) });
        let target = Arc::new(Target::new("dns", driver.clone(), 1));
        let want = |name: &str| Want { id: ResourceId::new("dns", "rrset", name), base: None, merged: None, ours: None };
        let ask = |name: &str| {
            let (target, want) = (target.clone(), want(name));
            tokio::spawn(
                async move { target.observe(&Nobody, std::slice::from_ref(&want), &[]).await.map(|seen| seen.into_iter().map(|one| one.id).collect::<Vec<_>>() == [want.id]) },
            )
        };
        let first = ask("first./@/A");
        while driver.reads.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let rest: Vec<_> = names.iter().map(|name| ask(name)).collect();
        while target.waiting().len() < names.len() {
            tokio::task::yield_now().await;
        }
        driver.go.add_permits(100);
        assert!(first.await.unwrap().unwrap());
        let mut answered = Vec::new();
        for one in rest {
            answered.push(one.await.unwrap().is_ok_and(|own| own));
        }
        let reads = driver.reads.lock().unwrap().clone();
        (reads, answered)
    }

    #[tokio::test]
    async fn reads_of_one_unit_that_wait_together_become_one_and_each_gets_its_own() {
        let (mut reads, answered) = asked(&["a./x/A", "a./y/A", "b./x/A", "a./z/A"]).await;
        reads.sort();
        assert_eq!((reads, answered), (vec![1, 1, 3], vec![true; 4]));
    }

    #[tokio::test]
    async fn a_read_that_fails_together_is_read_alone_and_fails_its_own_asker_only() {
        let (reads, answered) = asked(&["a./x/A", "a./bad/A", "a./y/A"]).await;
        assert_eq!((reads, answered), (vec![1, 3, 1, 1, 1], vec![true, false, true]));
    }

    #[tokio::test]
    async fn a_read_that_comes_last_gives_way_in_the_middle_to_any_other() {
        let driver = Arc::new(Slow { reads: Mutex::default(), go: Semaphore::new(0) });
        let target = Arc::new(Target::new("dns", driver.clone(), 1));
        let want = |name: &str| Want { id: ResourceId::new("dns", "rrset", name), base: None, merged: None, ours: None };
        let (sweep, own) = (target.clone(), want("sweep./@/A"));
        let last = tokio::spawn(async move { sweep.observe_last(&Nobody, std::slice::from_ref(&own), &[]).await.is_ok() });
        while driver.reads.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let (other, own) = (target.clone(), want("other./@/A"));
        let other = tokio::spawn(async move { other.observe(&Nobody, std::slice::from_ref(&own), &[]).await.is_ok() });
        // It is read although the first was never answered.
        while driver.reads.lock().unwrap().len() < 2 {
            tokio::task::yield_now().await;
        }
        driver.go.add_permits(100);
        assert!(other.await.unwrap());
        assert!(last.await.unwrap());
        assert_eq!(*driver.reads.lock().unwrap(), [1, 1, 1], "the one that gave way began anew");
    }

    /// Three files that shall be written over.
    fn files(folder: &Path) -> Step {
        let write = |name: &str| {
            fs::write(folder.join(name), "old").unwrap();
            let from = Some(Value::str("old"));
            Write { id: key_id("files", name), undo: Undo::To(from.clone()), from, to: Some(Value::str("new")) }
        };
        Step {
            id: StepId(1),
            target: "files".into(),
            unit: Unit::new("keys"),
            act: Act::Write(["a", "b", "c"].map(write).into()),
            guard: None,
            proof: Proof::Settled,
            claims: Vec::new(),
            deadline: Span::mins(5),
            template: "direct".into(),
            together: None,
        }
    }

    /// What stands in the folder, names of files half written included.
    fn holds(folder: &Path) -> BTreeMap<String, String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap())).collect()
    }

    fn untouched() -> BTreeMap<String, String> {
        ["a", "b", "c"].map(|name| (name.to_owned(), "old".to_owned())).into()
    }

    #[tokio::test]
    async fn a_folder_whose_act_was_cut_off_is_written_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let step = files(dir.path());
        let (go, may_go) = channel::<()>();
        let (alive, ended): (_, Receiver<()>) = channel();
        let waits = Arc::new(AtomicBool::new(false));
        let (gate, stands_at_it) = (Mutex::new((may_go, alive)), waits.clone());
        let driver = Directory::syncing(Config { target: "files".into(), path: dir.path().to_owned(), mode: 0o644 }, move |_| {
            stands_at_it.store(true, Ordering::SeqCst);
            // Until the test lets it go, once and for all.
            let _ = gate.lock().unwrap().0.recv();
            Ok(())
        });
        let target = Target::new("files", Arc::new(driver), 1);
        let acting = tokio::spawn(async move {
            let fence = Fence { key: Vec::new(), rev: 1, session: SessionId(1) };
            target.act(&Nobody, Owned { fence: &fence, stands: &|| Stands::Always }, &step, &BTreeSet::new(), &[], &[]).await
        });
        while !waits.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        acting.abort();
        assert!(acting.await.unwrap_err().is_cancelled());
        drop(go);
        // The thread has the last hand on the driver: it is gone when the gate is.
        assert!(ended.recv().is_err());
        assert_eq!(holds(dir.path()), untouched(), "nothing was written, and nothing half written is left");
    }

    #[tokio::test]
    async fn a_folder_is_not_written_after_the_deadline_though_nobody_cancels() {
        let dir = tempfile::tempdir().unwrap();
        let step = files(dir.path());
        let deadline = Instant::now() + Duration::from_millis(300);
        // As in a process that is stopped in the middle: the thread that wakes hears of nothing.
        let driver = Directory::syncing(Config { target: "files".into(), path: dir.path().to_owned(), mode: 0o644 }, move |_| {
            while Instant::now() < deadline {
                std::thread::yield_now();
            }
            Ok(())
        });
        let cx = Cx { fence: None, deadline, cancel: Cancel::default(), together: false, sensitive: &[], secrets: &Nobody };
        let outcome = driver.act(&cx, &step.act, &BTreeSet::new(), &[]).await;
        assert_eq!((outcome.items, holds(dir.path())), (vec![Item::NotTried; 3], untouched()));
    }
}
