//! A forge that answers late and out of order: what was seen last is what counts.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, atomic::AtomicBool},
};
use tokio::sync::{Semaphore, oneshot};
use trueup::{
    app::{BoardRoom, Desk, News, OverrideBook, Owners, Targets, Trouble, World, drift::SweepBook, safe::Safe, service::Service},
    core::{
        gate::MergeTicket,
        model::{CommitId, MrId, RepoId, SecretRef, Time, User},
        render::Kinds,
        review::{CommentId, Face, MrState, Right, Sighting},
        run::MergeAnswer,
    },
    drivers::probes::{Asker, Config},
    ports::{ForgeError, ForgeReader, ForgeWriter, Fut, MemoryKv, MrRef, Proposal, Proposed, SecretError, SecretText, Secrets, Shown, TestClock},
    secrets::Seal,
    stores::Store,
};

/// Answers each look with what it held when it was asked, and only when it is let go.
#[derive(Default)]
struct Late {
    title: Mutex<String>,
    waiting: Mutex<Vec<oneshot::Sender<()>>>,
}

fn mr() -> MrId {
    MrId { repo: RepoId::new("dns"), number: 1 }
}

impl ForgeReader for Late {
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
            reviews: Vec::new(),
            checks: BTreeMap::new(),
            unresolved_threads: 0,
            depends_on: Vec::new(),
            incident: None,
            comments: Vec::new(),
        };
        let (go, gate) = oneshot::channel();
        self.waiting.lock().expect("whole").push(go);
        Box::pin(async move {
            gate.await.expect("the test lets every look go");
            Ok(seen)
        })
    }

    fn right<'a>(&'a self, _: &'a RepoId, _: &'a User) -> Fut<'a, Result<Right, ForgeError>> {
        Box::pin(async { Ok(Right::Admin) })
    }
}

impl ForgeWriter for Late {
    fn show<'a>(&'a self, _: &'a MrId, face: &'a Face, _: &'a Shown) -> Fut<'a, Result<Shown, ForgeError>> {
        Box::pin(async { Ok(Shown { face: Some(face.clone()), comment: None }) })
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

#[tokio::test]
async fn an_older_sighting_never_replaces_a_newer_one() {
    let forge = Arc::new(Late::default());
    let clock = Arc::new(TestClock::at(Time(1_000_000)));
    let store = Arc::new(Store::open(Arc::new(MemoryKv::new()), "tests").await.expect("opens"));
    let world = Arc::new(World {
        clock: clock.clone(),
        board: BoardRoom::open(store.clone(), clock.clone()).await.expect("opens"),
        owners: Arc::new(Owners::default()),
        overrides: OverrideBook::open(store.clone(), clock).await.expect("opens"),
        sweeps: SweepBook::default(),
        store,
        forge: forge.clone(),
        mr_desk: None,
        repositories: BTreeMap::new(),
        plans: Semaphore::new(1),
        targets: Targets::new(),
        safe: Arc::new(Safe::new(forge.clone(), Seal::for_now().expect("randomness"), Default::default())),
        prober: Arc::new(Asker::new(Config::default()).expect("nothing to be wrong")),
        kinds: Kinds::default(),
        trouble: Trouble::default(),
        news: News::default(),
        halted: AtomicBool::new(false),
        url: "".into(),
    });
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
