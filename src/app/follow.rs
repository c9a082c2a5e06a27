//! The follower of a change that another replica owns: readers are answered from the journal, everything else goes to the owner.

use super::{
    desk::Desk,
    glance::Glance,
    orders::{self, Order},
    replicas::Letter,
    worker::{Applied, Mail},
    world::World,
};
use crate::core::{
    model::MrId,
    review::{Answer, Links},
    run::{Change, StreamId},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};

/// How often a follower looks whether the change moved, and whether its owner is still there.
const TICK: Duration = Duration::from_millis(500);

/// How many of these without anybody asking until it ends.
const IDLE: u32 = 10;

/// Letters handed over at once.
const MAILS: usize = 256;

/// Why a follower ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nobody asks any more, or the server stops.
    Retired,
    /// Nobody owns the change: it may be taken over.
    Free,
}

/// A change as its journal has it, and how many records that is.
pub async fn fold(world: &World, mr: &MrId) -> Result<(Change, u64), String> {
    let events = world.store.read(&StreamId::Change(mr.clone())).await.map_err(|error| error.to_string())?;
    let upto = events.len() as u64;
    let mut change = Change::recover(mr.clone(), &events).map_err(|error| error.to_string())?;
    let approvers = world.repositories.get(&mr.repo).and_then(|repository| repository.approvers.clone());
    change.dress(Links::new(&world.url, mr), world.kinds.clone(), approvers);
    Ok((change, upto))
}

/// Follows until nobody asks any more, or nobody owns the change.
pub async fn follow(
    world: &Arc<World>,
    desk: &Desk,
    mr: &MrId,
    by: String,
    own: &mpsc::UnboundedSender<Mail>,
    inbox: &mut mpsc::UnboundedReceiver<Mail>,
    show: &watch::Sender<Glance>,
) -> Ended {
    show.send_modify(|glance| glance.here = false);
    world.board.forget(mr).await;
    let mut follower = Follower { world, desk, mr, by };
    let mut idle = 0;
    let mut mails = Vec::new();
    follower.refresh(show).await;
    loop {
        if tokio::time::timeout(TICK, inbox.recv_many(&mut mails, MAILS)).await.is_err() {
            idle += 1;
            if idle > IDLE && show.receiver_count() <= 1 && desk.retire(mr, inbox) {
                world.store.forget(&StreamId::Change(mr.clone()));
                return Ended::Retired;
            }
            follower.refresh(show).await;
            let over = show.borrow().card.as_ref().is_none_or(|card| card.phase.is_over());
            if !over && !follower.is_owned().await {
                return Ended::Free;
            }
            continue;
        }
        if mails.is_empty() {
            return Ended::Retired;
        }
        idle = 0;
        let mut free = false;
        for mail in mails.drain(..) {
            match follower.hear(mail).await {
                Heard::Done => {}
                Heard::Stop => return Ended::Retired,
                Heard::Unowned(mail) => {
                    let _ = own.send(mail);
                    free = true;
                }
            }
        }
        if free {
            return Ended::Free;
        }
    }
}

struct Follower<'a> {
    world: &'a Arc<World>,
    desk: &'a Desk,
    mr: &'a MrId,
    /// The owner's name among the replicas.
    by: String,
}

enum Heard {
    Done,
    Stop,
    /// There is no owner to hand it to.
    Unowned(Mail),
}

impl Follower<'_> {
    async fn hear(&mut self, mail: Mail) -> Heard {
        match mail {
            Mail::Stop => Heard::Stop,
            // Answers to what an earlier owner of this replica began.
            Mail::Input(_) | Mail::Looked { .. } => Heard::Done,
            Mail::Look => match self.hand(&Letter::Look(vec![self.mr.clone()])).await {
                true => Heard::Done,
                false => Heard::Unowned(Mail::Look),
            },
            Mail::Command { n, answer } => {
                let answer = self.expect(n, answer).await;
                match self.hand(&Letter::Command { mr: self.mr.clone(), n }).await {
                    true => Heard::Done,
                    false => Heard::Unowned(Mail::Command { n, answer }),
                }
            }
            Mail::View(answer) => {
                if let Some((change, _)) = self.fold().await {
                    let _ = answer.send(change.view(self.world.clock.now()));
                }
                Heard::Done
            }
            Mail::Applied(answer) => {
                if let Some((change, _)) = self.fold().await {
                    let _ = answer.send(change.applied());
                }
                Heard::Done
            }
        }
    }

    /// Waits for the owner's answer to a command under the number that the command itself carries.
    async fn expect(&self, n: u64, answer: Option<oneshot::Sender<Answer>>) -> Option<oneshot::Sender<Answer>> {
        match orders::read(&self.world.store, n).await {
            Ok(Some(Order { asker: Some(asker), .. })) => {
                if let Some(answer) = answer {
                    self.desk.expect(asker.ask, answer);
                }
                None
            }
            Ok(_) | Err(_) => answer,
        }
    }

    async fn fold(&self) -> Option<(Change, u64)> {
        match fold(self.world, self.mr).await {
            Ok(found) => Some(found),
            Err(why) => {
                tracing::error!(change = %self.mr, "the journal of another replica's change cannot be read: {why}");
                None
            }
        }
    }

    /// Hands something to the owner, whoever that is by now; false: there is none.
    async fn hand(&mut self, letter: &Letter) -> bool {
        loop {
            match letter.post(&self.world.store, &self.by).await {
                Ok(true) => return true,
                Ok(false) if self.is_owned().await => {}
                Ok(false) => return false,
                Err(error) => {
                    // A hint is swept up later and a command waits in the inbox.
                    tracing::warn!(change = %self.mr, "the owner was not told: {error}");
                    return true;
                }
            }
        }
    }

    /// Whether another replica owns the change, and whose it is by now.
    async fn is_owned(&mut self) -> bool {
        match self.world.store.owner(&StreamId::Change(self.mr.clone())).await {
            Ok(Some(by)) => {
                let known = by == self.by;
                self.by = by;
                // A lease whose owner is gone ends with it; asked once more it tells somebody else.
                !known || self.world.store.members().await.is_ok_and(|members| members.contains(&self.by))
            }
            Ok(None) => false,
            // Nobody knows; it is asked again.
            Err(_) => true,
        }
    }

    /// Shows watchers how far the journal is.
    async fn refresh(&self, show: &watch::Sender<Glance>) {
        let Ok(Some((card, upto))) = self.world.store.card_upto(self.mr).await else { return };
        show.send_if_modified(|glance| {
            let moved = glance.turns != upto || glance.card.as_ref() != Some(&card);
            (glance.turns, glance.card) = (upto, Some(card));
            moved
        });
    }
}

/// What changes of other replicas have applied, by how far their journals were when it was read.
#[derive(Clone, Default)]
pub struct Elsewhere(Arc<Mutex<BTreeMap<MrId, (u64, Applied)>>>);

impl Elsewhere {
    /// What a change has applied whose journal holds so many records.
    pub async fn applied(&self, world: &World, mr: &MrId, upto: u64) -> Result<Applied, String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(mr).filter(|(at, _)| *at == upto).map(|(_, applied)| applied.clone());
        if let Some(applied) = known {
            return Ok(applied);
        }
        let (change, upto) = fold(world, mr).await?;
        let applied = change.applied();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(mr.clone(), (upto, applied.clone()));
        Ok(applied)
    }

    /// Forgets those that are ahead of base no more.
    pub fn keep(&self, ahead: impl Fn(&MrId) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|mr, _| ahead(mr));
    }
}
