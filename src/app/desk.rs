//! The desk: finds or starts the worker of a change and hands it its mail.

use super::{
    follow::Elsewhere,
    glance::Glance,
    orders::Asker,
    replicas::{self, Letter},
    worker::{self, Mail},
    world::World,
};
use crate::core::{
    model::{MrId, ResourceId, Value},
    review::{Answer, View},
    run::Input,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};

/// Every running worker by its change; those of changes that are over end, and start again when there is news. Cheap to clone; all clones are one desk.
#[derive(Clone)]
pub struct Desk {
    world: Arc<World>,
    workers: Arc<Mutex<BTreeMap<MrId, Seat>>>,
    /// Set once the server stops: no worker starts any more.
    closed: Arc<AtomicBool>,
    /// Who waits here for another replica's answer, by the number of the question.
    asked: Arc<Mutex<BTreeMap<u64, oneshot::Sender<Answer>>>>,
    asks: Arc<AtomicU64>,
    elsewhere: Elsewhere,
}

/// How long another replica's answer is waited for: a take-over happens within it, and nobody holds the line for longer.
const ANSWER: Duration = Duration::from_secs(45);

/// One worker's place at the desk.
#[derive(Clone)]
struct Seat {
    mail: mpsc::UnboundedSender<Mail>,
    seen: watch::Receiver<Glance>,
}

impl Desk {
    pub fn new(world: Arc<World>) -> Self {
        Self { world, workers: Arc::default(), closed: Arc::default(), asked: Arc::default(), asks: Arc::default(), elsewhere: Elsewhere::default() }
    }

    /// Hands mail to the change's worker, starting it from its journal when it does not run.
    pub fn send(&self, mr: &MrId, mut mail: Mail) {
        // A worker that ended between lookup and send leaves a closed channel: the mail goes to its successor.
        while let Err(back) = self.seat(mr).mail.send(mail) {
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            mail = back.0;
        }
    }

    /// Asks every running worker the same.
    pub fn send_all(&self, input: &Input) {
        for seat in self.lock().values() {
            let _ = seat.mail.send(Mail::Input(Box::new(input.clone())));
        }
    }

    /// Lets a worker that has nothing left to do end, unless mail has come meanwhile. Mail that comes later starts it again.
    pub fn retire(&self, mr: &MrId, inbox: &mut mpsc::UnboundedReceiver<Mail>) -> bool {
        let mut workers = self.lock();
        if !inbox.is_empty() {
            return false;
        }
        workers.remove(mr);
        // Whoever looked the seat up before finds it closed and asks for another.
        inbox.close();
        true
    }

    /// How many workers run.
    pub fn running(&self) -> usize {
        self.lock().values().filter(|seat| !seat.mail.is_closed()).count()
    }

    /// Asks every worker to stop and waits until they have.
    pub async fn stop(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let seats: Vec<Seat> = std::mem::take(&mut *self.lock()).into_values().collect();
        for seat in &seats {
            let _ = seat.mail.send(Mail::Stop);
        }
        for seat in seats {
            seat.mail.closed().await;
        }
    }

    /// What a change's worker last showed; changes with every turn.
    pub fn watch(&self, mr: &MrId) -> watch::Receiver<Glance> {
        self.seat(mr).seen
    }

    /// Says a command that is kept under a number in the inbox; its answer comes when what it led to is in the journal, and none when that cannot be written now.
    pub async fn command(&self, mr: &MrId, n: u64) -> Option<Answer> {
        let (answer, said) = oneshot::channel();
        self.send(mr, Mail::Command { n, answer: Some(answer) });
        if !self.world.store.shared() {
            return said.await.ok();
        }
        // A replica that takes the command and leaves says nothing, and whoever follows it tells the journal alone.
        tokio::time::timeout(ANSWER, said).await.ok()?.ok()
    }

    /// The name under which a question of ours is answered by another replica.
    pub fn asker(&self) -> Asker {
        Asker { member: self.world.store.me(), ask: self.asks.fetch_add(1, Ordering::Relaxed) }
    }

    /// Waits for the answer to a question.
    pub fn expect(&self, ask: u64, answer: oneshot::Sender<Answer>) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever gave up waiting is forgotten.
        asked.retain(|_, waits| !waits.is_closed());
        asked.insert(ask, answer);
    }

    /// The answer to a question of ours has come.
    pub fn answered(&self, ask: u64, answer: Answer) {
        let waits = self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&ask);
        // Whoever asked may have gone away.
        let _ = waits.map(|waits| waits.send(answer));
    }

    /// Tells whoever asked, here or at another replica.
    pub fn tell(&self, asker: Asker, answer: Answer) {
        if asker.member == self.world.store.me() {
            return self.answered(asker.ask, answer);
        }
        let store = self.world.store.clone();
        tokio::spawn(async move {
            let letter = Letter::Answered { ask: asker.ask, upshot: answer.upshot(), text: answer.to_string() };
            if let Err(error) = letter.post(&store, &asker.member).await {
                tracing::warn!("an answer did not reach {}: {error}", asker.member);
            }
        });
    }

    /// Hints at news, where this replica works on the change; false: it does not.
    pub fn hint_here(&self, mr: &MrId) -> bool {
        let here = self.lock().get(mr).filter(|seat| seat.seen.borrow().here).cloned();
        here.is_some_and(|seat| seat.mail.send(Mail::Look).is_ok())
    }

    /// Hints at news of changes, whichever replica works on them.
    pub fn hint(&self, all: Vec<MrId>) {
        if !self.world.store.shared() {
            return all.iter().for_each(|mr| self.send(mr, Mail::Look));
        }
        let (world, desk) = (self.world.clone(), self.clone());
        tokio::spawn(async move { replicas::look_at(&world, &desk, all).await });
    }

    /// Everything there is to show of a change.
    pub async fn view(&self, mr: &MrId) -> Option<View> {
        let (answer, view) = oneshot::channel();
        self.send(mr, Mail::View(answer));
        view.await.ok()
    }

    /// What the other running changes of these have applied ahead of base, with whose it is. An error names a change that cannot say: nothing may be taken for unchanged then.
    pub async fn applied_by_others(&self, mr: &MrId) -> Result<BTreeMap<ResourceId, (MrId, Option<Value>)>, String> {
        self.applied_but(Some(mr)).await
    }

    /// What all running changes, but one perhaps, have applied ahead of base, with whose it is.
    pub async fn applied_but(&self, but: Option<&MrId>) -> Result<BTreeMap<ResourceId, (MrId, Option<Value>)>, String> {
        // A change whose card says that it is not ahead of base has nothing to tell, so the question costs the open changes only.
        let shared = self.world.store.shared();
        let ahead_of_base = |seat: &Seat| seat.seen.borrow().card.as_ref().is_none_or(|card| card.ahead) && (!shared || seat.seen.borrow().here);
        let asked: Vec<MrId> = self.lock().iter().filter(|(other, seat)| Some(*other) != but && ahead_of_base(seat)).map(|(other, _)| other.clone()).collect();
        let mut ahead = BTreeMap::new();
        // All are asked before the first answers: each may be at its journal.
        let ask = |other: &MrId| {
            let (answer, applied) = oneshot::channel();
            self.send(other, Mail::Applied(answer));
            applied
        };
        let answers: Vec<_> = asked.iter().map(ask).collect();
        for (other, applied) in asked.iter().zip(answers) {
            // A worker that starts over from its journal drops its mail; what it applied is live all the same.
            let applied = applied.await.map_err(|_| format!("what {other} has applied cannot be read now, because it starts over from its journal"))?;
            ahead.extend(applied.into_iter().map(|(id, value)| (id, (other.clone(), value))));
        }
        if shared {
            self.applied_elsewhere(but, &asked, &mut ahead).await?;
        }
        Ok(ahead)
    }

    /// The same of changes that other replicas work on, or nobody at the moment, from their journals.
    ///
    /// `asked` are those that answered here. Changes move between replicas meanwhile, so that where they are is read twice, and one is left to
    /// its answer only when it was here both times. Every other is read from its journal as it stands after the answers: one that came here
    /// meanwhile was not asked, and one that went may have written more elsewhere than it answered.
    async fn applied_elsewhere(&self, but: Option<&MrId>, asked: &[MrId], ahead: &mut BTreeMap<ResourceId, (MrId, Option<Value>)>) -> Result<(), String> {
        let cards = self.world.store.cards_upto().await.map_err(|error| error.to_string())?;
        let open: BTreeMap<&MrId, u64> = cards.iter().filter(|(card, _)| card.ahead && Some(&card.mr) != but).map(|(card, upto)| (&card.mr, *upto)).collect();
        self.elsewhere.keep(|mr| open.contains_key(mr));
        let answered: BTreeSet<&MrId> = asked.iter().filter(|mr| self.lock().get(*mr).is_some_and(|seat| seat.seen.borrow().here)).collect();
        for (other, upto) in unanswered(&open, &answered) {
            let applied = self.elsewhere.applied(&self.world, other, upto).await?;
            ahead.retain(|_, (change, _)| change != other);
            ahead.extend(applied.into_iter().map(|(id, value)| (id, (other.clone(), value))));
        }
        Ok(())
    }

    /// Starts the workers of these changes, before anything is planned that they may be ahead of.
    pub fn seat_all<'a>(&self, changes: impl Iterator<Item = &'a MrId>) {
        changes.for_each(|mr| drop(self.seat(mr)));
    }

    fn seat(&self, mr: &MrId) -> Seat {
        let mut workers = self.lock();
        match workers.get(mr).filter(|seat| !seat.mail.is_closed()) {
            Some(seat) => seat.clone(),
            None => {
                let seat = self.start(mr);
                workers.insert(mr.clone(), seat.clone());
                seat
            }
        }
    }

    fn start(&self, mr: &MrId) -> Seat {
        let (mail, inbox) = mpsc::unbounded_channel();
        let (show, seen) = watch::channel(Glance::default());
        // After the stop a seat without a worker: its mail is lost, and what the forge said is swept at the next start.
        if !self.closed.load(Ordering::SeqCst) {
            tokio::spawn(worker::run(self.world.clone(), self.clone(), mr.clone(), mail.clone(), inbox, show));
        }
        Seat { mail, seen }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<MrId, Seat>> {
        // The map is whole after every statement, so a panic elsewhere leaves nothing half done.
        self.workers.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The open changes that are read from their journals: all but those that answered for themselves and are still here.
fn unanswered<'a>(open: &BTreeMap<&'a MrId, u64>, answered: &BTreeSet<&MrId>) -> Vec<(&'a MrId, u64)> {
    open.iter().filter(|(mr, _)| !answered.contains(**mr)).map(|(mr, upto)| (*mr, *upto)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::RepoId;

    #[test]
    fn a_change_that_comes_or_goes_between_the_two_looks_is_read_from_its_journal() {
        let mr = |number: u64| MrId { repo: RepoId::new("dns"), number };
        let (stays, came, went) = (mr(1), mr(2), mr(3));
        let open = BTreeMap::from([(&stays, 10), (&came, 20), (&went, 30)]);
        // Asked here were 1 and 3; of them 1 is here still. 2 came after the question.
        assert_eq!(unanswered(&open, &BTreeSet::from([&stays])), [(&came, 20), (&went, 30)]);
    }
}
