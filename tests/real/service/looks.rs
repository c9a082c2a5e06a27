//! A forge that answers late and out of order: what was seen last is what counts.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::oneshot;
use trueup::{
    app::{BoardRoom, Desk, News, OverrideBook, Owners, Reigns, Targets, Trouble, Turns, World, drift::SweepBook, safe::Safe, service::Service},
    core::{
        gate::MergeTicket,
        model::{CommitId, MrId, RepoId, SecretRef, Span, Time, User},
        render::Kinds,
        review::{CommentId, Face, MrState, Right, Sighting},
        run::MergeAnswer,
    },
    drivers::probes::{Asker, Config},
    ports::{
        Abilities, Compare, ForgeError, ForgeReader, ForgeWriter, Fut, Key, Kv, KvError, KvErrorKind, KvLimits, MemoryKv, Miss, MrRef, People, Proposal, Proposed, Put, Rev, Row,
        SecretError, SecretText, Secrets, SessionId, Shown, TestClock,
    },
    secrets::Seal,
    stores::Store,
};

/// Answers each look with what it held when it was asked, and only when it is let go.
#[derive(Default)]
pub(super) struct Late {
    title: Mutex<String>,
    waiting: Mutex<Vec<oneshot::Sender<()>>>,
}

fn mr() -> MrId {
    MrId { repo: RepoId::new("dns"), number: 1 }
}

impl People for Late {
    fn right(&self, _: &RepoId, _: &User) -> Right {
        Right::Admin
    }

    fn by_email(&self, _: &str) -> Option<User> {
        None
    }

    fn by_login(&self, login: &str) -> User {
        User::new(login)
    }
}

impl ForgeReader for Late {
    fn abilities(&self, _: &RepoId) -> Abilities {
        Abilities {
            reviews: false,
            threads: false,
            checks: false,
            labelled_by: false,
            forks: false,
            pinned_merge: true,
            teams: false,
            deployments: false,
            reactions: false,
            progress: Span(0),
        }
    }

    fn sweep<'a>(&'a self, _: &'a RepoId, since: u64) -> Fut<'a, Result<(Vec<MrRef>, u64), ForgeError>> {
        Box::pin(async move { Ok((Vec::new(), since)) })
    }

    fn look<'a>(&'a self, mr: &'a MrId, _: Option<CommentId>) -> Fut<'a, Result<Sighting, ForgeError>> {
        let seen = Sighting {
            mr: mr.clone(),
            state: MrState::Open,
            draft: false,
            title: self.title.lock().expect("whole").clone(),
            author: User::new("ana"),
            pushers: Default::default(),
            source_branch: "move".into(),
            base_branch: "main".into(),
            head: CommitId::new("h1"),
            base: CommitId::new("b1"),
            author_trusted: true,
            proposed: None,
            own_head: false,
            unread: Vec::new(),
            reviews: Vec::new(),
            checks: BTreeMap::new(),
            unresolved_threads: 0,
            depends_on: Vec::new(),
            incident: None,
            brings: None,
            teams: Default::default(),
            comments: Vec::new(),
            edited: Vec::new(),
            altered: None,
            behind: None,
        };
        let (go, gate) = oneshot::channel();
        self.waiting.lock().expect("whole").push(go);
        Box::pin(async move {
            gate.await.expect("the test lets every look go");
            Ok(seen)
        })
    }

    fn right_known(&self, _: &RepoId, _: &User) -> Right {
        Right::Admin
    }

    fn right<'a>(&'a self, _: &'a RepoId, _: &'a User) -> Fut<'a, Result<Right, ForgeError>> {
        Box::pin(async { Ok(Right::Admin) })
    }
}

impl ForgeWriter for Late {
    fn show<'a>(&'a self, _: &'a MrId, face: &'a Face, _: &'a Shown) -> Fut<'a, Result<Shown, ForgeError>> {
        Box::pin(async { Ok(Shown { face: Some(face.clone()), comment: None, at: None }) })
    }

    fn reply<'a>(&'a self, _: &'a MrId, _: CommentId, _: &'a str) -> Fut<'a, Result<(), ForgeError>> {
        Box::pin(async { Ok(()) })
    }

    fn tell<'a>(&'a self, _: &'a MrId, _: &'a str, _: &'a str) -> Fut<'a, Result<(), ForgeError>> {
        Box::pin(async { Ok(()) })
    }

    fn propose<'a>(&'a self, _: &'a Proposal) -> Fut<'a, Result<Proposed, ForgeError>> {
        Box::pin(async { panic!("nothing is proposed here") })
    }

    fn withdraw<'a>(&'a self, _: &'a RepoId, _: &'a str, _: &'a str) -> Fut<'a, Result<Option<MrId>, ForgeError>> {
        Box::pin(async { Ok(None) })
    }

    fn merge<'a>(&'a self, _: MergeTicket) -> Fut<'a, Result<MergeAnswer, ForgeError>> {
        Box::pin(async { panic!("nothing is merged here") })
    }
}

impl Secrets for Late {
    fn resolve<'a>(&'a self, reference: &'a SecretRef) -> Fut<'a, Result<SecretText, SecretError>> {
        Box::pin(async move { Err(SecretError { uri: reference.uri.to_string(), what: "there are none here".into(), kind: trueup::ports::SecretErrorKind::Missing }) })
    }
}

/// Lets everything happen that can: one thread, no disk, no network, so a bounded number of turns is enough.
async fn settle() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

/// A world without targets and repositories.
pub(super) async fn world(forge: &Arc<Late>, kv: Arc<dyn Kv>) -> Arc<World> {
    let clock = Arc::new(TestClock::at(Time(1_000_000)));
    let store = Arc::new(Store::open(kv, "tests").await.expect("opens"));
    Arc::new(World {
        clock: clock.clone(),
        people: forge.clone(),
        board: BoardRoom::open(store.clone(), clock.clone()).await.expect("opens"),
        turns: Turns::default(),
        rounds: trueup::app::Rounds::default(),
        owners: Arc::new(Owners::default()),
        reigns: Reigns::default(),
        overrides: OverrideBook::open(store.clone(), clock).await.expect("opens"),
        sweeps: SweepBook::default(),
        store,
        forge: forge.clone(),
        mr_desk: None,
        elsewhere: BTreeMap::new(),
        repositories: BTreeMap::new(),
        plans: trueup::app::Slots::new(1),
        targets: Targets::new(),
        safe: Arc::new(Safe::new(forge.clone(), Seal::for_now().expect("randomness"), Default::default())),
        prober: Arc::new(Asker::new(Config::default()).expect("nothing to be wrong")),
        kinds: Kinds::default(),
        trouble: Trouble::default(),
        news: News::default(),
        halted: AtomicBool::new(false),
        halting: tokio::sync::Mutex::new(()),
        url: "".into(),
    })
}

#[tokio::test]
async fn an_older_sighting_never_replaces_a_newer_one() {
    let forge = Arc::new(Late::default());
    let world = world(&forge, Arc::new(MemoryKv::new())).await;
    let service = Service::new(world.clone(), Desk::new(world));
    "old".clone_into(&mut forge.title.lock().expect("whole"));
    service.hint(&mr());
    settle().await;
    "new".clone_into(&mut forge.title.lock().expect("whole"));
    service.hint(&mr());
    settle().await;
    // The newest question is answered first, for as long as there are any.
    let mut answered = 0;
    while let Some(go) = { forge.waiting.lock().expect("whole").pop() } {
        go.send(()).expect("the look still waits");
        answered += 1;
        assert!(answered < 100, "looks without end");
        settle().await;
    }
    let card = service.watch(&mr()).borrow().card.clone().expect("it was seen");
    assert_eq!(card.title, "new");
    assert!(answered >= 2, "the news was looked at: {answered}");
}

/// A store that can be told to answer nothing any more.
struct Failing {
    inner: MemoryKv,
    fails: AtomicBool,
}

impl Failing {
    fn new() -> Arc<Self> {
        Arc::new(Self { inner: MemoryKv::new(), fails: AtomicBool::new(false) })
    }

    fn check(&self) -> Result<(), KvError> {
        if self.fails.load(Ordering::SeqCst) { Err(KvError { what: "the disk is gone".into(), kind: KvErrorKind::Io }) } else { Ok(()) }
    }
}

impl Kv for Failing {
    fn commit<'a>(&'a self, when: Vec<Compare>, then: Vec<Put>) -> Fut<'a, Result<Result<Rev, Miss>, KvError>> {
        Box::pin(async move {
            self.check()?;
            self.inner.commit(when, then).await
        })
    }

    fn range<'a>(&'a self, from: Key, to: Key, limit: usize) -> Fut<'a, Result<Vec<Row>, KvError>> {
        Box::pin(async move {
            self.check()?;
            self.inner.range(from, to, limit).await
        })
    }

    fn session<'a>(&'a self, ttl: Span) -> Fut<'a, Result<SessionId, KvError>> {
        self.inner.session(ttl)
    }

    fn limits(&self) -> KvLimits {
        self.inner.limits()
    }
}

/// Far above what it takes, so that only a hang reaches it.
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_stop_that_comes_with_a_command_that_cannot_be_read_is_heard() {
    let (forge, kv) = (Arc::new(Late::default()), Failing::new());
    let desk = Desk::new(world(&forge, kv.clone()).await);
    drop(desk.watch(&mr()));
    settle().await;
    kv.fails.store(true, Ordering::SeqCst);
    // Both are in the inbox before the worker wakes.
    let mr = mr();
    let both = async { tokio::join!(desk.command(&mr, 7), desk.stop()) };
    let (answer, ()) = tokio::time::timeout(LONG, both).await.expect("the worker ends");
    assert!(answer.is_none(), "nobody says that a command was done that was not read");
}

#[tokio::test]
async fn what_a_change_that_starts_over_has_applied_is_not_taken_for_nothing() {
    let (forge, kv) = (Arc::new(Late::default()), Failing::new());
    let desk = Desk::new(world(&forge, kv.clone()).await);
    let other = MrId { repo: RepoId::new("dns"), number: 2 };
    kv.fails.store(true, Ordering::SeqCst);
    drop(desk.watch(&other));
    let told = tokio::time::timeout(LONG, desk.applied_by_others(&mr())).await.expect("it is told");
    assert!(told.as_ref().is_err_and(|why| why.contains("dns!2")), "{told:?}");
    kv.fails.store(false, Ordering::SeqCst);
    let told = tokio::time::timeout(LONG, async {
        // Refused until the worker has started over.
        loop {
            if let Ok(applied) = desk.applied_by_others(&mr()).await {
                break applied;
            }
        }
    });
    assert!(told.await.expect("it is told").is_empty());
}
