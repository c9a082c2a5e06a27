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
use std::collections::BTreeSet;

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

/// The teams of the forge that the lists of the configuration and the rules of policy name.
pub(super) fn teams(named: &Repository, policy: Option<&Policy>) -> BTreeSet<Str> {
    let rules = policy.into_iter().flat_map(|policy| &policy.approvals).flat_map(|rule| &rule.by);
    let lists = [&named.readers, &named.writers, &named.approvers, &named.admins].into_iter().flatten();
    rules.chain(lists).filter_map(|name| Some(team_of(name)?.into())).collect()
}
