//! Commits that arrive late: what others did in between stands, and what the late one was about is said to be stale.

use super::journal::{card, mr};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;
use trueup::{
    core::{
        model::Span,
        run::{Event, StreamId, Turn},
    },
    ports::{Compare, Fut, Key, Kv, KvError, KvLimits, MemoryKv, Miss, Put, Rev, Row, SessionId, Stands},
    stores::{AppendError, Store},
};

/// A key space on whose way one commit is held up, while others pass it.
struct Slow {
    kv: Arc<dyn Kv>,
    /// Taken by the commit that is held up.
    holds: Mutex<Option<Held>>,
}

/// Says that the commit is under way, and waits until it may go on.
struct Held {
    begun: oneshot::Sender<()>,
    may_pass: oneshot::Receiver<()>,
}

impl Kv for Slow {
    fn commit<'a>(&'a self, when: Vec<Compare>, then: Vec<Put>) -> Fut<'a, Result<Result<Rev, Miss>, KvError>> {
        let held = self.holds.lock().expect("no test panics with it").take();
        Box::pin(async move {
            if let Some(Held { begun, may_pass }) = held {
                begun.send(()).expect("the test waits for it");
                may_pass.await.expect("the test lets it pass");
            }
            self.kv.commit(when, then).await
        })
    }

    fn range<'a>(&'a self, from: Key, to: Key, limit: usize) -> Fut<'a, Result<Vec<Row>, KvError>> {
        let rows = self.kv.range(from, to, limit);
        // What was read may be older than what comes next.
        Box::pin(async move {
            tokio::task::yield_now().await;
            rows.await
        })
    }

    fn session<'a>(&'a self, ttl: Span) -> Fut<'a, Result<SessionId, KvError>> {
        self.kv.session(ttl)
    }

    fn stands(&self, session: SessionId) -> Stands {
        self.kv.stands(session)
    }

    fn shared(&self) -> bool {
        self.kv.shared()
    }

    fn limits(&self) -> KvLimits {
        self.kv.limits()
    }
}

/// One replica's append at record `at` is under way while another appends on and cuts; then it arrives.
pub async fn an_append_arrives_late(kv: Arc<dyn Kv>, at: u32, cut: u32) {
    let board = StreamId::Board;
    let other = Store::open(kv.clone(), "the other").await.expect("opens");
    let append = async |n: u32| other.append_records(&board, u64::from(n), None, &[n]).await.expect("appends");
    for n in 0..at {
        append(n).await;
    }
    let slow = Arc::new(Slow { kv: kv.clone(), holds: Mutex::default() });
    let ours = Store::open(slow.clone(), "ours").await.expect("opens");
    ours.read_records::<u32>(&board).await.expect("reads");
    let ((begun, begins), (pass, may_pass)) = (oneshot::channel(), oneshot::channel());
    *slow.holds.lock().expect("no test panics with it") = Some(Held { begun, may_pass });
    let late = tokio::spawn(async move { ours.append_records(&StreamId::Board, u64::from(at), None, &[1000]).await });
    begins.await.expect("it is under way");
    for n in at..cut {
        append(n).await;
    }
    other.cut(&board, u64::from(cut), None, &(0..cut).collect::<Vec<_>>()).await.expect("cuts");
    append(cut).await;
    pass.send(()).expect("it waits");
    let error = late.await.expect("no panic").expect_err("the stream does not end there any more");
    assert!(matches!(error, AppendError::Stale { .. }), "at {at}, cut at {cut}: {error}");
    let next = Store::open(kv, "the next").await.expect("opens");
    let found = next.read_cut::<Vec<u32>, u32>(&board).await.expect("the chain holds");
    assert_eq!([found.image.unwrap_or_default(), found.since].concat(), (0..=cut).collect::<Vec<_>>(), "at {at}, cut at {cut}");
}

#[tokio::test]
async fn an_append_that_was_under_way_while_another_replica_cut_the_stream_is_stale() {
    for (at, cut) in [(0, 1), (0, 5), (3, 4), (3, 9), (9, 10)] {
        an_append_arrives_late(Arc::new(MemoryKv::new()), at, cut).await;
    }
}

#[tokio::test]
async fn a_reader_that_began_before_an_append_does_not_make_the_next_one_stale() {
    let (slow, stream) = (Slow { kv: Arc::new(MemoryKv::new()), holds: Mutex::default() }, StreamId::Change(mr(7)));
    let store = Store::open(Arc::new(slow), "ours").await.expect("opens");
    store.append(&stream, 0, None, &Turn::new(vec![Event::LookAsked], card(7, "first"), vec![])).await.expect("appends");
    for n in 0..20 {
        // A card alone: the stream is as long as before, and its head is another row.
        let turn = Turn::new(vec![], card(7, &n.to_string()), vec![]);
        let (read, appended) = tokio::join!(store.read(&stream), store.append(&stream, 1, None, &turn));
        assert_eq!(read.expect("reads").len(), 1);
        appended.expect("the only writer is never stale");
    }
}
