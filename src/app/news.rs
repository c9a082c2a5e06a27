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

/// How many of a forge in the network are looked at at once when base moved under them: 360 questions. Whoever acts looks right before it does, so the rest has time.
const AT_ONCE: usize = 40;

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
    /// Those under which base moved and that were not looked at since: they come before the others' turns.
    stale: BTreeSet<MrId>,
    /// The last one looked at in its turn.
    turn: Option<MrId>,
    /// Whether it is on a forge in the network.
    elsewhere: bool,
    /// What is left of its share of looks.
    owed: usize,
}

impl News {
    /// Those of the open ones that moved since the last time, and when base did all of them; `elsewhere`: of a forge in the network as many as it can be asked about at once.
    pub fn moved(&self, repo: &RepoId, base: Option<CommitId>, open: &[MrRef], elsewhere: bool) -> Vec<MrId> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = all.entry(repo.clone()).or_default();
        let now: BTreeMap<MrId, (CommitId, Time)> = open.iter().map(|found| (found.mr.clone(), (found.head.clone(), found.updated))).collect();
        let base_moved = seen.base != base;
        let (mut moved, same): (Vec<MrId>, Vec<MrId>) = now.keys().cloned().partition(|mr| seen.open.get(mr) != now.get(mr));
        seen.stale.retain(|mr| now.contains_key(mr));
        (seen.base, seen.open) = (base, now);
        if base_moved {
            moved.extend(seen.spared(same, elsewhere));
        }
        moved
    }

    /// Those that are to be looked at at once because something merged, most urgent first in `all`; on a forge in the network the rest has its turn.
    pub fn spared(&self, repo: &RepoId, all: Vec<MrId>, elsewhere: bool) -> Vec<MrId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(repo.clone()).or_default().spared(all, elsewhere)
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
        let mut next: Vec<MrId> = seen.stale.iter().take(most).cloned().collect();
        seen.stale.retain(|mr| !next.contains(mr));
        let most = most - next.len();
        let after = seen.open.keys().filter(|mr| seen.turn.as_ref().is_none_or(|turn| *mr > turn));
        let before = seen.open.keys().filter(|mr| seen.turn.as_ref().is_some_and(|turn| *mr <= turn));
        let turns: Vec<MrId> = after.chain(before).take(most).cloned().collect();
        seen.turn = turns.last().cloned().or(seen.turn.take());
        next.extend(turns);
        next
    }
}

impl Seen {
    /// As many as may be looked at at once; the others are kept for their turn.
    fn spared(&mut self, mut all: Vec<MrId>, elsewhere: bool) -> Vec<MrId> {
        if elsewhere && all.len() > AT_ONCE {
            self.stale.extend(all.split_off(AT_ONCE));
        }
        self.stale.retain(|mr| !all.contains(mr));
        all
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
        assert_eq!(numbers(news.moved(&repo, base("b1"), &[found(1, "a"), found(2, "a")], false)), [1, 2]);
        assert_eq!(numbers(news.moved(&repo, base("b1"), &[found(1, "a"), found(2, "b"), found(3, "a")], false)), [2, 3]);
        assert_eq!(numbers(news.moved(&repo, base("b1"), &[found(1, "a"), found(2, "b")], false)), [0; 0]);
        assert_eq!(numbers(news.moved(&repo, base("b2"), &[found(1, "a"), found(2, "b")], false)), [1, 2]);
    }

    #[test]
    fn every_open_one_has_its_turn() {
        let (news, repo) = (News::default(), RepoId::new("dns"));
        let open: Vec<MrRef> = (1..=450).map(|number| found(number, "a")).collect();
        news.moved(&repo, None, &open, false);
        assert_eq!(numbers(news.in_turn(&repo, false)), (1..=200).collect::<Vec<_>>());
        assert_eq!(numbers(news.in_turn(&repo, false)), (201..=400).collect::<Vec<_>>());
        assert_eq!(numbers(news.in_turn(&repo, false)), (401..=450).chain(1..=150).collect::<Vec<_>>());
        news.moved(&repo, None, &open[..3], false);
        assert_eq!(numbers(news.in_turn(&repo, false)), [1, 2, 3], "fewer than a turn: each time all of them");
    }

    #[test]
    fn when_base_moves_on_a_forge_in_the_network_a_few_are_looked_at_and_the_rest_before_all_turns() {
        let (news, repo) = (News::default(), RepoId::new("dns"));
        let base = |name: &str| Some(CommitId::new(name));
        let mut open: Vec<MrRef> = (1..=100).map(|number| found(number, "a")).collect();
        news.moved(&repo, base("b1"), &open, true);
        assert_eq!(numbers(news.in_turn(&repo, true)), (1..=20).collect::<Vec<_>>());
        open[89] = found(90, "b");
        assert_eq!(numbers(news.moved(&repo, base("b2"), &open, true)), [90].into_iter().chain(1..=40).collect::<Vec<_>>(), "what moved itself comes at once");
        assert_eq!(numbers(news.in_turn(&repo, true)), (41..=60).collect::<Vec<_>>());
        let urgent: Vec<MrId> = [99, 70].into_iter().chain(1..=39).map(|number| MrId { repo: repo.clone(), number }).collect();
        assert_eq!(numbers(news.spared(&repo, urgent, true)), [99, 70].into_iter().chain(1..=38).collect::<Vec<_>>());
        // Nobody twice: 70 and 99 were looked at, 39 was not, 90 was news.
        assert_eq!(numbers(news.in_turn(&repo, true)), [39].into_iter().chain(61..=69).chain(71..=80).collect::<Vec<_>>());
        assert_eq!(numbers(news.in_turn(&repo, true)), (81..=89).chain(91..=98).chain([100]).chain(21..=22).collect::<Vec<_>>());
        assert_eq!(news.moved(&repo, base("b3"), &open, false).len(), 100, "our own forge is asked for nothing");
    }

    #[test]
    fn on_a_forge_in_the_network_looks_at_what_did_not_move_stay_within_what_it_lets_one_ask() {
        let (news, repo) = (News::default(), RepoId::new("dns"));
        let open: Vec<MrRef> = (1..=10_000).map(|number| found(number, "a")).collect();
        news.moved(&repo, None, &open[..100], false);
        assert_eq!(news.in_turn(&repo, true).len(), 20, "what is remembered is asked for nothing");
        news.moved(&repo, None, &open, false);
        // Nine questions a look, a sweep in thirty seconds.
        assert!(news.in_turn(&repo, true).len() * 9 * 120 < 5_000 / 2);
        // Several repositories share what one has, and each has its turn.
        let others: Vec<RepoId> = (0..4).map(|n| RepoId::new(format!("dns{n}"))).collect();
        for repo in &others {
            let open: Vec<MrRef> = open[..2_500].iter().map(|found| MrRef { mr: MrId { repo: repo.clone(), ..found.mr }, ..found.clone() }).collect();
            news.moved(repo, None, &open, false);
            news.in_turn(repo, true);
        }
        let looks: Vec<usize> = std::iter::once(&repo).chain(&others).map(|repo| (0..120).map(|_| news.in_turn(repo, true).len()).sum()).collect();
        assert!(looks.iter().sum::<usize>() * 9 < 5_000 / 2 && looks.iter().all(|looks| *looks >= 20), "{looks:?}");
    }
}
