//! A governed repository: where it lies, whether its branch is protected, and whether what it asks for is granted.

use crate::{
    app::{config::Repository as Named, config::Server, governing, validate, wiring, world::Repository},
    core::model::{Kind, Policy, Refusal, ResourceId, Str, Unit},
    formats::Scope,
    git::Source,
    kinds::dns::DNS,
    ports::{Exam, RepoError},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// What was found of one repository.
#[derive(Default)]
pub(super) struct Found {
    pub exams: Vec<Exam>,
    /// The policy that holds today, groups as they are written.
    pub policy: Option<Policy>,
    /// What its sources ask for, by target.
    pub units: BTreeMap<Str, BTreeSet<Unit>>,
}

/// Looks at a repository where the server keeps it, or at a checkout of it.
pub(super) fn examine(server: &Server, named: &Named, checkout: Option<&Path>) -> Found {
    let about = |what: &str| format!("repository {}: {what}", named.name);
    let mut found = Found::default();
    let kept = server.repository_path(named);
    let path = match checkout {
        Some(path) => path,
        None if !kept.exists() => {
            let next = "start the server, then push the first commit as an admin; or say where it lies with --repo";
            found.exams.push(Exam::warn(about("folder"), format!("{} is not there; the server makes it when it starts", kept.display()), next));
            return found;
        }
        None => {
            found.exams.push(wiring::guard(named, &kept));
            &kept
        }
    };
    if let Err(error) = look(server, named, path, &mut found) {
        found.exams.push(Exam::fail(about("branch"), error.to_string(), format!("push the branch `{}`", named.branch)));
    }
    found
}

fn look(server: &Server, named: &Named, path: &Path, found: &mut Found) -> Result<(), RepoError> {
    let about = |what: &str| format!("repository {}: {what}", named.name);
    let repo = wiring::governed(server, named, path)?;
    let commit = repo.state.commit(&named.branch)?;
    let tree = repo.state.tree(&commit)?;
    let governing = governing::governing(&repo, &commit)?;
    if governing.outdated {
        let next = "open a merge request that mends it; an admin approves it";
        found.exams.push(Exam::fail(about("trueup.yaml"), format!("it cannot be read on `{}`; an older one holds", named.branch), next));
    }
    let Some(root) = &governing.root else {
        found.exams.push(Exam::warn(about("trueup.yaml"), format!("`{}` has none", named.branch), "open a merge request that adds one; `trueup schema` describes it"));
        return Ok(());
    };
    match validate::validate(&*repo.state, &tree)? {
        Ok(valid) => found.exams.push(Exam::ok(about("desired state"), format!("{} resources in {} units", valid.resources, valid.units))),
        Err(faults) => {
            let first = faults.first().map(Refusal::to_string).unwrap_or_default();
            found.exams.push(Exam::fail(about("desired state"), format!("{} faults, the first: {first}", faults.len()), "`trueup validate` tells them all"));
        }
    }
    for source in &root.sources {
        let Some(format) = wiring::format(&source.format) else { continue };
        let scope = Scope { targets: source.targets.clone(), policy: root.policy.clone() };
        let units = repo.units.units(&*repo.state, &Source { folder: &source.path, format, scope: &scope }, &tree)?;
        for target in &source.targets {
            if !server.targets.contains_key(target) {
                let next = "add it under `targets:`, or name another in trueup.yaml";
                found.exams.push(Exam::fail(about("targets"), format!("{}: the server has no target `{target}`", source.place), next));
                continue;
            }
            found.units.entry(target.clone()).or_default().extend(units.iter().cloned());
        }
    }
    found.exams.extend(grants(&repo, named, &found.units));
    found.policy = Some(root.policy.clone());
    Ok(())
}

/// Whether everything the sources ask for is granted.
fn grants(repo: &Repository, named: &Named, units: &BTreeMap<Str, BTreeSet<Unit>>) -> Vec<Exam> {
    let about = format!("repository {}: grants", named.name);
    let mut outside = Vec::new();
    for (target, units) in units {
        for unit in units {
            // Any resource of the unit will do: grants are by unit.
            let id = ResourceId::new(target.clone(), DNS.name(), unit.to_string());
            if !repo.grants.iter().any(|grant| grant.covers(&id, unit.as_str())) {
                outside.push(format!("{unit} on {target}"));
            }
        }
    }
    match outside.as_slice() {
        [] if units.is_empty() => Vec::new(),
        [] => vec![Exam::ok(about, "everything its sources ask for is granted")],
        [first, ..] => vec![Exam::fail(about, format!("{} units are not granted, the first: {first}", outside.len()), "add them under `grants:`, or take their files out")],
    }
}
