//! All exams of one configuration, in the order in which people mend what they find.

use super::{approvals, host, probes, repository};
use crate::{
    app::{config::Server, discover, wiring},
    core::model::{RepoId, Str, Unit},
    ports::{Exam, Found},
};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The version of `json`.
const VERSION: u32 = 1;

/// Examines a server and its repositories. `checkout`: the one named is read there instead of where the server keeps it.
pub async fn examine(server: &Server, checkout: Option<(&str, &Path)>) -> Vec<Exam> {
    // Its own secrets come from the environment and from files alone.
    let secrets = wiring::own_secrets(server);
    let mut exams = host::secrets(server, &*secrets).await;
    exams.extend(host::seal_key(server, &*secrets).await);
    if let Err(error) = wiring::secrets(server).await {
        exams.push(Exam::fail("providers of secrets", format!("{error:#}"), "mend it; the server does not start without"));
    }
    let (found, groups) = discover::examine(server, &*secrets).await;
    let server = &found;
    exams.extend(groups);
    exams.push(host::folder(&server.data));
    exams.extend(wiring::store::examine(server, &*secrets).await);
    exams.extend(host::mirrors(server));
    exams.push(host::git());
    exams.extend(host::views(server));
    let (mut health, mut named_by) = (Vec::new(), BTreeMap::new());
    let mut units: BTreeMap<Str, BTreeSet<Unit>> = BTreeMap::new();
    for named in &server.repositories {
        let elsewhere = checkout.filter(|(name, _)| *named.name == **name).map(|(_, path)| path);
        let found = repository::examine(server, named, elsewhere);
        exams.extend(found.exams);
        exams.extend(found.policy.iter().flat_map(|policy| approvals::examine(server, named, policy)));
        let (teams, unknown) = (approvals::teams(named, found.policy.as_ref()), approvals::unknown(server, named, found.policy.as_ref()));
        named_by.insert(RepoId::new(named.name.clone()), wiring::forges::NamedBy { teams, unknown });
        exams.extend(host::sealed(server, named, found.policy.as_ref()));
        health.extend(found.health);
        for (target, zones) in found.units {
            units.entry(target).or_default().extend(zones);
        }
    }
    exams.extend(approvals::namesakes(server));
    exams.extend(wiring::forges::examine(server, &*secrets, &named_by).await);
    exams.extend(wiring::ci::examine(server).await);
    exams.extend(probes::examine(server, &*secrets, health).await);
    match wiring::targets(server, &*secrets).await {
        Ok(targets) => {
            for (name, target) in &targets {
                let asked: Vec<Unit> = units.remove(name).unwrap_or_default().into_iter().collect();
                exams.extend(target.probe(&*secrets, &asked, &granted(server, name)).await);
            }
        }
        Err(error) => exams.push(Exam::fail("targets", format!("{error:#}"), "mend the key first; no target was asked")),
    }
    exams
}

/// What all repositories together may write of a target, as grants say it.
fn granted(server: &Server, target: &Str) -> Vec<Str> {
    let grants = server.repositories.iter().flat_map(|repository| &repository.grants).filter(|grant| grant.target == *target);
    let patterns: BTreeSet<Str> = grants.flat_map(|grant| if grant.units.is_empty() { vec!["*".into()] } else { grant.units.clone() }).collect();
    patterns.into_iter().collect()
}

/// The exams for programs. Version 1: `version`, `ok` (nothing failed), and `checks`, each with `about`, `found` (`ok`, `warn`, `fail`), `said`, and `next` (text or null).
/// New fields may come; the meaning of a field never changes within a version.
pub fn json(exams: &[Exam]) -> Json {
    let check = |exam: &Exam| json!({ "about": exam.about, "found": exam.found.as_str(), "said": exam.said, "next": exam.next });
    json!({ "version": VERSION, "ok": exams.iter().all(|exam| exam.found != Found::Fail), "checks": exams.iter().map(check).collect::<Vec<_>>() })
}
