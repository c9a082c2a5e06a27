//! A governed repository: where it lies, whether its branch is protected, and whether what it asks for is granted.

use crate::{
    app::{code_owners, config::Repository as Named, config::Server, governing, validate, wiring, world::Repository},
    core::model::{Policy, Probe, Refusal, ResourceId, Str, TreeId, Unit},
    formats::Scope,
    git::Source,
    kinds,
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
    /// The probes of its policy and beside its sources that it is granted, each with where it stands.
    pub health: Vec<(String, Probe)>,
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
        None if !named.is_local() && !kept.exists() => {
            let next = "start the server; or say where a checkout lies with --repo";
            found.exams.push(Exam::warn(about("mirror"), format!("{} is not there; the server makes it when it starts", kept.display()), next));
            return found;
        }
        None if !kept.exists() => {
            let next = "start the server, then push the first commit as an admin; or say where it lies with --repo";
            found.exams.push(Exam::warn(about("folder"), format!("{} is not there; the server makes it when it starts", kept.display()), next));
            return found;
        }
        None => {
            if named.is_local() {
                found.exams.push(wiring::guard(server, named, &kept));
            }
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
    let repo = wiring::governed(server, named, path, named.governed())?;
    let commit = repo.newest()?;
    let branch = repo.governed.said();
    let tree = repo.state.tree(&commit)?;
    let governing = governing::governing(&repo, &commit)?;
    if governing.outdated {
        let next = "open a merge request that mends it; an admin approves it";
        found.exams.push(Exam::fail(about("trueup.yaml"), format!("it cannot be read on `{branch}`; an older one holds"), next));
    }
    let Some(root) = &governing.root else {
        found.exams.push(Exam::warn(about("trueup.yaml"), format!("`{branch}` has none"), "open a merge request that adds one; `trueup schema` describes it"));
        return Ok(());
    };
    match validate::validate(&*repo.state, &tree)? {
        Ok(valid) => found.exams.push(Exam::ok(about("desired state"), format!("{} resources in {} units", valid.resources, valid.units))),
        Err(faults) => {
            let first = faults.first().map(Refusal::to_string).unwrap_or_default();
            found.exams.push(Exam::fail(about("desired state"), format!("{} faults, the first: {first}", faults.len()), "`trueup validate` tells them all"));
        }
    }
    let mut asked: BTreeSet<ResourceId> = BTreeSet::new();
    for source in &root.sources {
        let Some(format) = wiring::format(source) else { continue };
        let scope = Scope { targets: source.targets.clone(), policy: root.policy.clone() };
        let from = Source { folder: &source.path, format: &*format, scope: &scope };
        let mut units = repo.units.units(&*repo.state, &from, &tree)?;
        let mut ids = BTreeSet::new();
        for unit in &units {
            // What cannot be read was told above.
            if let Ok(read) = &*repo.units.unit(&*repo.state, &from, &tree, unit)? {
                ids.extend(read.desired.resources.keys().cloned());
            }
        }
        if format.in_parts() {
            units = ids.iter().map(|id| format.kind().unit(id)).collect();
        }
        asked.extend(ids);
        for target in &source.targets {
            if !server.targets.contains_key(target) {
                let next = "add it under `targets:`, or name another in trueup.yaml";
                found.exams.push(Exam::fail(about("targets"), format!("{}: the server has no target `{target}`", source.place), next));
                continue;
            }
            found.units.entry(target.clone()).or_default().extend(units.iter().cloned());
        }
    }
    found.exams.extend(grants(&repo, named, &asked));
    let rules = root.policy.health.iter().map(|rule| ("policy".to_owned(), rule));
    let beside = root.sources.iter().flat_map(|source| source.health_places.iter().map(ToString::to_string).zip(&source.health));
    let all: Vec<(String, Probe)> = rules.chain(beside).filter_map(|(place, rule)| Some((format!("repository {}: health ({place})", named.name), rule.probe()?))).collect();
    for (about, probe) in all {
        match named.probes.fault(&probe.ask) {
            Some((what, next)) => found.exams.push(Exam::fail(about, format!("{}: {what}", probe.ask), next)),
            None => found.health.push((about, probe)),
        }
    }
    if code_owners::asks(&root.policy.approvals) {
        found.exams.extend(owners(&repo, &tree, &about("code owners"))?);
    }
    found.policy = Some(root.policy.clone());
    Ok(())
}

/// Whether the file of code owners, which policy asks, is there and says something.
fn owners(repo: &Repository, tree: &TreeId, about: &str) -> Result<Vec<Exam>, RepoError> {
    let Some(found) = code_owners::file(repo, tree)? else {
        let said = format!("policy asks them, and there is no file of them (`{}`)", repo.people.dialect.places().join("`, `"));
        return Ok(vec![Exam::warn(about, said, "add one, or take `codeowners` out of `policy.approvals`")]);
    };
    let mut exams: Vec<Exam> = found.faults.iter().map(|fault| fault_of(about, fault)).collect();
    let nobody = found.owners().into_iter().filter_map(|owner| repo.people.nobody(owner));
    exams.extend(nobody.map(|mail| Exam::warn(about, format!("nobody is known by `{mail}`"), "give somebody this address under `emails:` in the server's configuration")));
    if exams.is_empty() {
        exams.push(Exam::ok(about, format!("{} names {} owners", found.path(), found.owners().len())));
    }
    Ok(exams)
}

/// A line that is not read as it is meant, with its own advice: some ask nobody until they are mended, others everybody.
fn fault_of(about: &str, fault: &Refusal) -> Exam {
    let next = fault.advice.clone().unwrap_or_else(|| "mend the line".to_owned());
    Exam::warn(about, Refusal { advice: None, ..fault.clone() }.to_string(), next)
}

/// Whether everything the sources ask for is granted.
fn grants(repo: &Repository, named: &Named, asked: &BTreeSet<ResourceId>) -> Vec<Exam> {
    let about = format!("repository {}: grants", named.name);
    let granted = |id: &ResourceId| repo.grants.iter().any(|grant| grant.covers(id, kinds::of(id)));
    let outside: BTreeSet<String> = asked.iter().filter(|id| !granted(id)).map(|id| format!("{} on {}", kinds::of(id).area(id), id.target)).collect();
    match outside.first() {
        None if asked.is_empty() => Vec::new(),
        None => vec![Exam::ok(about, "everything its sources ask for is granted")],
        Some(first) => vec![Exam::fail(about, format!("{} units are not granted, the first: {first}", outside.len()), "add them under `grants:`, or take their files out")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::codeowners::{CodeOwners, Dialect};

    #[test]
    fn what_doctor_advises_of_a_line_is_what_that_line_is_about() {
        let owners = CodeOwners::read("CODEOWNERS", b"(?=x) @ana\nzones\n", Dialect::Gitea);
        let told: Vec<(String, Option<String>)> = owners.faults.iter().map(|fault| fault_of("code owners", fault)).map(|exam| (exam.said, exam.next)).collect();
        let [(every, asks_all), (none, asks_none)] = told.as_slice() else { panic!("{told:?}") };
        assert!(every.starts_with("CODEOWNERS:1:1: ") && !every.contains("until then") && none.starts_with("CODEOWNERS:2:1: "), "{told:?}");
        assert!(
            asks_all.as_ref().is_some_and(|next| next.ends_with("the line asks its owners for every file"))
                && asks_none.as_ref().is_some_and(|next| next.starts_with("write whom to ask")),
            "{told:?}"
        );
    }
}
