//! The tree that merging would give, by `git merge-tree --write-tree`: git's own merge, without a checkout; and the one that replaying would give.

use super::{program, tree::wrong};
use crate::{
    core::model::{CommitId, Str, TreeId},
    ports::{Merge, RepoError},
};
use git2::{IndexConflict, Oid, Repository, Sort};
use std::{collections::BTreeSet, path::Path};

/// Merges `head` into `base`; only objects are written.
pub fn merge_tree(dir: &Path, base: &CommitId, head: &CommitId) -> Result<Merge, RepoError> {
    let ran = program::git(dir)
        .args(["merge-tree", "--write-tree", "-z", "--name-only", "--messages"])
        .args([base.as_str(), head.as_str()])
        .output()
        .map_err(|error| RepoError::Git { what: format!("cannot start the git program: {error}; install git 2.38 or newer") })?;
    let tree = || ran.stdout.split(|byte| *byte == 0).next().and_then(|id| std::str::from_utf8(id).ok()).map(|id| id.trim().to_owned());
    match (ran.status.code(), tree()) {
        (Some(0), Some(tree)) => Ok(Merge::Clean(TreeId::new(tree))),
        (Some(1), Some(_)) => Ok(Merge::Conflicts(conflicts(&ran.stdout))),
        _ => Err(RepoError::Git { what: said(&String::from_utf8_lossy(&ran.stderr), base, head) }),
    }
}

/// Sets what `head` brings onto `base` one commit after the other, as a rebase does: merges among them are left out. Only objects are written.
///
/// What is left may be another tree than a merge gives: a change and its taking back meet base each by itself.
pub fn replay(repo: &Repository, base: Oid, head: Oid) -> Result<Merge, RepoError> {
    let mut walk = repo.revwalk().map_err(wrong)?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE).map_err(wrong)?;
    walk.push(head).map_err(wrong)?;
    walk.hide(base).map_err(wrong)?;
    let mut onto = repo.find_commit(base).and_then(|base| base.tree()).map_err(wrong)?;
    for id in walk {
        let commit = repo.find_commit(id.map_err(wrong)?).map_err(wrong)?;
        let before = match commit.parent_count() {
            0 => repo.treebuilder(None).and_then(|empty| empty.write()).and_then(|id| repo.find_tree(id)).map_err(wrong)?,
            1 => commit.parent(0).and_then(|parent| parent.tree()).map_err(wrong)?,
            _ => continue,
        };
        let mut index = repo.merge_trees(&before, &onto, &commit.tree().map_err(wrong)?, None).map_err(wrong)?;
        if index.has_conflicts() {
            let sides =
                |conflict: IndexConflict| [conflict.ancestor, conflict.our, conflict.their].into_iter().flatten().map(|side| Str::from(String::from_utf8_lossy(&side.path)));
            let paths: BTreeSet<Str> = index.conflicts().map_err(wrong)?.filter_map(Result::ok).flat_map(sides).collect();
            return Ok(Merge::Conflicts(paths.into_iter().collect()));
        }
        onto = index.write_tree_to(repo).and_then(|id| repo.find_tree(id)).map_err(wrong)?;
    }
    Ok(Merge::Clean(TreeId::new(onto.id().to_string())))
}

/// The conflicted paths of merge-tree's answer, sorted.
///
/// The first section names files with more than one side. Some conflicts leave none there (a folder renamed in two ways), so the
/// paths of the messages that say `CONFLICT` count as well.
fn conflicts(answer: &[u8]) -> Vec<Str> {
    let mut fields = answer.split(|byte| *byte == 0).map(|field| String::from_utf8_lossy(field).into_owned()).skip(1);
    let mut paths: BTreeSet<Str> = BTreeSet::new();
    for path in fields.by_ref().take_while(|path| !path.is_empty()) {
        paths.insert(path.into());
    }
    while let Some(count) = fields.next().and_then(|count| count.parse::<usize>().ok()) {
        let about: Vec<String> = fields.by_ref().take(count).collect();
        let kind = fields.next().unwrap_or_default();
        let _message = fields.next();
        if kind.starts_with("CONFLICT") {
            paths.extend(about.into_iter().map(Str::from));
        }
    }
    paths.into_iter().collect()
}

fn said(stderr: &str, base: &CommitId, head: &CommitId) -> String {
    if stderr.contains("unrelated histories") {
        return format!("{head} shares no history with {base}; rebase the branch on the target branch");
    }
    let line = stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or("merge-tree gave no answer; git 2.38 or newer is needed");
    line.trim_start_matches("fatal: ").to_owned()
}
