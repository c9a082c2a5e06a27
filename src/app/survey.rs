//! The survey: what base and merged ask for in the units a merge request touches. Blocking, reads git objects only.

use super::{
    checks, code_owners, dangling,
    governing::{self, Governing, governing, root, templates_beside},
    late,
    mapped::Mapped,
    safe,
    targets::Targets,
    world::Repository,
};
use crate::{
    core::{
        model::{CommitId, Desired, OnDrift, Place, Policy, Refusal, RefusalKind, ResourceId, Str, TreeId, Unit},
        plan::{Beside, Note, Order, Patterns, Template},
        run::PlanResult,
    },
    formats::{
        templates,
        trueup_yaml::{self, FILE, Source},
    },
    git::UnitSide,
    ports::{Changed, Merge, Mode, RepoError},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Both sides of a merge request, in the units that matter to it.
pub struct Survey {
    pub tree: TreeId,
    pub base: Desired,
    pub merged: Desired,
    pub released: BTreeSet<ResourceId>,
    pub fresh: BTreeSet<ResourceId>,
    pub moved: BTreeMap<ResourceId, ResourceId>,
    /// The `atomic:` group of each resource that is in one.
    pub together: BTreeMap<ResourceId, Str>,
    /// Read from base (I9).
    pub policy: Arc<Policy>,
    /// Read from the merged tree.
    pub orders: Vec<Order>,
    pub templates: Vec<Template>,
    /// How many resources base holds in each unit read.
    pub sizes: BTreeMap<(Str, Unit), u64>,
    pub notes: Vec<Note>,
    /// The probes beside sources of the merged tree, for what was read.
    pub health: Vec<Beside>,
    /// Base has no policy yet: what is live may be adopted, nothing may be written (I9).
    pub bootstrap: bool,
}

/// Why there is no survey.
pub enum NoSurvey {
    Answer(TreeId, PlanResult),
    World(String),
}

impl From<RepoError> for NoSurvey {
    fn from(error: RepoError) -> Self {
        Self::World(error.to_string())
    }
}

type Faults = Vec<Refusal>;

/// Surveys `head` on `base`. `also`: resources this change has written, whose units are read too. `from`: what is compared with and governs where that is not `base`.
pub fn survey(repo: &Repository, targets: &Targets, (base, head): (&CommitId, &CommitId), from: Option<&CommitId>, also: &BTreeSet<ResourceId>) -> Result<Survey, NoSurvey> {
    let state = &*repo.state;
    let tree = match state.merge(base, head)? {
        Merge::Clean(tree) => tree,
        Merge::Conflicts(paths) => return Err(NoSurvey::Answer(TreeId::new(""), PlanResult::Conflicted(paths))),
    };
    let refuse = |faults: Faults| NoSurvey::Answer(tree.clone(), PlanResult::Refused(faults));
    let base = from.unwrap_or(base);
    let base_tree = state.tree(base)?;
    let changed = state.changed(&base_tree, &tree)?;
    let governing = governing(repo, base)?;
    let Governing { root: before, templates: _, notes: told, outdated: _ } = &governing;
    // A base that cannot be read is its own head too: the way back and the merge requests that do not touch it are not to blame.
    let after = if tree == base_tree && !told.is_empty() {
        before.clone()
    } else {
        root(repo, &tree)?.map_err(|faults| refuse(if told.is_empty() || touches(&changed, FILE) { faults } else { faults.into_iter().map(on_base).collect() }))?
    };
    if before.is_none() && after.is_none() {
        let advice = "add one that maps your folders to targets; `trueup schema` describes it";
        return Err(refuse(vec![Refusal::new(RefusalKind::Unknown, format!("there is no {FILE} at the root of the repository")).at(Place::file(FILE)).advice(advice)]));
    }
    // What base says of moves happened with the merge that brought it: it goes on standing there and moves nothing again.
    let told_before: &[trueup_yaml::Moved] = before.as_ref().map_or(&[], |root| &root.moved);
    let moves = after.iter().flat_map(|root| &root.moved).filter(|moved| !told_before.contains(moved));
    let moved = moves.map(|moved| (moved.to.clone(), moved.from.clone())).collect();
    let given_up: Vec<Str> = after.iter().flat_map(|root| root.release.clone()).collect();
    let given_up = Patterns::new("release", &given_up).map_err(|fault| refuse(vec![fault]))?;
    let orders = after.as_ref().map(trueup_yaml::Repository::orders).unwrap_or_default();
    let bootstrap = before.is_none();
    let (mut policy, mut templates) = (governing::policy(repo, &governing), governing::templates(repo, &governing));
    let asked = code_owners::spell_out(repo, &base_tree, &changed, &mut policy, &mut templates)?;
    let policy = Arc::new(policy);
    let mut faults: Faults = Vec::new();
    // What governs later merge requests must be readable before it does, and name people there are.
    if changed.iter().any(|change| governs(&change.path)) {
        faults.extend(templates_beside(repo, &tree, after.as_ref())?.err().into_iter().flatten());
        faults.extend(after.iter().flat_map(|root| governing::strangers(repo, root)));
    }
    let rules = before.iter().chain(&after).flat_map(|root| &root.policy.approvals);
    if code_owners::asks(rules) {
        faults.extend(code_owners::brought(repo, &base_tree, &tree, &changed)?);
    }
    let sources = Sides { base: before.as_ref().map(|root| root.sources.clone()).unwrap_or_default(), merged: after.map(|root| root.sources).unwrap_or_default() };
    let mut reader = Reader { repo, targets, policy: &policy, base_tree: &base_tree, tree: &tree, faults: Vec::new() };
    let mut read = reader.read(&sources, &changed, also, Units::new())?;
    let follow = late::followers(repo, &sources.merged, &policy, &tree, late::Sides { base: &read.base, merged: &read.merged })?;
    if !follow.is_empty() {
        reader.faults.clear();
        read = reader.read(&sources, &changed, also, follow)?;
    }
    // A base whose references lead nowhere by now asks for nothing that is known; those of the merge request are its own.
    read.unread.extend(late::Tree::new(repo, &base_tree, &sources.base, &policy).resolve(&mut read.base)?);
    reader.faults.extend(late::Tree::new(repo, &tree, &sources.merged, &policy).resolve(&mut read.merged)?);
    let mapped: Vec<&Source> = sources.all().collect();
    for faults in [&mut reader.faults, &mut read.unread] {
        safe::unread(faults, &mapped, &policy, &repo.grants);
    }
    faults.extend(reader.faults);
    faults.extend(misspelt(repo, &sources, &tree)?);
    let unmapped: Vec<&Changed> = changed.iter().filter(|change| !governs(&change.path) && !sources.read(&change.path) && !read.inputs.contains(&change.path)).collect();
    faults.extend(unmapped.iter().filter(|change| change.new.is_some()).filter_map(|change| sources.misnamed(&change.path)));
    if !faults.is_empty() {
        faults.sort_by(|a, b| a.place.cmp(&b.place));
        faults.dedup();
        return Err(refuse(faults));
    }
    let mut notes: Vec<Note> = unmapped.into_iter().map(|change| Note::Unmapped { path: change.path.clone(), becomes: change.new.as_ref().map(|(id, _)| id.clone()) }).collect();
    notes.extend(told.iter().cloned());
    notes.extend(asked);
    notes.extend(
        changed.iter().filter(|change| governs(&change.path)).map(|change| Note::Governs { path: change.path.clone(), becomes: change.new.as_ref().map(|(id, _)| id.clone()) }),
    );
    notes.extend(read.unread.iter().map(|fault| {
        let text = format!("on base, {fault}: what that file asked for is not known; records that this merge request drops there stay live, delete them by hand");
        Note::Remark { text: text.into() }
    }));
    // What base asked for is unknown there, so nothing that is live may be written over.
    let policy = if read.unread.is_empty() { policy } else { Arc::new(Policy { on_drift: OnDrift::Block, ..(*policy).clone() }) };
    notes.extend(read.merged.skipped.iter().map(|(reason, count)| Note::Skipped { reason: reason.clone(), count: *count }));
    let mut sizes: BTreeMap<(Str, Unit), u64> = BTreeMap::new();
    for id in read.base.resources.keys() {
        if let Some(target) = targets.get(&id.target) {
            *sizes.entry((id.target.clone(), target.kind().unit(id))).or_default() += 1;
        }
    }
    for ((target, _), size) in &mut sizes {
        *size += read.unread_files.get(target).copied().unwrap_or(0);
    }
    let Read { base, merged, mut released, fresh, together, unread: _, unread_files: _, inputs: _, mut health } = read;
    health.extend(checks::asked(&merged));
    notes.extend(checks::unasked(&base, &merged));
    released.extend(base.resources.keys().filter(|id| !merged.resources.contains_key(*id) && given_up.matches(id)).cloned());
    let after = dangling::Sides { base: &base, merged: &merged, released: &released };
    notes.extend(dangling::dangling(repo, targets, &sources.merged, &policy, &tree, &after)?);
    Ok(Survey { tree, base, merged, released, fresh, moved, together, policy, orders, templates, sizes, notes, health, bootstrap })
}

/// The sources of both sides.
struct Sides {
    base: Vec<Source>,
    merged: Vec<Source>,
}

impl Sides {
    fn all(&self) -> impl Iterator<Item = &Source> {
        self.base.iter().chain(&self.merged)
    }

    /// Whether a source takes a path as a file of a unit of its own.
    fn read(&self, path: &str) -> bool {
        self.all().any(|source| source.inside(path).zip(super::wiring::format(source)).is_some_and(|(inside, format)| format.unit_of(inside).is_some()))
    }

    /// A file that is some unit's but for the way its name is written: it would ask for nothing, and nobody would see why.
    fn misnamed(&self, path: &str) -> Option<Refusal> {
        self.merged.iter().find_map(|source| {
            let inside = source.inside(path)?;
            let meant = super::wiring::format(source)?.meant(inside)?;
            let what = format!("`{path}` is in the folder of a source and no file of it, so what it asks for would not be read");
            let advice = format!("name it `{}/{meant}`, or move it out of `{}`", source.path, source.path);
            Some(Refusal::new(RefusalKind::Path, what).at(Place::file(path)).advice(advice))
        })
    }
}

/// A fault that a merge request did not make and cannot help; say where it is mended.
fn on_base(fault: Refusal) -> Refusal {
    let what = format!("on the base branch, {}", fault.what);
    Refusal { what, ..fault }.advice("mend the file in a merge request of its own first; an admin approves that one")
}

fn touches(changed: &[Changed], path: &str) -> bool {
    changed.iter().any(|change| &*change.path == path)
}

/// New sources whose folder is not there. A misspelt path would otherwise give up everything the right one governs.
fn misspelt(repo: &Repository, sources: &Sides, tree: &TreeId) -> Result<Faults, RepoError> {
    let mut faults = Vec::new();
    for source in sources.merged.iter().filter(|source| !sources.base.iter().any(|known| known.path == source.path)) {
        if !matches!(repo.state.entry(tree, &source.path)?, Some(entry) if entry.mode == Mode::Tree) {
            let fault = Refusal::new(RefusalKind::Unknown, format!("`{}` is no folder of this repository", source.path)).at(source.place.clone());
            faults.push(fault.advice("check the spelling, or add the folder with its files"));
        }
    }
    Ok(faults)
}

/// Whether a file decides how later merge requests are judged.
fn governs(path: &str) -> bool {
    path == FILE || path.split('/').next() == Some(templates::FOLDER)
}

/// A path of a source as the repository names it.
fn join(source: &Source, path: &str) -> Str {
    format!("{}/{path}", source.path).into()
}

/// What was read of both sides.
#[derive(Default)]
struct Read {
    base: Desired,
    merged: Desired,
    released: BTreeSet<ResourceId>,
    fresh: BTreeSet<ResourceId>,
    /// The `atomic:` group of each resource that is in one.
    together: BTreeMap<ResourceId, Str>,
    /// Faults of units on base.
    unread: Faults,
    /// By target: files on base that were not read, beside those that were.
    unread_files: BTreeMap<Str, u64>,
    /// Every file that was read, on either side.
    inputs: BTreeSet<Str>,
    /// The probes beside sources of the merged tree.
    health: Vec<Beside>,
}

impl Read {
    /// Takes note of what a source says is written together; what the merged tree says of a resource replaces what base said.
    fn group(&mut self, source: &Mapped<'_>, desired: &Desired) {
        let kind = source.format.kind();
        for id in desired.resources.keys() {
            match source.source.atomic.iter().find(|pattern| kind.granted(id, pattern)) {
                Some(name) => drop(self.together.insert(id.clone(), name.clone())),
                None => drop(self.together.remove(id)),
            }
        }
    }
}

/// The units to read, by the kind of their resources.
pub(super) type Units = BTreeMap<&'static str, BTreeSet<Unit>>;

struct Reader<'a> {
    repo: &'a Repository,
    targets: &'a Targets,
    policy: &'a Policy,
    base_tree: &'a TreeId,
    tree: &'a TreeId,
    faults: Faults,
}

impl Reader<'_> {
    /// `follow`: units that nobody changed, whose values follow others that somebody did.
    fn read(&mut self, sides: &Sides, changed: &[Changed], also: &BTreeSet<ResourceId>, follow: Units) -> Result<Read, RepoError> {
        let base = self.mapped(&sides.base);
        let merged = self.mapped(&sides.merged);
        let mut units = self.units(&base, &merged, changed, also)?;
        for (kind, follow) in follow {
            units.entry(kind).or_default().extend(follow);
        }
        let mut read = Read::default();
        // What each source of the merged tree asks for, or asked for on base: health is for both.
        let mut theirs: Vec<BTreeSet<ResourceId>> = vec![BTreeSet::new(); merged.len()];
        for source in &base {
            let at = merged.iter().position(|other| other.source.reads_like(source.source));
            let still = at.map(|at| &merged[at]);
            let sides = self.sides(source, self.base_tree, &units)?;
            self.size(source, &sides, &mut read)?;
            for side in sides {
                let unit = match &*side {
                    Ok(unit) => unit,
                    // Faults on base are not this merge request's: what it mends may be just that. Then all of the unit counts as new.
                    Err(faults) => {
                        read.unread.extend(faults.iter().cloned());
                        continue;
                    }
                };
                read.inputs.extend(unit.inputs.iter().map(|path| join(source.source, path)));
                let gone = unit.desired.resources.keys().filter(|id| !still.is_some_and(|still| still.source.targets.contains(&id.target)));
                read.released.extend(gone.cloned());
                read.group(source, &unit.desired);
                if let Some(at) = at.filter(|at| !merged[*at].source.health.is_empty()) {
                    theirs[at].extend(unit.desired.resources.keys().cloned());
                }
                self.add(&mut read.base, unit.desired.clone());
            }
        }
        for (source, theirs) in merged.iter().zip(&mut theirs) {
            let was = base.iter().find(|other| other.source.reads_like(source.source));
            for side in self.sides(source, self.tree, &units)? {
                match &*side {
                    Err(faults) => self.faults.extend(faults.iter().cloned()),
                    Ok(unit) => {
                        read.inputs.extend(unit.inputs.iter().map(|path| join(source.source, path)));
                        let new = unit.desired.resources.keys().filter(|id| !was.is_some_and(|was| was.source.targets.contains(&id.target)));
                        read.fresh.extend(new.cloned());
                        read.group(source, &unit.desired);
                        if !source.source.health.is_empty() {
                            theirs.extend(unit.desired.resources.keys().cloned());
                        }
                        self.add(&mut read.merged, unit.desired.clone());
                    }
                }
            }
        }
        for (source, ids) in merged.iter().zip(&theirs) {
            for (rule, place) in source.source.health.iter().zip(&source.source.health_places) {
                match rule.beside(place, ids.iter().filter(|id| source.source.targets.contains(&id.target))) {
                    Ok(beside) => read.health.extend(beside),
                    Err(fault) => self.faults.push(fault.at(place.clone())),
                }
            }
        }
        self.leave_what_cannot_go(&mut read);
        // A resource that another mapping took over is neither given up nor new.
        read.released.retain(|id| !read.merged.resources.contains_key(id));
        read.fresh.retain(|id| !read.base.resources.contains_key(id));
        Ok(read)
    }

    /// A unit whose files are all gone asks for nothing any more. What the target never lets go of (a zone's own name servers, RFC 2136 §3.4.2.4) is left with it.
    fn leave_what_cannot_go(&self, read: &mut Read) {
        let unit_of = |id: &ResourceId| Some((id.target.clone(), self.targets.get(&id.target)?.kind().unit(id)));
        let asked: BTreeSet<_> = read.merged.resources.keys().filter_map(unit_of).collect();
        let kept = |id: &&ResourceId| self.targets.get(&id.target).is_some_and(|target| target.kind().protected(id).is_some());
        let left: Vec<ResourceId> = read.base.resources.keys().filter(|id| unit_of(id).is_some_and(|unit| !asked.contains(&unit))).filter(kept).cloned().collect();
        read.released.extend(left);
    }

    /// The units to read of every source: those the merge request touches, and those of `also`.
    ///
    /// Every source is asked for every one of them: a second claimant of a resource stands in a file nobody changed.
    fn units(&mut self, base: &[Mapped<'_>], merged: &[Mapped<'_>], changed: &[Changed], also: &BTreeSet<ResourceId>) -> Result<Units, RepoError> {
        let mut touched = Units::new();
        for source in base.iter().chain(merged) {
            let own = also.iter().filter(|id| source.source.targets.contains(&id.target));
            touched.entry(source.format.kind().name()).or_default().extend(own.map(|id| source.format.unit_for(id)));
        }
        let same = |a: &Mapped<'_>, b: &Mapped<'_>| a.source.reads_like(b.source) && a.source.targets == b.source.targets;
        for source in merged {
            let touched = touched.entry(source.format.kind().name()).or_default();
            if base.iter().any(|other| same(other, source)) {
                let found = self.repo.units.touched(&*self.repo.state, &source.git(), self.base_tree, self.tree, changed)?;
                self.faults.extend(found.refusals);
                touched.extend(found.units.into_iter().map(|pair| pair.unit));
            } else {
                touched.extend(self.repo.units.units(&*self.repo.state, &source.git(), self.tree)?);
            }
        }
        for source in base.iter().filter(|source| !merged.iter().any(|other| same(other, source))) {
            touched.entry(source.format.kind().name()).or_default().extend(self.repo.units.units(&*self.repo.state, &source.git(), self.base_tree)?);
        }
        Ok(touched)
    }

    fn sides(&self, source: &Mapped<'_>, tree: &TreeId, units: &Units) -> Result<Vec<UnitSide>, RepoError> {
        let Some(touched) = units.get(source.format.kind().name()) else { return Ok(Vec::new()) };
        let beside = self.repo.units.beside(&*self.repo.state, &source.git(), tree, touched)?;
        touched.union(&beside).map(|unit| self.repo.units.unit(&*self.repo.state, &source.git(), tree, unit)).collect()
    }

    /// Counts what base holds beside the units read, where those are parts of what budgets are percentages of: a file counts as one resource.
    fn size(&self, source: &Mapped<'_>, sides: &[UnitSide], read: &mut Read) -> Result<(), RepoError> {
        let inputs: usize = sides.iter().flat_map(|side| side.as_ref().as_ref().ok()).map(|unit| unit.inputs.len()).sum();
        if !source.format.in_parts() || inputs == 0 {
            return Ok(());
        }
        let files = self.repo.state.files(self.base_tree, &source.source.path)?.len();
        for target in &source.source.targets {
            *read.unread_files.entry(target.clone()).or_default() += files.saturating_sub(inputs) as u64;
        }
        Ok(())
    }

    fn mapped<'s>(&mut self, sources: &'s [Source]) -> Vec<Mapped<'s>> {
        let mut found = Vec::new();
        for source in sources {
            for (target, place) in source.targets.iter().zip(&source.target_places).filter(|(target, _)| !self.targets.contains_key(*target)) {
                let names = self.targets.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let advice = if names.is_empty() { "the server's configuration names no target".to_owned() } else { format!("the server's configuration names {names}") };
                self.faults.push(Refusal::new(RefusalKind::Unknown, format!("no target `{target}`")).at(place.clone()).advice(advice));
            }
            // Reading the file refused every format that is not there.
            let Some(mapped) = Mapped::of(source, self.policy) else { continue };
            for target in source.targets.iter().filter_map(|target| self.targets.get(target)) {
                let (speaks, is) = (mapped.format.kind().name(), target.kind().name());
                if speaks != is {
                    let what = format!("the format `{}` speaks of {speaks}, and the target `{}` is {is}", source.format, target.name);
                    self.faults.push(Refusal::new(RefusalKind::Value, what).at(source.place.clone()).advice("name another target, or the format of its files"));
                }
            }
            found.push(mapped);
        }
        found
    }

    fn add(&mut self, all: &mut Desired, unit: Desired) {
        if let Err((id, first, second)) = all.merge(unit) {
            let fault = Refusal::new(RefusalKind::Overlap, format!("two places ask for {id}")).at(second).also(first);
            self.faults.push(fault.advice("keep one of them: each resource has one owner"));
        }
    }
}
