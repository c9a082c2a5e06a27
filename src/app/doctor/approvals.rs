//! Whether the approvals that policy asks for can be given by the people there are.

use crate::{
    app::{
        code_owners::WORD,
        config::{Repository, Server},
    },
    core::{
        model::{ApprovalRule, Policy, Str},
        review::{Right, team_of},
    },
    ports::Exam,
};
use std::collections::{BTreeMap, BTreeSet};

/// Each rule, and the one that holds where there is none.
pub(super) fn examine(server: &Server, named: &Repository, policy: &Policy) -> Vec<Exam> {
    let otherwise = ApprovalRule { when: None, count: 1, by: Vec::new() };
    let mut exams: Vec<Exam> = policy.approvals.iter().chain([&otherwise]).filter_map(|rule| one(server, named, rule)).collect();
    if exams.is_empty() {
        exams.push(Exam::ok(format!("repository {}: approvals", named.name), "every rule can be met, whoever of the people opens the merge request"));
    }
    exams
}

/// What is wrong with a rule; `None`: it can be met by others than any author.
fn one(server: &Server, named: &Repository, rule: &ApprovalRule) -> Option<Exam> {
    let about = format!("repository {}: approvals", named.name);
    let by_teams = |names: &[Str]| names.iter().any(|name| team_of(name).is_some() || &**name == WORD);
    // Who is in a team, its forge says; it is asked below.
    if by_teams(&rule.by) || rule.by.is_empty() && by_teams(&named.approvers) {
        return None;
    }
    let may = |name: &Str| server.right(named, name) >= Right::Approve;
    let meant: Vec<Str> = if rule.by.is_empty() { server.users.iter().map(|user| user.name.clone()).collect() } else { server.spelled_out(named, &rule.by) };
    let able: BTreeSet<&Str> = meant.iter().filter(|name| may(name)).collect();
    let when = rule.when.as_ref().map_or_else(|| "the rule that always holds".to_owned(), |when| format!("the rule `{when}`"));
    let of = if rule.by.is_empty() { "anyone who may approve".to_owned() } else { rule.by.join(", ") };
    let (count, there) = (rule.count as usize, able.len());
    let next = "name more people under `approvers:` of the repository, or ask fewer in `policy.approvals`";
    if there < count {
        return Some(Exam::fail(about, format!("{when} asks {count} of {of}, and {there} of them may approve here: nothing it holds for can ever start"), next));
    }
    // Nobody approves what they wrote; an approver's own merge request has one fewer.
    (there == count).then(|| {
        let said = format!("{when} asks {count} of {of}, and no more than {there} may approve: a merge request by one of them can never start");
        Exam::warn(about, said, next)
    })
}

/// Names that lists give rights to on several forges: there, too, an account counts as the user of the same name.
pub(super) fn namesakes(server: &Server) -> Vec<Exam> {
    let network = server.repositories.iter().filter(|of| !of.is_local());
    let listed = network.flat_map(|of| [&of.writers, &of.approvers, &of.admins].into_iter().flatten().map(|name| (&of.forge, name)));
    let exam = |(name, forges): (Str, Vec<Str>)| {
        let forges = forges.iter().map(|forge| format!("`{forge}`")).collect::<Vec<_>>().join(" and ");
        let said = format!("`{name}` has rights in repositories on {forges}, where two people may be called so: each would count as the other");
        Exam::warn("people", said, "see to it that it is one person; where it is not, name a team of the forge instead")
    };
    on_several(listed).into_iter().map(exam).collect()
}

/// The plain names that are listed on more than one forge, each with those.
fn on_several<'a>(listed: impl Iterator<Item = (&'a Str, &'a Str)>) -> Vec<(Str, Vec<Str>)> {
    let mut all: BTreeMap<Str, (Str, BTreeSet<Str>)> = BTreeMap::new();
    for (forge, name) in listed.filter(|(_, name)| !name.starts_with('@') && team_of(name).is_none()) {
        all.entry(name.to_lowercase().into()).or_insert_with(|| (name.clone(), BTreeSet::new())).1.insert(forge.clone());
    }
    all.into_values().filter(|(_, forges)| forges.len() > 1).map(|(name, forges)| (name, forges.into_iter().collect())).collect()
}

/// Names in rules of policy of whom the configuration knows nothing, where teams of the forge approve: whoever is in one may be named, and only the forge knows who that is.
pub(super) fn unknown(server: &Server, named: &Repository, policy: Option<&Policy>) -> BTreeSet<Str> {
    if !named.approvers.iter().chain(&named.admins).any(|name| team_of(name).is_some()) {
        return BTreeSet::new();
    }
    let known: BTreeSet<Str> = server.users.iter().map(|user| user.name.clone()).chain(server.accounts()).collect();
    let rules = policy.into_iter().flat_map(|policy| &policy.approvals).flat_map(|rule| &rule.by);
    rules.filter(|name| !name.starts_with('@') && team_of(name).is_none() && ***name != *WORD && !known.contains(*name)).cloned().collect()
}

/// The teams of the forge that the lists of the configuration and the rules of policy name.
pub(super) fn teams(named: &Repository, policy: Option<&Policy>) -> BTreeSet<Str> {
    let rules = policy.into_iter().flat_map(|policy| &policy.approvals).flat_map(|rule| &rule.by);
    let lists = [&named.readers, &named.writers, &named.approvers, &named.admins].into_iter().flatten();
    rules.chain(lists).filter_map(|name| Some(team_of(name)?.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_rights_on_two_forges_is_told_and_groups_and_teams_say_themselves_whose_they_are() {
        let listed: Vec<(Str, Str)> =
            [("hub", "ana"), ("work", "Ana"), ("hub", "ben"), ("hub", "ben"), ("hub", "@sre"), ("work", "@sre"), ("hub", "team:p/sre"), ("work", "team:p/sre")]
                .map(|(forge, name)| (forge.into(), name.into()))
                .into();
        assert_eq!(on_several(listed.iter().map(|(forge, name)| (forge, name))), [("ana".into(), vec!["hub".into(), "work".into()])]);
    }
}
