//! What a replica does beside its own changes: it reads its letters, hears the board, and takes over what nobody owns.

use super::{desk::Desk, intake, orders, service::Service, worker::Mail, world::World};
use crate::{
    core::{
        model::{Fingerprint, MrId},
        review::{Answer, words::Upshot},
        run::Input,
    },
    ports::KvError,
    stores::Store,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::sync::watch;

/// How often letters and the board are read: what a change of another replica waits for at most, at two small reads each time.
const POLL: Duration = Duration::from_millis(150);

/// How many of these until the list of replicas and the halt are read.
const ROLL_CALL: u64 = 5;

/// How many of these until everything is looked over for changes that nobody owns, though no replica left.
const ROUND: u64 = 100;

/// What one replica tells another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Letter {
    /// Read these merge requests: something happened there.
    Look(Vec<MrId>),
    /// A command waits in the inbox under this number.
    Command { mr: MrId, n: u64 },
    /// The answer to a command that you took.
    Answered { ask: u64, upshot: Upshot, text: String },
}

impl Letter {
    /// Leaves it for a replica; false: there is no such replica any more.
    pub async fn post(&self, store: &Store, to: &str) -> Result<bool, KvError> {
        // Names, numbers and words are always JSON; an empty letter would be dropped by its reader, and loudly.
        store.post(to, &serde_json::to_vec(self).unwrap_or_default()).await
    }
}

/// Which replica is meant to do something that any could: always the same of the same ones, and a fair share each.
pub fn falls_to<'a>(members: &'a BTreeSet<String>, what: &str) -> Option<&'a String> {
    members.iter().max_by_key(|member| Fingerprint::of("trueup replica 1", &[member.as_bytes(), what.as_bytes()]).0)
}

/// Looks after this replica's part until told to stop.
pub async fn attend(service: Service, desk: Desk, mut stop: watch::Receiver<bool>) {
    let world = service.world().clone();
    let mut state = Attending::default();
    for round in 0u64.. {
        if let Err(why) = state.round(&world, &desk, round).await {
            state.said(&why);
        } else {
            state.silent = None;
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            changed = stop.wait_for(|stop| *stop) => {
                drop(changed);
                return;
            }
        }
    }
}

#[derive(Default)]
struct Attending {
    members: BTreeSet<String>,
    /// Changes that nobody owned the last time: whoever was meant to take them did not.
    unowned: BTreeSet<MrId>,
    /// What the log was last told; said once and not every round.
    silent: Option<String>,
}

impl Attending {
    async fn round(&mut self, world: &World, desk: &Desk, round: u64) -> Result<(), String> {
        let failed = |error: KvError| error.to_string();
        if world.store.attend().await.map_err(failed)? {
            tracing::warn!("this replica was silent for too long and has lost its changes; it goes on as {}", world.store.me());
            // Workers that have nothing to do would go on showing what they knew; each finds that its lease is lost.
            desk.send_all(&Input::Tick);
        }
        for letter in world.store.letters().await.map_err(failed)? {
            match serde_json::from_slice(&letter) {
                Ok(Letter::Look(all)) => all.iter().for_each(|mr| desk.send(mr, Mail::Look)),
                Ok(Letter::Command { mr, n }) => desk.send(&mr, Mail::Command { n, answer: None }),
                Ok(Letter::Answered { ask, upshot, text }) => desk.answered(ask, Answer::Relayed { upshot, text }),
                Err(error) => tracing::error!("a letter from another replica cannot be understood: {error}"),
            }
        }
        world.board.hear(desk).await?;
        if round.is_multiple_of(ROLL_CALL) {
            Service::hear_halt(world, desk).await.map_err(failed)?;
            let members: BTreeSet<String> = world.store.members().await.map_err(failed)?.into_iter().collect();
            metrics::gauge!("trueup_replicas").set(u32::try_from(members.len()).unwrap_or(u32::MAX));
            let left = self.members.difference(&members).count() > 0;
            if left || round.is_multiple_of(ROUND) || !self.unowned.is_empty() {
                self.unowned = take_over(world, desk, &members, &self.unowned).await?;
            }
            self.members = members;
        }
        Ok(())
    }

    fn said(&mut self, why: &str) {
        if self.silent.as_deref() != Some(why) {
            tracing::warn!("this replica cannot do its part now and tries again: {why}");
            self.silent = Some(why.to_owned());
        }
    }
}

/// Starts the changes that have something to do and that nobody owns: this replica's share, and what was left over the last time. Those that nobody owned.
async fn take_over(world: &World, desk: &Desk, members: &BTreeSet<String>, before: &BTreeSet<MrId>) -> Result<BTreeSet<MrId>, String> {
    let failed = |error: KvError| error.to_string();
    let cards = world.store.cards().await.map_err(failed)?;
    let ordered = orders::waiting(&world.store).await.map_err(failed)?;
    // Read last: whoever took something meanwhile is seen.
    let owners = world.store.owners(None).await.map_err(failed)?;
    let me = world.store.me();
    // A letter about a command may have been lost; hearing of it twice is once.
    ordered.iter().filter(|(_, mr)| owners.get(mr).is_some_and(|owner| *owner == me)).for_each(|(n, mr)| desk.send(mr, Mail::Command { n: *n, answer: None }));
    let ordered: BTreeSet<&MrId> = ordered.iter().map(|(_, mr)| mr).collect();
    let mut unowned = BTreeSet::new();
    for mr in cards.iter().filter(|card| intake::has_to_do(card) || ordered.contains(&card.mr)).map(|card| &card.mr).filter(|mr| !owners.contains_key(*mr)) {
        if before.contains(mr) || falls_to(members, &mr.to_string()).is_none_or(|chosen| *chosen == me) {
            desk.send(mr, Mail::Look);
        }
        unowned.insert(mr.clone());
    }
    Ok(unowned)
}

/// Sends hints to whoever owns each change: one letter a replica.
pub async fn look_at(world: &World, desk: &Desk, all: Vec<MrId>) {
    let mut letters: BTreeMap<String, Vec<MrId>> = BTreeMap::new();
    let me = world.store.me();
    let elsewhere: Vec<MrId> = all.into_iter().filter(|mr| !desk.hint_here(mr)).collect();
    if elsewhere.is_empty() {
        return;
    }
    let repo = elsewhere.first().map(|mr| &mr.repo).filter(|repo| elsewhere.iter().all(|mr| mr.repo == **repo));
    let owners = match world.store.owners(repo).await {
        Ok(owners) => owners,
        Err(error) => return tracing::warn!("nobody knows whose changes these are; the sweep will: {error}"),
    };
    for mr in elsewhere {
        match owners.get(&mr).filter(|owner| **owner != me) {
            Some(owner) => letters.entry(owner.clone()).or_default().push(mr),
            None => desk.send(&mr, Mail::Look),
        }
    }
    for (to, all) in letters {
        match Letter::Look(all.clone()).post(&world.store, &to).await {
            Ok(true) => {}
            // Its owner has just left: whoever comes first takes it.
            Ok(false) => all.iter().for_each(|mr| desk.send(mr, Mail::Look)),
            Err(error) => tracing::warn!("another replica was not told of news; the sweep will: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::falls_to;
    use std::collections::BTreeSet;

    #[test]
    fn each_thing_falls_to_one_replica_and_moves_only_when_that_one_leaves() {
        let three: BTreeSet<String> = ["a", "b", "c"].map(str::to_owned).into();
        let two: BTreeSet<String> = ["a", "c"].map(str::to_owned).into();
        let mut shares = [0; 3];
        for n in 0..300 {
            let what = format!("dns!{n}");
            let of_three = falls_to(&three, &what).unwrap();
            shares[three.iter().position(|member| member == of_three).unwrap()] += 1;
            if of_three != "b" {
                assert_eq!(falls_to(&two, &what), Some(of_three));
            }
        }
        assert!(shares.iter().all(|share| *share > 60), "{shares:?}");
        assert_eq!(falls_to(&BTreeSet::new(), "dns!1"), None);
    }
}
