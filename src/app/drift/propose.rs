//! Drift as a merge request: what the repository would say if what is live were asked for, so that merging it adopts.

use super::{
    ground::{Bundle, Ground, Only},
    look::{Drifted, Looker, Open, Reads},
};
use crate::{
    app::{
        desk::Desk,
        mapped::Mapped,
        wiring,
        world::{Repository, World},
    },
    core::{
        drift::{Row, Stretch},
        model::{Desired, Fingerprint, Late, MrId, Refusal, RefusalKind, ResourceId, Str, Unit, User, Value, Wanted},
        review::{
            DRIFT,
            escape::code,
            words::{count, list},
        },
    },
    formats::{UnitFiles, trueup_yaml::Source},
    ports::{Proposal, Proposed, RepoError},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The branch that drift stands on.
const BRANCH: &str = "trueup/drift";

/// What is said one by one; of more there is the diff.
const TOLD: usize = 50;

/// The largest file that is edited.
const LARGEST: u64 = 16 << 20;

/// What can be proposed, and what cannot, with why.
#[derive(Default)]
struct Edit {
    files: BTreeMap<Str, Option<Vec<u8>>>,
    /// Adopted by merging: title and target.
    taken: Vec<(String, Str)>,
    left: Vec<String>,
    /// Files that are written anew instead of edited.
    anew: Vec<String>,
}

/// Makes the repository's drift merge request say what is found, or closes it where nothing is.
pub async fn propose(world: &Arc<World>, desk: &Desk, repo: &Arc<Repository>, reads: &dyn Reads, by: Option<&User>) -> Result<Option<MrId>, String> {
    let base = world.base(&repo.id).ok_or_else(|| format!("{} has no governed branch yet", repo.id))?;
    let ground = {
        let (repo, base) = (repo.clone(), base.clone());
        Arc::new(tokio::task::spawn_blocking(move || Ground::at(&repo, &base)).await.map_err(|panic| panic.to_string())??)
    };
    let (drifted, unread) = found(world, desk, repo, &ground, reads).await?;
    let unclaimed: Vec<Drifted> = drifted.into_iter().filter(|drifted| !drifted.covered).collect();
    let edit = {
        let (world, repo, ground, unclaimed) = (world.clone(), repo.clone(), ground.clone(), unclaimed.clone());
        tokio::task::spawn_blocking(move || edited(&world, &repo, &ground, &unclaimed)).await.map_err(|panic| panic.to_string())?.map_err(|error| error.to_string())?
    };
    if edit.files.is_empty() {
        // What could not be read may still differ: nothing is closed on a guess.
        if unread {
            return Ok(None);
        }
        let why = match unclaimed.len() {
            0 => "The drift is gone: what is live is what the branch asks for, or somebody answers for it. Closed.",
            _ => "What still differs cannot be said in this repository's files, so there is nothing left to merge here. Closed; `trueup drift` shows it.",
        };
        return world.forge.withdraw(&repo.id, DRIFT, why).await.map_err(|error| error.to_string());
    }
    let targets: BTreeSet<Str> = edit.taken.iter().map(|(_, target)| target.clone()).collect();
    let targets: Vec<Str> = targets.into_iter().collect();
    let title = format!("Drift: {} on {}", count(edit.taken.len(), "resource"), targets.join(", "));
    let names: Vec<String> = edit.taken.iter().take(TOLD).map(|(title, target)| format!("{title} on {target}")).collect();
    let message = format!("{title}\n\nAsks for what is live:\n{}\n", names.join("\n"));
    let about = about(&edit, &targets);
    let proposal = Proposal { repo: repo.id.clone(), key: DRIFT.into(), branch: branch(&repo.id), title, message, base, files: edit.files, asked_by: by.cloned() };
    match world.forge.propose(&proposal).await.map_err(|error| error.to_string())? {
        Proposed::Open(mr) => {
            let key = Fingerprint::of("about", &[about.as_bytes()]).to_string();
            world.forge.tell(&mr, &key, &about).await.map_err(|error| error.to_string())?;
            desk.send(&mr, crate::app::worker::Mail::Look);
            Ok(Some(mr))
        }
        Proposed::Taken(mr) => {
            tracing::info!(change = %mr, "somebody pushed to the drift merge request; it is left as it is");
            Ok(Some(mr))
        }
        Proposed::Declined(_) => Ok(None),
    }
}

/// The branch of its own; each further governed branch of a repository has another.
fn branch(repo: &crate::core::model::RepoId) -> Str {
    match repo.as_str().split_once('@') {
        None => BRANCH.into(),
        Some((_, label)) => format!("{BRANCH}-{label}").into(),
    }
}

/// The first comment: what merging does, what restoring does, and what is not in it.
fn about(edit: &Edit, targets: &[Str]) -> String {
    let mut out = format!("What is live on {} is not what this branch asks for. This merge request asks for what is live:\n\n", list(targets, "and"));
    for (title, target) in edit.taken.iter().take(TOLD) {
        out.push_str(&format!("- {} on {}\n", code(title), code(target)));
    }
    if edit.taken.len() > TOLD {
        out.push_str(&format!("- and {} more\n", edit.taken.len() - TOLD));
    }
    out.push_str("\nApproving and merging it **adopts** that; nothing is written. `/trueup restore` **brings the live systems back** to what the branch asks for: a plan that is approved and run like any other. `/trueup override RESOURCE until WHEN REASON` answers for it until then. This merge request follows the drift, and closes itself when that is gone.\n");
    if !edit.anew.is_empty() {
        out.push_str("\nNo edit of single lines says this, so these files are written anew below their heads, without the comments there; look at the diff:\n\n");
        edit.anew.iter().for_each(|path| out.push_str(&format!("- {}\n", code(path))));
    }
    if !edit.left.is_empty() {
        out.push_str("\nNot in it:\n\n");
        for line in edit.left.iter().take(TOLD) {
            out.push_str(&format!("- {line}\n"));
        }
    }
    out
}

/// What differs now in the parts where the sweep found something, with its values; and whether a part could not be read.
async fn found(world: &Arc<World>, desk: &Desk, repo: &Arc<Repository>, ground: &Arc<Ground>, reads: &dyn Reads) -> Result<(Vec<Drifted>, bool), String> {
    let (mut all, mut unread) = (Vec::new(), false);
    let open = Open::Server { desk: desk.clone(), world: world.clone() };
    for ((_, name), swept) in world.sweeps.known().into_iter().filter(|((of, _), _)| *of == repo.id) {
        let Some(target) = world.targets.get(&name).cloned() else { continue };
        let bundles = {
            let (repo, ground, name) = (repo.clone(), ground.clone(), name.clone());
            tokio::task::spawn_blocking(move || ground.bundles(&repo, &name)).await.map_err(|panic| panic.to_string())??
        };
        let stretches: Vec<Stretch> = bundles.iter().map(Bundle::stretch).collect();
        // Files came or went since: what was found there may stand in other parts, which nobody has looked at yet.
        unread |= !swept.strays(&stretches).is_empty();
        let (ahead, overrides) = (open.ahead(repo).await?, open.overrides().await);
        let mut looker =
            Looker { repo: repo.clone(), safe: world.safe.clone(), target, open: open.clone(), reads, only: Arc::new(Only::default()), ahead, met: BTreeSet::new(), overrides };
        let mut now = ground.clone();
        for bundle in bundles.iter().filter(|bundle| swept.parts.contains_key(&bundle.stretch().key())) {
            let looked = looker.part(&mut now, bundle).await;
            unread |= looked.rows.iter().any(|row| match row {
                Row::Fault(_) => true,
                Row::Part(part) => !part.writing.is_empty(),
                Row::Drift(_) | Row::End(_) => false,
            });
            all.extend(looked.drifted);
            if looked.away {
                break;
            }
        }
        if now.base != ground.base {
            return Err("the branch moved meanwhile".to_owned());
        }
    }
    Ok((all, unread))
}

/// The files that ask for what is live. Blocking, reads git objects only.
fn edited(world: &World, repo: &Repository, ground: &Ground, drifted: &[Drifted]) -> Result<Edit, RepoError> {
    let mut edit = Edit::default();
    let title = |id: &ResourceId| world.targets.get(&id.target).map_or_else(|| id.to_string(), |target| target.kind().title(id));
    let mut by_unit: BTreeMap<(usize, Unit), Vec<&Drifted>> = BTreeMap::new();
    for one in drifted {
        let named = format!("{} on {}", code(&title(&one.id)), code(&one.id.target));
        let source = ground.sources.iter().position(|source| source.targets.contains(&one.id.target) && source.inside(&one.place.file).is_some());
        match (source, &one.ahead) {
            _ if one.sensitive => edit.left.push(format!("{named} differs, and is sensitive: `/trueup override` answers for it, or undo it")),
            (_, Some(change)) => edit.left.push(format!("{named} differs from what the open change {} wrote: that change shows it", code(&change.to_string()))),
            (None, None) => edit.left.push(format!("{named} differs, and no file asks for it")),
            (Some(source), None) => {
                let Some(format) = wiring::format(&ground.sources[source]) else { continue };
                // The file that asks for it, which need not be the one that a new file of its name would be.
                let file = ground.sources[source].inside(&one.place.file).filter(|_| format.in_parts());
                let unit = file.and_then(|file| format.unit_of(file)).unwrap_or_else(|| format.unit_for(&one.id));
                by_unit.entry((source, unit)).or_default().push(one);
            }
        }
    }
    for ((source, unit), drifted) in by_unit {
        let source = &ground.sources[source];
        let (fits, differs) = same_everywhere(source, &drifted);
        edit.left.extend(differs.iter().map(|id| {
            let others: Vec<Str> = source.targets.iter().filter(|target| **target != id.target).cloned().collect();
            format!(
                "{} differs on {} and not alike on {}, for which the same file speaks: restore it by hand, or split the file",
                code(&title(id)),
                code(&id.target),
                list(&others, "and")
            )
        }));
        if fits.is_empty() {
            continue;
        }
        let shared = shared_with(repo, ground, source, &unit)?;
        let (fits, elsewhere) = of_its_own(source, &unit, &drifted, fits, &shared);
        edit.left.extend(elsewhere.iter().map(|(id, why)| format!("{} on {} cannot be written: {why}", code(&title(id)), code(&id.target))));
        if fits.is_empty() {
            continue;
        }
        match unit_files(repo, ground, source, &unit, &fits, &shared)? {
            Ok((files, edited)) => {
                if !edited {
                    edit.anew.extend(files.keys().map(ToString::to_string));
                }
                edit.taken.extend(drifted.iter().filter(|one| !differs.contains(&one.id) && !elsewhere.contains_key(&one.id)).map(|one| (title(&one.id), one.id.target.clone())));
                edit.files.extend(files);
            }
            Err(faults) => {
                let why = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                edit.left.push(format!("{} of {} cannot be written as files: {}", count(fits.len(), "resource"), code(unit.as_str()), code(&why)));
            }
        }
    }
    Ok(edit)
}

/// By kind and name: what is live alike on every target of a source; `None`: gone.
type Agreed = BTreeMap<(Str, Str), Option<Value>>;

/// What a file that speaks for several targets can say: what drifted alike on all of them. By kind and name, and those that did not.
fn same_everywhere(source: &Source, drifted: &[&Drifted]) -> (Agreed, BTreeSet<ResourceId>) {
    let mut by_name: BTreeMap<(Str, Str), Vec<&Drifted>> = BTreeMap::new();
    for one in drifted {
        by_name.entry((one.id.kind.clone(), one.id.name.clone())).or_default().push(one);
    }
    let (mut fits, mut differs) = (BTreeMap::new(), BTreeSet::new());
    for (name, all) in by_name {
        let alike = all.len() == source.targets.len() && all.windows(2).all(|pair| pair[0].live == pair[1].live);
        match all.first() {
            Some(first) if alike => drop(fits.insert(name, first.live.clone())),
            Some(_) | None => differs.extend(all.iter().map(|one| one.id.clone())),
        }
    }
    (fits, differs)
}

/// The files of one unit that others read as well, by their paths in the source, each with the others.
type Shared = BTreeMap<Str, BTreeSet<Unit>>;

fn shared_with(repo: &Repository, ground: &Ground, source: &Source, unit: &Unit) -> Result<Shared, RepoError> {
    let Some(mapped) = Mapped::of(source, &ground.policy).filter(|mapped| mapped.format.reads_beyond()) else { return Ok(Shared::new()) };
    let side = repo.units.once(&*repo.state, &mapped.git(), &ground.tree, unit)?;
    let Ok(read) = &*side else { return Ok(Shared::new()) };
    repo.units.shared(&*repo.state, &mapped.git(), &ground.tree, unit, &read.inputs)
}

/// Why a file that speaks for several units is not edited for one of them.
fn speaks_for(at: &str, unit: &Unit, others: &BTreeSet<Unit>) -> String {
    let others: Vec<Str> = others.iter().map(|other| other.as_str().into()).collect();
    format!(
        "{} is read for {} as well, and an edit there would ask for it there too; restore it, or move it into the own file of {} by hand",
        code(at),
        list(&others, "and"),
        code(unit.as_str())
    )
}

/// What stands in files of the unit alone, and what does not, with why.
fn of_its_own(source: &Source, unit: &Unit, drifted: &[&Drifted], mut fits: Agreed, shared: &Shared) -> (Agreed, BTreeMap<ResourceId, String>) {
    let mut elsewhere = BTreeMap::new();
    for one in drifted {
        let Some(others) = source.inside(&one.place.file).and_then(|path| shared.get(path)) else { continue };
        elsewhere.insert(one.id.clone(), speaks_for(&one.place.to_string(), unit, others));
    }
    let gone: BTreeSet<(Str, Str)> = elsewhere.keys().map(|id| (id.kind.clone(), id.name.clone())).collect();
    // What differs in another way was told before.
    elsewhere.retain(|id, _| fits.contains_key(&(id.kind.clone(), id.name.clone())));
    fits.retain(|name, _| !gone.contains(name));
    (fits, elsewhere)
}

type Files = BTreeMap<Str, Option<Vec<u8>>>;

/// The files of one unit with these resources as they are live, as far as they differ from what is there, and whether they are edited in place.
fn unit_files(repo: &Repository, ground: &Ground, source: &Source, unit: &Unit, live: &Agreed, shared: &Shared) -> Result<Result<(Files, bool), Vec<Refusal>>, RepoError> {
    let Some(target) = source.targets.first() else { return Ok(Ok((Files::new(), true))) };
    let Some(mapped) = Mapped::of_target(source, target.clone(), &ground.policy) else { return Ok(Ok((Files::new(), true))) };
    let side = repo.units.once(&*repo.state, &mapped.git(), &ground.tree, unit)?;
    let read = match &*side {
        Ok(read) => read,
        Err(faults) => return Ok(Err(faults.clone())),
    };
    // The other side of a reference may be what should change, and no text says what was meant.
    let refer = live.keys().filter_map(|(kind, name)| read.desired.late.get_key_value(&ResourceId { target: target.clone(), kind: kind.clone(), name: name.clone() }));
    let kept = |(id, late): (&ResourceId, &Late)| {
        let place = late.refers().next().map(|refers| refers.place.clone()).unwrap_or_default();
        Refusal::new(RefusalKind::Value, format!("`{id}` is written as a reference, which is not written over"))
            .at(place)
            .advice("change what it refers to, or write the value itself")
    };
    let kept: Vec<Refusal> = refer.map(kept).collect();
    if !kept.is_empty() {
        return Ok(Err(kept));
    }
    let mut previous = UnitFiles::new();
    for path in &read.inputs {
        if let Some(entry) = repo.state.entry(&ground.tree, &format!("{}/{path}", source.path))? {
            previous.insert(path.clone(), repo.state.blob(&entry.id, LARGEST)?);
        }
    }
    let mut desired = Desired { resources: read.desired.resources.clone(), ..Desired::default() };
    for ((kind, name), value) in live {
        let id = ResourceId { target: target.clone(), kind: kind.clone(), name: name.clone() };
        match value {
            Some(value) => {
                let place = desired.get(&id).map(|wanted| wanted.place.clone()).unwrap_or_default();
                desired.resources.insert(id, Wanted { value: value.clone(), place, after: Vec::new() });
            }
            None => drop(desired.resources.remove(&id)),
        }
    }
    Ok(mapped.format.write(unit, &desired, &previous).and_then(|after| {
        // A record more goes below its owner's others, wherever those stand.
        if let Some((path, others)) = shared.iter().find(|(path, _)| after.get(*path) != previous.get(*path)) {
            return Err(vec![Refusal::new(RefusalKind::Value, speaks_for(&format!("{}/{path}", source.path), unit, others))]);
        }
        let path = |path: &Str| -> Str { format!("{}/{path}", source.path).into() };
        let changed = after.iter().filter(|(name, bytes)| previous.get(*name) != Some(*bytes)).map(|(name, bytes)| (path(name), Some(bytes.clone())));
        let gone = previous.keys().filter(|name| !after.contains_key(*name)).map(|name| (path(name), None));
        Ok((changed.chain(gone).collect(), mapped.format.edits(unit, &desired, &previous)))
    }))
}
