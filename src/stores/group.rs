//! Group commit: commits that wait at the same time share one write transaction and one sync of the disk.

use crate::ports::{Compare, KvError, KvErrorKind, Miss, Put, Rev};
use std::{sync::mpsc, thread};
use tokio::sync::oneshot;

/// Enough that the sync's cost vanishes among them, few enough that the first does not wait long for the last.
const JOBS_MAX: usize = 256;

/// A batch is closed at this size, so that one transaction stays small beside the page cache.
const BYTES_MAX: usize = 8 << 20;

/// One commit as the port was handed it.
pub(super) struct Commit {
    pub when: Vec<Compare>,
    pub then: Vec<Put>,
}

impl Commit {
    /// Bytes of keys and values to write.
    pub fn bytes(&self) -> usize {
        let one = |put: &Put| match put {
            Put::Set(key, value, _) => key.len() + value.len(),
            Put::Del(key) => key.len(),
        };
        self.then.iter().map(one).sum()
    }
}

pub(super) type Answer = Result<Result<Rev, Miss>, KvError>;

/// What an embedded engine does with a batch.
pub(super) trait Engine: Send + 'static {
    /// Applies the commits in order in one transaction, each seeing the ones before; on return all that were not missed are durable. An error is about all of them.
    fn apply(&mut self, batch: &[Commit]) -> Result<Vec<Result<Rev, Miss>>, KvError>;
}

struct Job {
    commit: Commit,
    answer: oneshot::Sender<Answer>,
}

/// The one writer thread of an embedded store. Dropping it waits until the engine is closed, so that the folder is free again.
pub(super) struct Group {
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<thread::JoinHandle<()>>,
}

impl Group {
    pub fn start(name: &str, engine: impl Engine) -> Result<Self, KvError> {
        let (jobs, inbox) = mpsc::channel();
        let writer = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || serve(engine, &inbox))
            .map_err(|error| KvError { what: format!("cannot start the store's writer: {error}"), kind: KvErrorKind::Io })?;
        Ok(Self { jobs: Some(jobs), writer: Some(writer) })
    }

    pub async fn commit(&self, when: Vec<Compare>, then: Vec<Put>) -> Answer {
        let gone = || KvError { what: "the store's writer has stopped; restart the server".into(), kind: KvErrorKind::Io };
        let (answer, wait) = oneshot::channel();
        let job = Job { commit: Commit { when, then }, answer };
        self.jobs.as_ref().ok_or_else(gone)?.send(job).map_err(|_| gone())?;
        wait.await.map_err(|_| gone())?
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has already answered "stopped" to everybody.
            writer.join().ok();
        }
    }
}

fn serve(mut engine: impl Engine, inbox: &mpsc::Receiver<Job>) {
    while let Ok(first) = inbox.recv() {
        let mut bytes = first.commit.bytes();
        let mut batch = vec![first];
        while batch.len() < JOBS_MAX && bytes < BYTES_MAX {
            let Ok(job) = inbox.try_recv() else { break };
            bytes += job.commit.bytes();
            batch.push(job);
        }
        let (commits, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|job| (job.commit, job.answer)).unzip();
        // A caller that no longer waits has dropped its end; what it asked for is done all the same.
        match engine.apply(&commits) {
            Ok(results) => answers.into_iter().zip(results).for_each(|(answer, result)| drop(answer.send(Ok(result)))),
            Err(error) => answers.into_iter().for_each(|answer| drop(answer.send(Err(error.clone())))),
        }
    }
}
