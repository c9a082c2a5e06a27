//! Overrides: changes made by hand on purpose, claimed by somebody until some time, as a pure fold over their own events.
//!
//! An override covers exactly one content of one resource. It ends with the next change of that resource, at its deadline, when somebody
//! ends it, or when live is again what is asked for.

use crate::core::model::{CommitId, Fingerprint, MrId, RepoId, ResourceId, Span, Time, User, Value};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// The longest an override may be claimed for; what is true for longer belongs into the repository.
pub const LONGEST: Span = Span(90 * 86_400_000);

/// People are told a day before an override ends; of a shorter one the last quarter.
const NOTICE: Span = Span(86_400_000);

/// So many that ended are remembered, for whoever asks what became of one.
const REMEMBERED: usize = 100;

/// So many claims are remembered for whoever says one again: more than are said between a crash and the restart after it.
const SAID: usize = 1000;

/// The longest reason; longer ones are stories for a merge request.
const REASON: usize = 500;

/// One fact of the overrides' life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverrideEvent {
    /// Somebody answers for what is live; claiming again replaces what was claimed before.
    Claimed(Override),
    /// Its end was announced.
    Noticed {
        /// Journals of older versions name none: they kept one override a resource, whoever claimed it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repo: Option<RepoId>,
        id: ResourceId,
        at: Time,
    },
    Ended {
        /// As above.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repo: Option<RepoId>,
        id: ResourceId,
        why: Ending,
        at: Time,
    },
}

/// One change made by hand that somebody answers for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    pub id: ResourceId,
    /// The repository that governs it.
    pub repo: RepoId,
    pub by: User,
    pub reason: String,
    pub until: Time,
    /// The content that is covered; `None`: that it is gone.
    pub covers: Option<Fingerprint>,
    /// The merge request it was said on, where notices go.
    pub on: Option<MrId>,
    pub at: Time,
    /// Its end was announced.
    #[serde(default)]
    pub noticed: bool,
}

/// Why an override is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    Said(User),
    /// A change wrote over it, or took it into the repository.
    Changed(MrId),
    Deadline,
    /// Live is again what is asked for.
    Gone,
}

/// One that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub was: Override,
    pub why: Ending,
    pub at: Time,
}

/// All overrides of a server. Feed it events in order; equal events give equal state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// By resource, and then by repository: where grants are shared, one repository's word says nothing for another's.
    standing: BTreeMap<(ResourceId, RepoId), Override>,
    ended: VecDeque<Ended>,
    /// What was claimed, without what it covered: the same words are heard once, whatever became of it since.
    said: VecDeque<Override>,
}

/// Overrides that covered exactly what one turn of a change wrote over, or merged: they are over, whenever somebody gets to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenOver {
    pub by: MrId,
    pub overrides: Vec<Override>,
}

/// What a merge left out by an approved exemption: base asks for it from there on, so somebody answers for what is live instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftUndone {
    pub by: MrId,
    /// What the merge came to: before the branch is read with it, it asks for nothing yet.
    pub merged: CommitId,
    pub asks: Vec<OverrideAsk>,
}

/// What somebody said to override, as it was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideAsk {
    pub by: User,
    pub resource: String,
    pub until: String,
    pub reason: String,
    /// When it was said: a span counts from here.
    pub at: Time,
}

/// Why something cannot be overridden so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideFault {
    #[error("say why, so that others can decide; write it behind the time")]
    NoReason,
    #[error("the reason has more than {REASON} characters; say it shorter, or in a merge request")]
    LongReason,
    #[error("`{text}` is no time; write `3d`, `12h`, `2026-12-01` or `2026-12-01T18:00:00Z`")]
    NoTime { text: String },
    #[error("{until} is over already; name a later time")]
    Over { until: Time },
    #[error("{until} is more than {LONGEST} away; claim it for less, or merge it into the repository")]
    TooFar { until: Time },
    #[error("no override of `{id}` stands in {repo}; `trueup override list` shows those there are")]
    None { repo: RepoId, id: ResourceId },
}

impl Override {
    /// When its end is announced: a day before, or when a quarter of its time is left.
    pub fn notice_at(&self) -> Time {
        let quarter = (self.until - self.at).0 / 4;
        Time(self.until.0.saturating_sub_unsigned(quarter.min(NOTICE.0)))
    }

    /// The words alone: what was live when they were said, and whether the end was announced, does not count.
    fn words(&self) -> Self {
        Self { covers: None, noticed: false, ..self.clone() }
    }

    /// Whether it covers what is live, as far as anybody asks for its fields.
    pub fn covers(&self, live: Option<&Value>) -> bool {
        self.covers == live.map(Value::fingerprint)
    }

    /// The fact that it is over.
    pub fn ends(&self, why: Ending, at: Time) -> OverrideEvent {
        OverrideEvent::Ended { repo: Some(self.repo.clone()), id: self.id.clone(), why, at }
    }

    fn key(&self) -> (ResourceId, RepoId) {
        (self.id.clone(), self.repo.clone())
    }
}

impl Overrides {
    pub fn apply(&mut self, event: &OverrideEvent) {
        match event {
            OverrideEvent::Claimed(claimed) => {
                self.said.push_front(claimed.words());
                self.said.truncate(SAID);
                self.standing.insert(claimed.key(), claimed.clone());
            }
            OverrideEvent::Noticed { repo, id, at: _ } => {
                for key in self.named(repo.as_ref(), id) {
                    if let Some(known) = self.standing.get_mut(&key) {
                        known.noticed = true;
                    }
                }
            }
            OverrideEvent::Ended { repo, id, why, at } => {
                for key in self.named(repo.as_ref(), id) {
                    if let Some(was) = self.standing.remove(&key) {
                        self.ended.push_front(Ended { was, why: why.clone(), at: *at });
                    }
                }
                self.ended.truncate(REMEMBERED);
            }
        }
    }

    /// Those that an event speaks of; one that names no repository speaks of the resource's, whosever they are.
    fn named(&self, repo: Option<&RepoId>, id: &ResourceId) -> Vec<(ResourceId, RepoId)> {
        self.of(id).filter(|known| repo.is_none_or(|repo| *repo == known.repo)).map(Override::key).collect()
    }

    /// All of one resource, by repository.
    fn of(&self, id: &ResourceId) -> impl Iterator<Item = &Override> {
        // The empty name sorts before every other.
        let first = (id.clone(), RepoId::new(""));
        self.standing.range(first..).map(|(_, known)| known).take_while(move |known| known.id == *id)
    }

    /// What a repository answers for.
    pub fn get(&self, repo: &RepoId, id: &ResourceId) -> Option<&Override> {
        self.of(id).find(|known| known.repo == *repo)
    }

    /// Those that stand, by resource.
    pub fn standing(&self) -> impl Iterator<Item = &Override> {
        self.standing.values()
    }

    /// Those that are over, the newest first, as far as they are remembered.
    pub fn ended(&self) -> impl Iterator<Item = &Ended> {
        self.ended.iter()
    }

    /// What time itself brings: ends that are due, and ends to announce.
    pub fn due(&self, now: Time) -> Vec<OverrideEvent> {
        let due = |known: &Override| match () {
            () if now >= known.until => Some(known.ends(Ending::Deadline, now)),
            () if now >= known.notice_at() && !known.noticed => Some(OverrideEvent::Noticed { repo: Some(known.repo.clone()), id: known.id.clone(), at: now }),
            () => None,
        };
        self.standing.values().filter_map(due).collect()
    }

    /// When time brings something next.
    pub fn next_wake(&self) -> Option<Time> {
        self.standing.values().map(|known| if known.noticed { known.until } else { known.notice_at().min(known.until) }).min()
    }

    /// Ends one of a repository, said by somebody.
    pub fn end(&self, repo: &RepoId, id: &ResourceId, by: &User, at: Time) -> Result<OverrideEvent, OverrideFault> {
        match self.get(repo, id) {
            Some(known) => Ok(known.ends(Ending::Said(by.clone()), at)),
            None => Err(OverrideFault::None { repo: repo.clone(), id: id.clone() }),
        }
    }

    /// Those that covered exactly what a change wrote over, or merged: `touched`, each with the content it came from. Whosever they are: what
    /// they covered is there no more.
    pub fn covering<'a>(&self, touched: impl IntoIterator<Item = (&'a ResourceId, Option<&'a Value>)>) -> Vec<Override> {
        if self.standing.is_empty() {
            return Vec::new();
        }
        touched.into_iter().flat_map(|(id, from)| self.of(id).filter(move |known| known.covers(from))).cloned().collect()
    }

    /// Ends those that were written over and still stand. One that was claimed again since is of what came after.
    pub fn written_over(&self, what: &WrittenOver, at: Time) -> Vec<OverrideEvent> {
        let stands = |was: &&Override| self.get(&was.repo, &was.id).is_some_and(|known| (known.words(), known.covers) == (was.words(), was.covers));
        what.overrides.iter().filter(stands).map(|was| was.ends(Ending::Changed(what.by.clone()), at)).collect()
    }

    /// Whether exactly this was said before: a claim in a comment may be heard again after a crash.
    pub fn was_said(&self, claimed: &Override) -> bool {
        self.said.contains(&claimed.words())
    }
}

/// A reason and a time as somebody wrote them, checked.
pub fn terms(reason: &str, until: &str, now: Time) -> Result<(String, Time), OverrideFault> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(OverrideFault::NoReason);
    }
    if reason.chars().count() > REASON {
        return Err(OverrideFault::LongReason);
    }
    let until = instant(until.trim(), now).ok_or_else(|| OverrideFault::NoTime { text: until.trim().to_owned() })?;
    if until <= now {
        return Err(OverrideFault::Over { until });
    }
    if until - now > LONGEST {
        return Err(OverrideFault::TooFar { until });
    }
    Ok((reason.to_owned(), until))
}

/// A span from now, a day (the end of it, in UTC), or an instant.
fn instant(text: &str, now: Time) -> Option<Time> {
    if let Some(span) = Span::parse(text) {
        return Some(now + span);
    }
    if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
        return Some(Time(stamp.as_millisecond()));
    }
    let day = text.parse::<jiff::civil::Date>().ok()?;
    let end = day.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Time(end.timestamp().as_millisecond()))
}
