//! What the forge last showed of the open merge requests, so that a push or a sweep costs what moved and not what is open.

use crate::{
    core::{
        model::{CommitId, MrId, RepoId, Time},
        review::CommentId,
    },
    ports::MrRef,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

/// How many open ones a sweep looks at that seem not to have moved: news can be lost, and what a change stands on is more than what the forge lists.
const IN_TURN: usize = 200;

/// The same of a forge in the network, where a look is nine questions and a sweep comes twice a minute: GitHub lets one ask 900 times a minute, unchanged or not.
const IN_TURN_ELSEWHERE: usize = 20;

/// The same where more are open than a client remembers the answers of: then each question is answered whole and counts, and 5,000 count in an hour at GitHub. Two looks a sweep are half of that.
const IN_TURN_OF_MANY: usize = 2;

/// Open merge requests whose answers a client remembers: nine each of some ten kilobytes, of 32 MiB.
const MANY: usize = 300;

/// Edited comments that are remembered as told; beyond it the forge is asked again what was said.
const TOLD: usize = 10_000;

#[derive(Debug, Default)]
pub struct News(Mutex<BTreeMap<RepoId, Seen>>, Mutex<Announced>, Mutex<BTreeSet<(MrId, CommentId)>>);

/// What webhooks have told since the last sweep.
#[derive(Debug, Default)]
struct Announced {
    changes: BTreeSet<MrId>,
    /// All of a repository.
    repos: BTreeSet<RepoId>,
}

#[derive(Debug, Default)]
struct Seen {
    base: Option<CommitId>,
    open: BTreeMap<MrId, (CommitId, Time)>,
    /// The last one looked at in its turn.
    turn: Option<MrId>,
    /// Whether it is on a forge in the network.
    elsewhere: bool,
    /// What is left of its share of looks.
    owed: usize,
}

impl News {
    /// Those of the open ones that moved since the last time, and all of them when base did.
    pub fn moved(&self, repo: &RepoId, base: Option<CommitId>, open: &[MrRef]) -> Vec<MrId> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = all.entry(repo.clone()).or_default();
        let now: BTreeMap<MrId, (CommitId, Time)> = open.iter().map(|found| (found.mr.clone(), (found.head.clone(), found.updated))).collect();
        let base_moved = seen.base != base;
        let moved = now.iter().filter(|(mr, is)| base_moved || seen.open.get(*mr) != Some(*is)).map(|(mr, _)| mr.clone()).collect();
        (seen.base, seen.open) = (base, now);
        moved
    }

    /// The open ones whose head a commit is, as they were last seen.
    pub fn at_head(&self, repo: &RepoId, commit: &CommitId) -> Vec<MrId> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = all.get(repo).map(|seen| &seen.open).into_iter().flatten();
        open.filter(|(_, (head, _))| head == commit).map(|(mr, _)| mr.clone()).collect()
    }

    /// Webhooks told of these.
    pub fn announced(&self, changes: impl Iterator<Item = MrId>, repos: impl Iterator<Item = RepoId>) {
        let mut told = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        told.changes.extend(changes);
        told.repos.extend(repos);
    }

    /// Those that no webhook told of since this was last asked about the repository.
    pub fn unannounced<'a>(&self, repo: &RepoId, found: impl Iterator<Item = &'a MrRef>) -> Vec<&'a MrRef> {
        let mut told = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = told.repos.remove(repo);
        let found = found.filter(|found| !whole && !told.changes.contains(&found.mr)).collect();
        told.changes.retain(|mr| mr.repo != *repo);
        found
    }

    /// Takes an edited comment for told; whether that is still to be done.
    pub fn tells(&self, mr: &MrId, edited: CommentId) -> bool {
        let mut told = self.2.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= TOLD {
            told.clear();
        }
        told.insert((mr.clone(), edited))
    }

    /// It could not be told.
    pub fn untold(&self, mr: &MrId, edited: CommentId) {
        self.2.lock().unwrap_or_else(PoisonError::into_inner).remove(&(mr.clone(), edited));
    }

    /// The next few open ones, round and round; `elsewhere`: on a forge in the network, all of whose repositories share one limit.
    pub fn in_turn(&self, repo: &RepoId, elsewhere: bool) -> Vec<MrId> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(repo) {
            Some(seen) => seen.elsewhere = elsewhere,
            None => return Vec::new(),
        }
        let open: usize = all.values().filter(|seen| seen.elsewhere).map(|seen| seen.open.len()).sum();
        let Some(seen) = all.get_mut(repo) else { return Vec::new() };
        let most = match elsewhere {
            false => IN_TURN,
            // Each repository has its share, and what is left of one the next time.
            true => {
                let all = if open > MANY { IN_TURN_OF_MANY } else { IN_TURN_ELSEWHERE };
                seen.owed += all * seen.open.len();
                let share = seen.owed / open.max(1);
                seen.owed %= open.max(1);
                share
            }
        };
        let after = seen.open.keys().filter(|mr| seen.turn.as_ref().is_none_or(|turn| *mr > turn));
        let before = seen.open.keys().filter(|mr| seen.turn.as_ref().is_some_and(|turn| *mr <= turn));
        let next: Vec<MrId> = after.chain(before).take(most).cloned().collect();
        seen.turn = next.last().cloned();
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(number: u64, head: &str) -> MrRef {
        MrRef { mr: MrId { repo: RepoId::new("dns"), number }, head: CommitId::new(head), updated: Time(1), open: true, stray: None }
    }

    fn numbers(all: Vec<MrId>) -> Vec<u64> {
        all.into_iter().map(|mr| mr.number).collect()
    }

    #[test]
    fn only_what_moved_is_news_until_base_moves() {
        let (news, repo) = (News::default(), RepoId::new("dns"));
        let base = |name: &str| Some(CommitId::new(name));
        assert_eq!(numbers(news.moved(&repo, base("b1"), &[found(1, "a"), found(2, "a")])), [1, 2]);
        assert_eq!(numbers(news.moved(&repo, base("b1"), &[found(1, "a"), found(2, "b"), found(3, "a")])), [2, 3]);
        assert_eq!(numbers(news.moved(&repo, base("b1"), &[found(1, "a"), found(2, "b")])), [0; 0]);
        assert_eq!(numbers(news.moved(&repo, base("b2"), &[found(1, "a"), found(2, "b")])), [1, 2]);
    }

    #[test]
    fn every_open_one_has_its_turn() {
        let (news, repo) = (News::default(), RepoId::new("dns"));
        let open: Vec<MrRef> = (1..=450).map(|number| found(number, "a")).collect();
        news.moved(&repo, None, &open);
        assert_eq!(numbers(news.in_turn(&repo, false)), (1..=200).collect::<Vec<_>>());
        assert_eq!(numbers(news.in_turn(&repo, false)), (201..=400).collect::<Vec<_>>());
        assert_eq!(numbers(news.in_turn(&repo, false)), (401..=450).chain(1..=150).collect::<Vec<_>>());
        news.moved(&repo, None, &open[..3]);
        assert_eq!(numbers(news.in_turn(&repo, false)), [1, 2, 3], "fewer than a turn: each time all of them");
    }

    #[test]
    fn on_a_forge_in_the_network_looks_at_what_did_not_move_stay_within_what_it_lets_one_ask() {
        let (news, repo) = (News::default(), RepoId::new("dns"));
        let open: Vec<MrRef> = (1..=10_000).map(|number| found(number, "a")).collect();
        news.moved(&repo, None, &open[..100]);
        assert_eq!(news.in_turn(&repo, true).len(), 20, "what is remembered is asked for nothing");
        news.moved(&repo, None, &open);
        // Nine questions a look, a sweep in thirty seconds.
        assert!(news.in_turn(&repo, true).len() * 9 * 120 < 5_000 / 2);
        // Several repositories share what one has, and each has its turn.
        let others: Vec<RepoId> = (0..4).map(|n| RepoId::new(format!("dns{n}"))).collect();
        for repo in &others {
            let open: Vec<MrRef> = open[..2_500].iter().map(|found| MrRef { mr: MrId { repo: repo.clone(), ..found.mr }, ..found.clone() }).collect();
            news.moved(repo, None, &open);
            news.in_turn(repo, true);
        }
        let looks: Vec<usize> = std::iter::once(&repo).chain(&others).map(|repo| (0..120).map(|_| news.in_turn(repo, true).len()).sum()).collect();
        assert!(looks.iter().sum::<usize>() * 9 < 5_000 / 2 && looks.iter().all(|looks| *looks >= 20), "{looks:?}");
    }
}
