//! What a merge request is judged by: policy, sources and templates as base has them, or as base had them when they could last be read (I9).

use super::{code_owners, world::Repository};
use crate::{
    core::{
        model::{ApprovalRule, CommitId, Place, Policy, Refusal, RefusalKind, Str, TreeId, nearest},
        plan::{Between, Note, Template},
        review::team_of,
    },
    formats::{
        templates,
        trueup_yaml::{self, FILE},
    },
    ports::{Mode, RepoError, TreeEntry},
};
use std::collections::BTreeSet;

/// A larger `trueup.yaml` or template is a mistake: one maps sources and holds policy, the other arranges waves.
const FILE_BYTES: u64 = 1024 * 1024;

/// How far back a base that cannot be read is followed for one that can: years of merges, and still read in a second.
const COMMITS: usize = 5_000;

type Faults = Vec<Refusal>;

/// What base says, or last said.
pub(super) struct Governing {
    /// `None`: there is no policy yet.
    pub root: Option<trueup_yaml::Repository>,
    pub templates: Vec<Template>,
    /// What approvers read where base itself cannot be read.
    pub notes: Vec<Note>,
    /// Base itself cannot be read: an admin approves, whatever the older policy says.
    pub outdated: bool,
}

/// Reads what governs merge requests into `base`; follows first parents while it cannot be read.
pub(super) fn governing(repo: &Repository, base: &CommitId) -> Result<Governing, RepoError> {
    let faults = match whole(repo, &repo.state.tree(base)?)? {
        Ok((root, templates)) => return Ok(Governing { root, templates, notes: Vec::new(), outdated: false }),
        Err(faults) => faults,
    };
    // The causes first: notes are shown in the order of their texts, and each is cut where it grows long.
    let note = |by: String| {
        let causes = faults.iter().map(|fault| Note::Remark { text: format!("on the base branch, {fault}").into() });
        causes.chain([Note::Remark { text: format!("until the base branch can be read, {by}, and an admin approves").into() }]).collect::<Vec<_>>()
    };
    let mut seen = files(repo, &repo.state.tree(base)?)?;
    let mut at = base.clone();
    for _ in 0..COMMITS {
        let Some(parent) = repo.state.first_parent(&at)? else { break };
        at = parent;
        let tree = repo.state.tree(&at)?;
        let now = files(repo, &tree)?;
        if now == seen {
            continue;
        }
        seen = now;
        if let Ok((Some(root), templates)) = whole(repo, &tree)? {
            let short = at.as_str().get(..12).unwrap_or(at.as_str());
            return Ok(Governing { root: Some(root), templates, notes: note(format!("the policy of {short} holds, the last that could be read")), outdated: true });
        }
    }
    let by = "everything is as before there was a policy, because no earlier one can be read either".to_owned();
    Ok(Governing { root: None, templates: Vec::new(), notes: note(by), outdated: true })
}

/// The files that govern, by their content.
fn files(repo: &Repository, tree: &TreeId) -> Result<Vec<TreeEntry>, RepoError> {
    let mut files: Vec<TreeEntry> = repo.state.files(tree, templates::FOLDER)?;
    files.extend(repo.state.entry(tree, FILE)?);
    Ok(files)
}

type Whole = (Option<trueup_yaml::Repository>, Vec<Template>);

fn whole(repo: &Repository, tree: &TreeId) -> Result<Result<Whole, Faults>, RepoError> {
    let root = match root(repo, tree)? {
        Ok(root) => root,
        Err(faults) => return Ok(Err(faults)),
    };
    Ok(templates_beside(repo, tree, root.as_ref())?.map(|templates| (root, templates)))
}

/// `trueup.yaml` of a tree; none where there is none.
pub(super) fn root(repo: &Repository, tree: &TreeId) -> Result<Result<Option<trueup_yaml::Repository>, Faults>, RepoError> {
    let Some(entry) = repo.state.entry(tree, FILE)? else { return Ok(Ok(None)) };
    if !matches!(entry.mode, Mode::File | Mode::Executable) {
        let fault = Refusal::new(RefusalKind::Path, format!("{FILE} is no regular file")).at(Place::file(FILE)).advice("commit it as a file, not as a link");
        return Ok(Err(vec![fault]));
    }
    let bytes = repo.state.blob(&entry.id, FILE_BYTES)?;
    Ok(trueup_yaml::read(&bytes, &super::wiring::FORMATS).map(|root| Some(ours(repo, root))))
}

/// What is this branch's to say: targets that another branch of the same git governs are that one's.
fn ours(repo: &Repository, mut root: trueup_yaml::Repository) -> trueup_yaml::Repository {
    if !repo.left.is_empty() {
        for source in &mut root.sources {
            source.targets.retain(|target| !repo.left.contains(target));
        }
        root.sources.retain(|source| !source.targets.is_empty());
    }
    root
}

/// A repository's own templates; what none of them takes goes directly.
fn own_templates(repo: &Repository, tree: &TreeId) -> Result<Result<Vec<Template>, Faults>, RepoError> {
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    for entry in repo.state.files(tree, templates::FOLDER)? {
        if !entry.path.ends_with(".yaml") {
            continue;
        }
        match templates::read(&entry.path, &repo.state.blob(&entry.id, FILE_BYTES)?) {
            Ok(template) => found.push(template),
            Err(fault) => faults.push(fault),
        }
    }
    Ok(if faults.is_empty() { Ok(found) } else { Err(faults) })
}

/// The same with the probes that they name from the policy of the same tree.
pub(super) fn templates_beside(repo: &Repository, tree: &TreeId, root: Option<&trueup_yaml::Repository>) -> Result<Result<Vec<Template>, Faults>, RepoError> {
    let mut found = match own_templates(repo, tree)? {
        Ok(found) => found,
        Err(faults) => return Ok(Err(faults)),
    };
    let faults = templates::ask(&mut found, root.map_or(&Policy::default(), |root| &root.policy));
    Ok(if faults.is_empty() { Ok(found) } else { Err(faults) })
}

/// The policy that holds: base's own with groups spelled out and the server's checks added, or the one that holds where there is none.
pub(super) fn policy(repo: &Repository, governing: &Governing) -> Policy {
    let admin = || ApprovalRule { when: None, count: 1, by: first_approvers(repo) };
    let mut policy = match &governing.root {
        Some(root) => root.policy.clone(),
        // Nobody has said a policy yet: an admin of the repository approves the first one.
        None => Policy { approvals: vec![admin()], ..Policy::default() },
    };
    policy.claim_ttl = policy.claim_ttl.or(Some(repo.claim_ttl));
    for rule in &mut policy.approvals {
        rule.by = rule.by.iter().flat_map(|name| spelled_out(repo, name)).collect();
    }
    if governing.outdated && governing.root.is_some() {
        policy.approvals.push(admin());
    }
    let more = repo.required_checks.iter().filter(|check| !policy.required_checks.contains(*check)).cloned().collect::<Vec<_>>();
    policy.required_checks.extend(more);
    policy
}

/// The templates that hold, with groups spelled out.
pub(super) fn templates(repo: &Repository, governing: &Governing) -> Vec<Template> {
    let mut templates = governing.templates.clone();
    for waves in templates.iter_mut().filter_map(|template| template.waves.as_mut()) {
        match &mut waves.between {
            Between::Approve(rule) => rule.by = rule.by.iter().flat_map(|name| spelled_out(repo, name)).collect(),
            Between::Pause | Between::Wait(_) | Between::Check(_) => {}
        }
    }
    templates
}

/// The users behind a name of a rule. A group of nobody stays a name that nobody has: no name at all would mean anybody.
fn spelled_out(repo: &Repository, name: &Str) -> Vec<Str> {
    match name.strip_prefix('@').and_then(|group| repo.people.groups.get(group)) {
        Some(members) if !members.is_empty() => members.clone(),
        Some(_) | None => vec![name.clone()],
    }
}

/// Who approves the first policy. An empty list would mean anybody, so no admin means nobody.
pub(super) fn first_approvers(repo: &Repository) -> Vec<Str> {
    if repo.admins.is_empty() { vec!["an admin, of whom the server's configuration names none".into()] } else { repo.admins.clone() }
}

/// The teams of the forge that the policy and the templates of a commit name.
pub(super) fn teams(repo: &Repository, base: &CommitId) -> Result<BTreeSet<Str>, RepoError> {
    let governing = governing(repo, base)?;
    let rules = governing.root.iter().flat_map(|root| &root.policy.approvals);
    let waves = governing.templates.iter().filter_map(|template| match template.waves.as_ref().map(|waves| &waves.between) {
        Some(Between::Approve(rule)) => Some(rule),
        Some(Between::Pause | Between::Wait(_) | Between::Check(_)) | None => None,
    });
    Ok(rules.chain(waves).flat_map(|rule| &rule.by).filter_map(|name| Some(team_of(name)?.into())).collect())
}

/// Names in a policy to come that the server does not know, and rules that ask more people than there are: nobody could ever approve.
pub(super) fn strangers(repo: &Repository, root: &trueup_yaml::Repository) -> Faults {
    let mut faults = Vec::new();
    // Without a server nobody knows who there is.
    if !repo.people.told {
        return faults;
    }
    for (name, place) in &root.approvers {
        let (known, what, advice): (Vec<&Str>, _, _) = match name.strip_prefix('@') {
            Some(group) if repo.people.groups.contains_key(group) => continue,
            None if let Some(team) = team_of(name) => {
                let named = team.split('/').count() > 1 && team.split('/').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)));
                match (repo.people.teams, named) {
                    (true, true) => {}
                    (true, false) => faults.push(
                        Refusal::new(RefusalKind::Value, format!("`{name}` names no team")).at(place.clone()).advice("write it as `team:platform/sre`: whose it is, and its name"),
                    ),
                    (false, _) => {
                        let what = format!("`{name}` is a team of a forge, and this repository lies on the server itself");
                        faults.push(Refusal::new(RefusalKind::Unknown, what).at(place.clone()).advice("name users, or a group of the server's configuration: `@sre`"));
                    }
                }
                continue;
            }
            None if &**name == code_owners::WORD || repo.people.users.contains(name) => continue,
            // Where teams of the forge approve, whoever is in one may be named, and the forge alone knows who that is.
            None if repo.approvers.is_none() => continue,
            Some(_) => (repo.people.groups.keys().collect(), "group", "ask the operators to add it under `groups:` in the server's configuration"),
            None => (repo.people.users.iter().collect(), "user", "ask the operators to add it under `users:` in the server's configuration"),
        };
        let advice = match nearest(name.trim_start_matches('@'), known.into_iter().map(|name| &**name)) {
            Some(near) if what == "group" => format!("did you mean `@{near}`?"),
            Some(near) => format!("did you mean `{near}`?"),
            None => advice.to_owned(),
        };
        faults.push(Refusal::new(RefusalKind::Unknown, format!("the server has no {what} `{name}`")).at(place.clone()).advice(advice));
    }
    if !faults.is_empty() {
        return faults;
    }
    // How many a team has, only its forge knows.
    for rule in root.policy.approvals.iter().filter(|rule| !rule.by.is_empty() && !rule.by.iter().any(|name| team_of(name).is_some() || &**name == code_owners::WORD)) {
        let people: BTreeSet<Str> = rule.by.iter().flat_map(|name| spelled_out(repo, name)).collect();
        if rule.count as usize > people.len() {
            let place = root.approvers.iter().find(|(name, _)| rule.by.contains(name)).map(|(_, place)| place.clone()).unwrap_or_default();
            let what = format!("{} approvals are asked of {}, who are {} people", rule.count, rule.by.join(", "), people.len());
            faults.push(Refusal::new(RefusalKind::Value, what).at(place).advice("name more people, or ask fewer"));
        }
    }
    faults
}
