//! One look at a part: what is live, compared with what the effective base asks for at that moment.

use super::ground::{Bundle, Ground, Only};
use crate::{
    app::{
        desk::Desk,
        safe::{Hiding, Look, Safe, Sides, Unresolved},
        targets::Target,
        world::{Repository, World},
    },
    core::{
        diff::Asked,
        drift::{Ahead, Covered, Fault, Found, How, Overrides, Part, Row, Verdict, Writer, compare},
        model::{CHANGED, CommitId, Desired, Fact, FactValue, Kind, MrId, Observed, Place, Reading, Refusal, ResourceId, VEIL, Value, Want, Wanted},
        review::Phase,
    },
    ports::{ObserveError, ObserveErrorKind},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How often a part is looked at again because the branch moved meanwhile; one that moves faster is told as it was.
const TRIES: usize = 3;

/// What open changes have written: known on their server alone.
#[derive(Clone)]
pub enum Open {
    Server {
        desk: Desk,
        world: Arc<World>,
    },
    /// Outside of a server nobody says.
    Unknown,
}

type Applied = BTreeMap<ResourceId, (MrId, Option<Value>)>;

impl Open {
    /// What the repository's open changes have applied ahead of base.
    pub async fn ahead(&self, repo: &Repository) -> Result<Applied, String> {
        match self {
            Self::Server { desk, world: _ } => {
                let mut all = desk.applied_but(None).await?;
                all.retain(|_, (change, _)| change.repo == repo.id);
                Ok(all)
            }
            Self::Unknown => Ok(Applied::new()),
        }
    }

    /// The overrides that stand.
    pub async fn overrides(&self) -> Arc<Overrides> {
        match self {
            Self::Server { desk: _, world } => world.overrides.now().await,
            Self::Unknown => Arc::default(),
        }
    }

    /// Who may be in the middle of writing a resource.
    async fn writer(&self, id: &ResourceId) -> Result<Writer, String> {
        let Self::Server { desk, world } = self else { return Ok(Writer::Nobody) };
        let Some(holder) = world.board.writer(desk, id).await? else { return Ok(Writer::Nobody) };
        Ok(match world.store.card(&holder).await {
            Ok(Some(card)) if !writes(card.phase) => Writer::Nobody,
            // A card that cannot be read says nothing against it.
            Ok(Some(_) | None) | Err(_) => Writer::Runs(holder),
        })
    }
}

/// Whether a change in this phase may have written what its journal does not tell yet.
fn writes(phase: Phase) -> bool {
    match phase {
        Phase::Rolling | Phase::Restoring | Phase::Paused => true,
        Phase::Planning
        | Phase::AwaitingApproval
        | Phase::Queued
        | Phase::Verifying
        | Phase::Merging
        | Phase::Merged
        | Phase::Empty
        | Phase::Refused
        | Phase::Conflicted
        | Phase::Failed
        | Phase::Restored
        | Phase::Closed => false,
    }
}

/// One drifted resource with its values, for those who act on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drifted {
    pub id: ResourceId,
    pub place: Place,
    /// What base asks for.
    pub base: Option<Value>,
    pub live: Option<Value>,
    /// The open change that wrote what is asked for.
    pub ahead: Option<MrId>,
    pub sensitive: bool,
    /// An override covers exactly this.
    pub covered: bool,
}

/// What one look told.
#[derive(Debug, Default)]
pub struct Looked {
    /// The part's drift, and then the part.
    pub rows: Vec<Row>,
    /// The same drift with its values.
    pub drifted: Vec<Drifted>,
    /// What was compared and is as asked.
    pub same: BTreeSet<ResourceId>,
    /// What nobody can say now what it should be; each has a fault of its own.
    pub unknown: BTreeSet<ResourceId>,
    /// The target is away: looking further costs as much and tells as little.
    pub away: bool,
}

/// Reads a target, in the way of whoever looks.
pub trait Reads: Send + Sync {
    fn read<'a>(&'a self, target: &'a Target, wants: &'a [Want], facts: &'a [Fact]) -> crate::ports::Fut<'a, Result<Vec<Observed>, ObserveError>>;
}

/// Reads like any plan does.
pub struct AtOnce(pub Arc<Safe>);

impl Reads for AtOnce {
    fn read<'a>(&'a self, target: &'a Target, wants: &'a [Want], facts: &'a [Fact]) -> crate::ports::Fut<'a, Result<Vec<Observed>, ObserveError>> {
        Box::pin(target.observe(self.0.secrets(), wants, facts))
    }
}

/// Looks at the parts of one repository on one target.
pub struct Looker<'a> {
    pub repo: Arc<Repository>,
    /// Hides what is sensitive before anything is compared.
    pub safe: Arc<Safe>,
    pub target: Arc<Target>,
    pub open: Open,
    pub reads: &'a dyn Reads,
    pub only: Arc<Only>,
    pub ahead: Applied,
    /// Resources that base asks for and open changes have written.
    pub met: BTreeSet<ResourceId>,
    pub overrides: Arc<Overrides>,
}

impl Looker<'_> {
    /// Looks at one part; the ground follows the branch.
    pub async fn part(&mut self, ground: &mut Arc<Ground>, bundle: &Bundle) -> Looked {
        let (target, area) = (self.target.name.to_string(), bundle.area());
        let fault = |what: String| Looked { rows: vec![Row::Fault(Fault { target: target.clone(), area: area.clone(), what })], ..Looked::default() };
        for last in (0..TRIES).rev() {
            let wishes = {
                let (repo, ground, bundle, name, kind, only) = (self.repo.clone(), ground.clone(), bundle.clone(), self.target.name.clone(), self.target.kind(), self.only.clone());
                tokio::task::spawn_blocking(move || ground.wishes(&repo, &bundle, &name, kind, &only)).await
            };
            let wishes = match wishes.map_err(|panic| panic.to_string()).and_then(|read| read) {
                Ok(wishes) => wishes,
                Err(why) => return fault(why),
            };
            let seen = match self.compare(ground, wishes.resources, area.clone(), wishes.ignored).await {
                Ok(seen) => seen,
                Err(error) => return Looked { away: error.kind == ObserveErrorKind::Unreachable, ..fault(error.what) },
            };
            // Between reading the branch and the target a change may have merged: then it is looked at again as things are now.
            let moved = !seen.drifted.is_empty() && self.moved(ground).await;
            if moved && last > 0 {
                continue;
            }
            let mut looked = seen;
            if let Open::Server { desk: _, world } = &self.open {
                super::claim::gone(world, &self.repo.id, &looked).await;
            }
            looked.rows.extend(wishes.faults.into_iter().map(|(unit, fault)| Row::Fault(Fault { target: String::new(), area: unit.to_string(), what: fault.to_string() })));
            return looked;
        }
        fault("the branch moves faster than it can be looked at; try again".to_owned())
    }

    /// One resource that no file asks for.
    pub async fn unasked(&mut self, ground: &Ground, id: &ResourceId) -> Looked {
        let wanted = Wanted { value: Value::Null, place: Place::default(), after: Vec::new() };
        match self.compare_beyond(ground, BTreeMap::from([(id.clone(), wanted)]), String::new()).await {
            // Not live and not asked for: nothing to speak of.
            Ok(looked) => Looked { same: BTreeSet::new(), ..looked },
            Err(error) => Looked { rows: vec![Row::Fault(Fault { target: self.target.name.to_string(), area: String::new(), what: error.what })], ..Looked::default() },
        }
    }

    /// What only open changes ask for: they made it, and base does not have it yet.
    pub async fn beyond(&mut self, ground: &Ground) -> Looked {
        let ours = |id: &&ResourceId| id.target == self.target.name && !self.met.contains(*id) && !ground.ignores(id) && self.only.takes(id, self.target.kind());
        let wanted = |id: &ResourceId| (id.clone(), Wanted { value: Value::Null, place: Place::default(), after: Vec::new() });
        let resources: BTreeMap<ResourceId, Wanted> = self.ahead.keys().filter(ours).map(wanted).collect();
        if resources.is_empty() {
            return Looked::default();
        }
        let area = "made by open changes".to_owned();
        match self.compare_beyond(ground, resources, area.clone()).await {
            Ok(looked) => looked,
            Err(error) => Looked {
                away: error.kind == ObserveErrorKind::Unreachable,
                rows: vec![Row::Fault(Fault { target: self.target.name.to_string(), area, what: error.what })],
                ..Looked::default()
            },
        }
    }

    /// What base asks for with its sensitive values hidden, and its references resolved.
    async fn hidden(&self, ground: &Ground, resources: BTreeMap<ResourceId, Wanted>) -> Result<(Hiding, BTreeMap<ResourceId, Wanted>), ObserveError> {
        let (kind, mut base, mut merged) = (self.target.kind(), Desired { resources, ..Desired::default() }, Desired::default());
        let (mut hiding, _) = Hiding::new(&self.safe, &ground.policy, &self.repo, &|_| kind, Sides { base: &mut base, merged: &mut merged });
        let refers = base.resources.iter().filter(|(_, wanted)| matches!(wanted.value, Value::Secret(_)));
        let wants: Vec<Want> = refers.map(|(id, wanted)| Want { id: id.clone(), base: Some(wanted.value.clone()), merged: None, ours: None }).collect();
        if let Err(Unresolved::World { place: _, error }) = hiding.resolve(&self.safe, &self.repo, &wants, &|_| Place::default()).await {
            return Err(ObserveError { target: self.target.name.to_string(), what: error.to_string(), kind: ObserveErrorKind::Broken, about: Vec::new() });
        }
        Ok((hiding, base.resources))
    }

    /// Whether the branch is another one by now; the ground follows.
    async fn moved(&self, ground: &mut Arc<Ground>) -> bool {
        let Some(tip) = self.tip() else { return false };
        if tip == ground.base {
            return false;
        }
        let repo = self.repo.clone();
        match tokio::task::spawn_blocking(move || Ground::at(&repo, &tip)).await {
            Ok(Ok(now)) => {
                *ground = Arc::new(now);
                true
            }
            Ok(Err(_)) | Err(_) => false,
        }
    }

    fn tip(&self) -> Option<CommitId> {
        match self.open {
            Open::Server { .. } => self.repo.tip(),
            // A checkout was asked about one commit.
            Open::Unknown => None,
        }
    }

    async fn compare(&mut self, ground: &Ground, resources: BTreeMap<ResourceId, Wanted>, area: String, ignored: u64) -> Result<Looked, ObserveError> {
        self.judge(ground, resources, area, ignored, |wanted| Some(&wanted.value)).await
    }

    async fn compare_beyond(&mut self, ground: &Ground, resources: BTreeMap<ResourceId, Wanted>, area: String) -> Result<Looked, ObserveError> {
        self.judge(ground, resources, area, 0, |_| None).await
    }

    async fn judge(
        &mut self,
        ground: &Ground,
        resources: BTreeMap<ResourceId, Wanted>,
        area: String,
        ignored: u64,
        base_of: impl Fn(&Wanted) -> Option<&Value> + Send,
    ) -> Result<Looked, ObserveError> {
        let mut looked = Looked::default();
        let mut part = Part { target: self.target.name.to_string(), area, resources: resources.len() as u64, ignored, ..Part::default() };
        if resources.is_empty() {
            if ignored > 0 {
                looked.rows.push(Row::Part(part));
            }
            return Ok(looked);
        }
        let kind = self.target.kind();
        let safe = self.safe.clone();
        let (hiding, resources) = self.hidden(ground, resources).await?;
        // By the kind's one form, as drivers compare; a base that today's rules refuse is compared as it stands.
        let canon = |id: &ResourceId, value: &Value| match value {
            Value::Hidden(_) | Value::Secret(_) => value.clone(),
            plain => kind.canon(id, plain.clone()).unwrap_or_else(|_| plain.clone()),
        };
        let lost = |wanted: &Wanted| if let Value::Secret(secret) = &wanted.value { hiding.nowhere(secret).cloned() } else { None };
        let nowhere: BTreeMap<&ResourceId, Refusal> = resources.iter().filter_map(|(id, wanted)| Some((id, lost(wanted)?))).collect();
        let mut bases: BTreeMap<&ResourceId, Option<Value>> = resources.iter().map(|(id, wanted)| (id, base_of(wanted).map(|value| canon(id, value)))).collect();
        let asked: Vec<Want> = bases
            .iter()
            .map(|(id, base)| {
                let effective = Asked::new(&self.repo.id, base.as_ref(), self.ahead.get(id)).effective().cloned();
                Want { id: (*id).clone(), base: base.clone(), merged: effective, ours: None }
            })
            .collect();
        let look = Look::planning(&safe, &hiding);
        let opened: Vec<_> = asked.iter().map(|want| look.open(want, kind)).collect();
        let plain: Vec<Want> = opened.iter().map(|one| one.want.clone()).collect();
        let seen = self.reads.read(&self.target, &plain, &[CHANGED.into()]).await.map_err(|error| look.close_error(&opened, error))?;
        let seen: Vec<Observed> = opened.iter().zip(seen).map(|(opened, seen)| look.close(opened, seen)).collect();
        drop((asked, plain, opened));
        for one in &seen {
            // What a reference led to is compared. One that leads nowhere any more stays a reference, which equals nothing that is live.
            if let (Some(base @ Some(Value::Secret(_))), Reading::Seen { base: asked, .. }) = (bases.get_mut(&one.id), &one.reading)
                && !nowhere.contains_key(&one.id)
            {
                base.clone_from(asked);
            }
        }
        let suspects: Vec<&Observed> = seen.iter().filter(|seen| !matches!(self.verdict(seen, &bases, &Writer::Nobody), Verdict::Same | Verdict::Ahead(_))).collect();
        // Who writes cannot be told: then nothing is called drift.
        let broken = |what: String| ObserveError { target: self.target.name.to_string(), what, kind: ObserveErrorKind::Broken, about: Vec::new() };
        let mut writers: BTreeMap<&ResourceId, Writer> = BTreeMap::new();
        for suspect in &suspects {
            writers.insert(&suspect.id, self.open.writer(&suspect.id).await.map_err(&broken)?);
        }
        if !suspects.is_empty() {
            self.overrides = self.open.overrides().await;
            // After the writers: whoever does not write any more has told what it wrote by now, and what merged since shows in the branch.
            self.ahead = self.open.ahead(&self.repo).await.map_err(&broken)?;
        }
        let (mut ahead, mut writing): (BTreeMap<String, u64>, BTreeMap<String, u64>) = Default::default();
        for one in &seen {
            let Some(wanted) = resources.get(&one.id) else { continue };
            if self.ahead.contains_key(&one.id) {
                self.met.insert(one.id.clone());
            }
            match self.verdict(one, &bases, writers.get(&one.id).unwrap_or(&Writer::Nobody)) {
                Verdict::Same => drop(looked.same.insert(one.id.clone())),
                Verdict::Ahead(change) => *ahead.entry(change.to_string()).or_default() += 1,
                Verdict::Writing(change) => *writing.entry(change.to_string()).or_default() += 1,
                // What an open change has written is compared with that, whatever base asks for.
                Verdict::Drifted(_) if nowhere.contains_key(&one.id) && !self.ahead.contains_key(&one.id) => {
                    looked.rows.extend(nowhere.get(&one.id).map(|why| Row::Fault(unknown(kind, one, why))));
                    looked.unknown.insert(one.id.clone());
                    part.resources -= 1;
                }
                Verdict::Drifted(live) => {
                    let base = bases.get(&one.id).cloned().flatten();
                    let asked = Asked::new(&self.repo.id, base.as_ref(), self.ahead.get(&one.id));
                    let secret = |value: Option<&Value>| matches!(value, Some(Value::Hidden(_) | Value::Secret(_)));
                    let sensitive = ground.veil.hides(&one.id) || secret(live.as_ref()) || secret(asked.effective());
                    let mut found = found(kind, one, &wanted.place, asked, live.as_ref(), sensitive);
                    let known = self.overrides.get(&self.repo.id, &one.id);
                    let told = known.map(|known| Covered { by: known.by.to_string(), reason: known.reason.clone(), until: known.until });
                    let covered = known.is_some_and(|known| known.covers(live.as_ref()));
                    match covered {
                        true => (part.overridden, found.covered) = (part.overridden + 1, told),
                        false => (part.drifted, found.uncovered) = (part.drifted + 1, told),
                    }
                    looked.rows.push(Row::Drift(Box::new(found)));
                    let ahead = asked.ahead.map(|(change, _)| change.clone());
                    looked.drifted.push(Drifted { id: one.id.clone(), place: wanted.place.clone(), base, live, ahead, sensitive, covered });
                }
            }
        }
        let counted = |all: BTreeMap<String, u64>| all.into_iter().map(|(change, resources)| Ahead { change, resources }).collect();
        (part.ahead, part.writing) = (counted(ahead), counted(writing));
        looked.rows.push(Row::Part(part));
        Ok(looked)
    }

    fn verdict(&self, seen: &Observed, bases: &BTreeMap<&ResourceId, Option<Value>>, writer: &Writer) -> Verdict {
        let base = bases.get(&seen.id).and_then(Option::as_ref);
        match &seen.reading {
            Reading::Seen { live, base: _, merged: _ } => compare(live.as_ref(), Asked::new(&self.repo.id, base, self.ahead.get(&seen.id)), writer),
            Reading::Opaque { changes: Some(false), covers: _, report: _ } => Verdict::Same,
            Reading::Opaque { changes: Some(true) | None, covers: _, report: _ } | Reading::Later { until: _ } => Verdict::Drifted(None),
        }
    }
}

/// Says that nobody knows what a resource should be: neither that it drifted nor that it did not.
fn unknown(kind: &dyn Kind, seen: &Observed, why: &Refusal) -> Fault {
    let advice = why.advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default();
    let what = format!("what it should be is a secret that cannot be read, so whether it drifted is not known: {}{advice}", why.what);
    Fault { target: seen.id.target.to_string(), area: kind.title(&seen.id), what }
}

/// One drifted resource in words.
fn found(kind: &dyn Kind, seen: &Observed, place: &Place, asked: Asked<'_>, live: Option<&Value>, sensitive: bool) -> Found {
    let lines = |value: Option<&Value>| match value {
        None => Vec::new(),
        Some(_) if sensitive => vec![VEIL.to_owned()],
        Some(value) => kind.lines(&seen.id, value),
    };
    let how = match (asked.effective(), live) {
        (None, _) => How::Appeared,
        (Some(_), None) => How::Missing,
        (Some(_), Some(_)) => How::Changed,
    };
    let mut known: Vec<String> = seen.facts.get(CHANGED).into_iter().filter_map(|fact| if let FactValue::Text(text) = fact { Some(text.to_string()) } else { None }).collect();
    if let Reading::Seen { live: None, base: _, merged: Err(refusal) } = &seen.reading {
        known.push(refusal.to_string());
    }
    Found {
        id: seen.id.clone(),
        title: kind.title(&seen.id),
        area: kind.area(&seen.id).to_string(),
        place: if place.file.is_empty() { String::new() } else { place.to_string() },
        how,
        asked: lines(asked.effective()),
        live: lines(live),
        sensitive,
        ahead: asked.ahead.map(|(change, _)| change.to_string()),
        known: (!known.is_empty()).then(|| known.join("; ")),
        covered: None,
        uncovered: None,
    }
}
