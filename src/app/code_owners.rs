//! `codeowners` in policy, spelled out for what a merge request changes: by the file that base has, never by the one that the merge request brings (I9).

use super::{governing, world::Repository};
use crate::{
    core::{
        model::{ApprovalRule, CommitId, Policy, Refusal, Str, TreeId},
        plan::{Between, Note, Template},
        review::{TEAM, team_of},
    },
    formats::codeowners::{Asked, CodeOwners, Owner},
    ports::{Changed, Merge, Mode, RepoError},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// What a rule says for whoever owns what is changed.
pub const WORD: &str = "codeowners";

/// A larger file is no list of owners; GitHub reads three megabytes and GitLab warns of less.
const BYTES: u64 = 3 << 20;

/// Faults of base's own file that are told in a plan.
const TOLD: usize = 10;

/// Merge requests whose teams are remembered.
const REMEMBERED: usize = 1_000;

/// The teams that own what a merge request changes, by the commit whose policy judges it, its base and its head.
#[derive(Debug, Default)]
pub struct OwningTeams(Mutex<BTreeMap<[CommitId; 3], Arc<BTreeSet<Str>>>>);

/// Whether some rule asks them.
pub fn asks<'a>(rules: impl IntoIterator<Item = &'a ApprovalRule>) -> bool {
    rules.into_iter().any(names)
}

fn names(rule: &ApprovalRule) -> bool {
    rule.by.iter().any(|name| &**name == WORD)
}

/// The rules of a template that ask somebody between its waves.
fn between(template: &mut Template) -> Option<&mut ApprovalRule> {
    match template.waves.as_mut().map(|waves| &mut waves.between) {
        Some(Between::Approve(rule)) => Some(rule),
        Some(Between::Pause | Between::Wait(_) | Between::Check(_)) | None => None,
    }
}

/// The file that holds in a tree; `None`: there is none.
pub fn file(repo: &Repository, tree: &TreeId) -> Result<Option<CodeOwners>, RepoError> {
    for path in repo.people.dialect.places() {
        let Some(entry) = repo.state.entry(tree, path)?.filter(|entry| matches!(entry.mode, Mode::File | Mode::Executable)) else { continue };
        let bytes = repo.state.blob(&entry.id, BYTES)?;
        return Ok(Some(CodeOwners::read(path, &bytes, repo.people.dialect)));
    }
    Ok(None)
}

/// Whether a path is one at which the file is looked for.
fn is_one(repo: &Repository, path: &str) -> bool {
    repo.people.dialect.places().contains(&path)
}

/// Puts owners where rules of policy and of templates say `codeowners`; what approvers read about it comes back.
pub(super) fn spell_out(repo: &Repository, base: &TreeId, changed: &[Changed], policy: &mut Policy, templates: &mut [Template]) -> Result<Vec<Note>, RepoError> {
    if !asks(policy.approvals.iter().chain(templates.iter_mut().filter_map(between).map(|rule| &*rule))) {
        return Ok(Vec::new());
    }
    let remark = |text: String| Note::Remark { text: text.into() };
    let owners = file(repo, base)?;
    let asked = |changed: &[&str]| owners.as_ref().map(|owners| owners.asked(changed.iter().copied())).unwrap_or_default();
    let (own, others): (Vec<&str>, Vec<&str>) = changed.iter().map(|change| &*change.path).partition(|path| is_one(repo, path));
    let mut notes = Vec::new();
    if let Some(how) = &repo.people.guessed {
        notes.push(remark(format!("code owners are read by the rules of {}: {how}", repo.people.dialect.said())));
    }
    match &owners {
        None => notes.push(remark(format!("policy asks code owners, and the base branch has no file of them (`{}`)", repo.people.dialect.places().join("`, `")))),
        Some(owners) => notes.extend(owners.faults.iter().take(TOLD).map(|fault| remark(format!("on the base branch, {fault}")))),
    }
    let mut whom = |Asked { owners, nobody, count, place, file, more }: Asked| {
        // In words that are no name of anybody, so that nobody can take it.
        let mut by: Vec<Str> = nobody.into_iter().map(|word| format!("{word} (nobody)").into()).collect();
        for owner in &owners {
            let name = repo.people.owner(owner);
            if let Some(mail) = repo.people.nobody(owner) {
                notes.push(remark(format!(
                    "{place}: nobody is known by `{mail}`, so nobody can approve for it; give somebody this address under `emails:` in the server's configuration"
                )));
            }
            if !by.contains(&name) {
                by.push(name);
            }
        }
        let also = if more > 0 { format!(" and {more} more") } else { String::new() };
        notes.push(remark(format!("{place} asks {count} of {} for `{file}`{also}", by.join(", "))));
        (count, by)
    };
    let mut people: Vec<(u32, Vec<Str>)> = asked(&others).into_iter().map(&mut whom).collect();
    // Whoever could change who is asked could ask nobody: that is asked for whatever else the rules' conditions say, and nobody else's word stands in for it.
    let mut always: Vec<(u32, Vec<Str>)> = asked(&own).into_iter().map(&mut whom).collect();
    // Lines that the forge reads and we do not may ask anybody, for any file.
    if let Some(unread) = owners.as_ref().and_then(|owners| owners.unread.as_ref()) {
        notes.push(remark(format!("whom the base branch asks from {unread} on is not known: an admin approves, too")));
        people.push((1, governing::first_approvers(repo)));
    }
    if let Some(own) = own.iter().find(|path| !owners.as_ref().is_some_and(|owners| owners.owns(path))) {
        notes.push(remark(format!("`{own}` says who owns what, and nobody owns it: an admin approves a change of it")));
        always.push((1, governing::first_approvers(repo)));
    }
    let mut rules = Vec::new();
    for rule in policy.approvals.drain(..) {
        if !names(&rule) {
            rules.push(rule);
            continue;
        }
        let others: Vec<Str> = rule.by.iter().filter(|name| &***name != WORD).cloned().collect();
        let one = |count: u32, by: &[Str]| ApprovalRule { when: rule.when.clone(), count: rule.count.max(count), by: by.iter().chain(&others).cloned().collect() };
        rules.extend(people.iter().map(|(count, by)| one(*count, by)));
        if people.is_empty() && !others.is_empty() {
            rules.push(one(1, &[]));
        }
    }
    rules.extend(always.into_iter().map(|(count, by)| ApprovalRule { when: None, count, by }));
    policy.approvals = rules;
    for rule in templates.iter_mut().filter_map(between).filter(|rule| names(rule)) {
        // A wave goes on with the word of any of them.
        let all: BTreeSet<Str> = rule.by.iter().filter(|name| &***name != WORD).chain(people.iter().flat_map(|(_, by)| by)).cloned().collect();
        rule.by = if all.is_empty() { governing::first_approvers(repo) } else { all.into_iter().collect() };
    }
    Ok(notes)
}

/// The faults that a merge request brings into the file, where it changes one.
pub(super) fn brought(repo: &Repository, base: &TreeId, tree: &TreeId, changed: &[Changed]) -> Result<Vec<Refusal>, RepoError> {
    if !changed.iter().any(|change| is_one(repo, &change.path)) {
        return Ok(Vec::new());
    }
    let faults = |tree: &TreeId| Ok::<_, RepoError>(file(repo, tree)?.map(|owners| owners.faults).unwrap_or_default());
    Ok(added(&faults(base)?, faults(tree)?))
}

/// The faults that were not there before, wherever their lines stand now: whoever edits another line need not mend them.
fn added(before: &[Refusal], mut after: Vec<Refusal>) -> Vec<Refusal> {
    let mut known: Vec<&str> = before.iter().map(|fault| &*fault.what).collect();
    after.retain(|fault| match known.iter().position(|what| *what == fault.what) {
        Some(at) => {
            known.swap_remove(at);
            false
        }
        None => true,
    });
    after
}

/// The teams that own what a merge request changes; none where policy asks no owners, where it cannot be merged, and where its commits are not here yet.
/// `key`: the commit whose policy judges, base, head.
pub(super) async fn teams(repo: Arc<Repository>, key: [CommitId; 3]) -> Arc<BTreeSet<Str>> {
    if let Some(known) = repo.owning.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return known.clone();
    }
    let (of, at) = (repo.clone(), key.clone());
    let Some(found) = tokio::task::spawn_blocking(move || owning(&of, &at).ok()).await.ok().flatten().map(Arc::new) else { return Arc::default() };
    let mut known = repo.owning.0.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(key, found.clone());
    found
}

fn owning(repo: &Repository, [judge, base, head]: &[CommitId; 3]) -> Result<BTreeSet<Str>, RepoError> {
    let mut governing = governing::governing(repo, judge)?;
    let rules = governing.root.iter().flat_map(|root| &root.policy.approvals);
    if !asks(rules.chain(governing.templates.iter_mut().filter_map(between).map(|rule| &*rule))) {
        return Ok(BTreeSet::new());
    }
    let Merge::Clean(tree) = repo.state.merge(base, head)? else { return Ok(BTreeSet::new()) };
    let base = repo.state.tree(judge)?;
    let Some(owners) = file(repo, &base)? else { return Ok(BTreeSet::new()) };
    let changed = repo.state.changed(&base, &tree)?;
    let asked = owners.asked(changed.iter().map(|change| &*change.path));
    let named = asked.into_iter().flat_map(|asked| asked.owners).map(|owner| repo.people.owner(&owner));
    Ok(named.filter_map(|name| team_of(&name).map(Str::from)).collect())
}

impl super::world::Known {
    /// The mail address of an owner that is nobody's.
    pub(super) fn nobody<'a>(&self, owner: &'a Owner) -> Option<&'a Str> {
        match owner {
            Owner::Mail(mail) if !self.mails.contains_key(&*mail.to_ascii_lowercase()) => Some(mail),
            Owner::Mail(_) | Owner::Login(_) | Owner::Either(_) | Owner::Team(_) => None,
        }
    }

    /// The name in rules of an owner; of a mail address that is nobody's, the address.
    fn owner(&self, owner: &Owner) -> Str {
        let known = |name: &Str| self.users.iter().find(|user| user.eq_ignore_ascii_case(name)).cloned();
        match owner {
            Owner::Login(login) => known(login).unwrap_or_else(|| login.clone()),
            // The forge says whether it is somebody, or who is in it.
            Owner::Either(name) => known(name).unwrap_or_else(|| format!("{TEAM}@{name}").into()),
            Owner::Team(team) => format!("{TEAM}{team}").into(),
            Owner::Mail(mail) => self.mails.get(&*mail.to_ascii_lowercase()).cloned().unwrap_or_else(|| mail.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{Place, RefusalKind};

    #[test]
    fn a_fault_that_stands_on_base_may_stay_and_another_of_its_kind_may_not_come() {
        let fault = |line: u32, what: &str| Refusal::new(RefusalKind::Value, what).at(Place::new("CODEOWNERS", line, 1));
        let base = [fault(1, "it names no owner"), fault(7, "`x(?=y)` is not read")];
        assert_eq!(added(&base, vec![fault(3, "`x(?=y)` is not read"), fault(9, "it names no owner")]), []);
        let twice = vec![fault(1, "it names no owner"), fault(2, "it names no owner"), fault(3, "`[` matches nothing")];
        assert_eq!(added(&base, twice), [fault(2, "it names no owner"), fault(3, "`[` matches nothing")]);
    }
}
