//! Sessions: a lease in etcd, kept alive in the background, and known to stand only as long as etcd has promised.

use super::kv::Inner;
use crate::{
    core::model::Span,
    etcd::{Fault, Wire},
    ports::{SessionId, Stands},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant, SystemTime},
};

/// A session is renewed so often within its time that one lost answer, and an election of a leader, cost nothing.
const RENEWALS: u32 = 5;

#[derive(Default)]
pub(super) struct Sessions(Arc<Mutex<BTreeMap<SessionId, Session>>>);

/// One lease. It stands until both clocks say that its time is over: the first does not count while a machine sleeps, the second may be set back.
#[derive(Clone, Copy, Debug)]
struct Session {
    renewed: Instant,
    by_the_wall: SystemTime,
    ttl: Duration,
}

impl Session {
    /// What is left of the promise made when the question was asked, less a tenth for clocks that run at different rates.
    fn left(&self) -> Option<Duration> {
        let wall = SystemTime::now().duration_since(self.by_the_wall).unwrap_or_default();
        (self.ttl - self.ttl / 10).checked_sub(self.renewed.elapsed().max(wall)).filter(|left| !left.is_zero())
    }
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, Session>> {
        lock(&self.0)
    }

    pub async fn open(&self, inner: &Inner, ttl: Span) -> Result<SessionId, Fault> {
        let (renewed, by_the_wall) = (Instant::now(), SystemTime::now());
        let seconds = ttl.std().as_secs().max(1);
        // A lease that was granted and whose answer was lost ends by itself.
        let answer = inner.patiently("/v3/lease/grant", &json!({ "TTL": seconds.to_string() })).await?;
        let number = |field: &str| answer[field].as_str().and_then(|text| text.parse::<u64>().ok());
        let (Some(id), Some(granted)) = (number("ID"), number("TTL")) else { return Err(Fault::Other("the server granted no lease".into())) };
        let session = SessionId(id);
        self.lock().insert(session, Session { renewed, by_the_wall, ttl: Duration::from_secs(granted) });
        let keep = Keep { wire: inner.wire.clone(), sessions: Arc::downgrade(&self.0), session, every: Duration::from_secs(granted) / RENEWALS };
        tokio::spawn(keep.run());
        Ok(session)
    }

    pub fn stands(&self, session: SessionId) -> Stands {
        match self.lock().get(&session).and_then(Session::left) {
            Some(left) => Stands::Until(Instant::now() + left),
            None => Stands::Gone,
        }
    }

    /// The newest session that may stand; 0: none.
    pub fn newest(&self) -> u64 {
        self.lock().iter().max_by_key(|(_, session)| session.renewed).map_or(0, |(id, _)| id.0)
    }

    /// Learns that etcd knows a lease no more.
    pub fn ended(&self, lease: u64) {
        self.lock().remove(&SessionId(lease));
    }

    pub async fn end(&self, inner: &Inner, session: SessionId) -> Result<(), Fault> {
        self.ended(session.0);
        match inner.wire.ask("/v3/lease/revoke", &json!({ "ID": session.0.to_string() }), Instant::now() + super::kv::PATIENCE).await {
            // One that is gone already is what was asked for.
            Ok(_) | Err(Fault::Other(_)) => Ok(()),
            Err(fault) => Err(fault),
        }
    }
}

fn lock(sessions: &Mutex<BTreeMap<SessionId, Session>>) -> MutexGuard<'_, BTreeMap<SessionId, Session>> {
    // The map is whole after every statement.
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Renews one session until it is gone, or nobody has the store any more.
struct Keep {
    wire: Arc<Wire>,
    sessions: Weak<Mutex<BTreeMap<SessionId, Session>>>,
    session: SessionId,
    every: Duration,
}

impl Keep {
    async fn run(self) {
        loop {
            tokio::time::sleep(self.every).await;
            let known = self.sessions.upgrade().is_some_and(|sessions| lock(&sessions).contains_key(&self.session));
            if !known {
                return;
            }
            let (renewed, by_the_wall) = (Instant::now(), SystemTime::now());
            // Asked for no longer than until the next one is due twice over: an answer that late says little.
            let answer = self.wire.ask("/v3/lease/keepalive", &json!({ "ID": self.session.0.to_string() }), renewed + self.every * 2).await;
            let Some(sessions) = self.sessions.upgrade() else { return };
            let mut sessions = lock(&sessions);
            match answer {
                Ok(answer) => match answer["result"]["TTL"].as_str().and_then(|text| text.parse::<u64>().ok()).filter(|ttl| *ttl > 0) {
                    Some(ttl) => {
                        // One that ended meanwhile does not come back.
                        if let Some(session) = sessions.get_mut(&self.session) {
                            *session = Session { renewed, by_the_wall, ttl: Duration::from_secs(ttl) };
                        }
                    }
                    None => {
                        sessions.remove(&self.session);
                        tracing::error!("the session with the store's etcd has ended: it did not hear of us in time");
                        return;
                    }
                },
                // Asked again; meanwhile the session runs out for us at the same time as for everybody else.
                Err(why) => tracing::warn!("the session with the store's etcd was not renewed: {why:?}"),
            }
        }
    }
}
