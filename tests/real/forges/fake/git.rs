//! The bare repositories below a fake forge: made, pushed to, merged, and brought to what the requests show.

use super::state::{How, Linear, Merged, Method, Project, Push, Request, State, Verdict, What};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// Refuses protected branches to whom they are not open, and writes down who pushed what.
const HOOK: &str = r#"#!/bin/sh
if grep -qxF "$1 $REMOTE_USER" closed 2>/dev/null; then
    echo "protected branch hook declined" >&2
    exit 1
fi
echo "$REMOTE_USER $1 $2 $3" >>pushed
"#;

/// Git in a folder, speaking as `who`.
pub fn command(dir: &Path, who: &str) -> Command {
    let mut git = Command::new("git");
    git.env_clear().envs(trueup::git::program::environment()).current_dir(dir);
    for role in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{role}_NAME"), who).env(format!("GIT_{role}_EMAIL"), format!("{who}@example.com"));
    }
    git
}

/// Runs it; it must succeed.
pub fn git(dir: &Path, who: &str, args: &[&str]) -> String {
    let done = command(dir, who).args(args).output().unwrap();
    assert!(done.status.success(), "git {args:?} in {}: {}", dir.display(), String::from_utf8_lossy(&done.stderr));
    said(&done)
}

fn said(done: &Output) -> String {
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// What it answers, when it can.
pub fn asked(dir: &Path, args: &[&str]) -> Option<String> {
    let done = command(dir, "forge").args(args).output().unwrap();
    done.status.success().then(|| said(&done))
}

pub fn tip(dir: &Path, branch: &str) -> Option<String> {
    asked(dir, &["rev-parse", "-q", "--verify", &format!("refs/heads/{branch}^{{commit}}")])
}

/// Makes the bare repository of a project with one commit on its default branch.
pub fn init(dir: &Path, branch: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir_all(dir).unwrap();
    git(dir, "forge", &["init", "-q", "--bare", "-b", branch]);
    let hook = dir.join("hooks/update");
    fs::write(&hook, HOOK).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    for setting in ["uploadpack.allowAnySHA1InWant", "uploadpack.allowReachableSHA1InWant"] {
        git(dir, "forge", &["config", setting, "true"]);
    }
}

/// Tells the hook to whom branches are closed.
pub fn guard(state: &State, path: &str) {
    let project = state.project(path);
    let mut closed = String::new();
    for (branch, rules) in &project.protection {
        for user in state.users.keys() {
            let open = match rules.may_push.is_empty() {
                true => state.role(path, user) >= super::state::Role::Admin && !rules.for_admins,
                false => rules.may_push.contains(user),
            };
            if !open {
                closed += &format!("refs/heads/{branch} {user}\n");
            }
        }
    }
    fs::write(project.dir.join("closed"), closed).unwrap();
}

/// Takes what was pushed into the state: who pushed, new heads, reviews that fall, requests whose head the target holds now.
pub fn refresh(state: &mut State) {
    let paths: Vec<String> = state.projects.keys().cloned().collect();
    for path in &paths {
        let dir = state.project(path).dir.clone();
        let file = dir.join("pushed");
        let Ok(notes) = fs::read_to_string(&file) else { continue };
        fs::remove_file(&file).unwrap();
        for note in notes.lines() {
            let words: Vec<&str> = note.split(' ').collect();
            let [by, name, before, after] = words[..] else { panic!("the hook wrote {note:?}") };
            let Some(branch) = name.strip_prefix("refs/heads/") else { continue };
            let new = before.bytes().all(|byte| byte == b'0');
            let forced = !new && asked(&dir, &["merge-base", "--is-ancestor", before, after]).is_none();
            let push = Push { id: state.id(), by: by.into(), branch: branch.into(), before: before.into(), after: after.into(), forced, how: How::Pushed, at: state.at() };
            note_push(state, path, push);
        }
    }
}

/// A branch moved: whoever stands on it moves, too.
pub fn note_push(state: &mut State, path: &str, push: Push) {
    state.project_mut(path).pushes.push(push.clone());
    heads(state, path, &push);
}

/// Brings every open request that stands on the pushed branch, or aims at it, to what it is now.
fn heads(state: &mut State, path: &str, push: &Push) {
    let all: Vec<(String, u64)> = state.projects.iter().flat_map(|(path, project)| project.requests.keys().map(|number| (path.clone(), *number))).collect();
    for (target_path, number) in all {
        let request = state.request_mut(&target_path, number).clone();
        if !request.open() {
            continue;
        }
        if request.source_project == path && request.source == push.branch && push.after.bytes().any(|byte| byte != b'0') {
            moved(state, &target_path, number, push);
        } else if target_path == path && request.target == push.branch {
            let dir = &state.project(&target_path).dir;
            if asked(dir, &["merge-base", "--is-ancestor", &request.head, &push.after]).is_some() {
                land(state, &target_path, number, &push.by, &push.after);
            }
        }
    }
}

/// The head of a request is what was pushed.
fn moved(state: &mut State, path: &str, number: u64, push: &Push) {
    let dismiss = state.project(path).protection.get(&state.project(path).requests[&number].target).is_some_and(|rules| rules.dismiss_stale);
    let at = state.at();
    let base = show_head(state, path, number);
    let request = state.request_mut(path, number);
    request.base = base;
    request.updated = at;
    for review in request.reviews.iter_mut().filter(|review| dismiss && review.verdict == Verdict::Approved) {
        review.verdict = Verdict::Dismissed;
    }
    state.happened(path, number, &push.by, What::Pushed);
    if push.forced {
        state.happened(path, number, &push.by, What::ForcePushed);
    }
}

/// Puts the head where `refs/pull/N/head` and `refs/merge-requests/N/head` show it, in the project it aims at; answers with the base.
pub fn show_head(state: &mut State, path: &str, number: u64) -> String {
    let Request { source_project, source, target, .. } = state.project(path).requests[&number].clone();
    let (from, dir) = (state.project(&source_project).dir.clone(), state.project(path).dir.clone());
    for name in [format!("refs/pull/{number}/head"), format!("refs/merge-requests/{number}/head")] {
        git(&dir, "forge", &["fetch", "-q", from.to_str().unwrap(), &format!("+refs/heads/{source}:{name}")]);
    }
    state.request_mut(path, number).head = tip(&from, &source).unwrap();
    tip(&dir, &target).unwrap()
}

pub fn land(state: &mut State, path: &str, number: u64, by: &str, commit: &str) {
    let at = state.at();
    state.request_mut(path, number).merged = Some(Merged { commit: commit.to_owned(), by: by.to_owned(), at });
    state.happened(path, number, by, What::Merged(commit.to_owned()));
}

/// The tree that merging would give, or nothing where it conflicts.
pub fn merged_tree(project: &Project, request: &Request) -> Option<String> {
    asked(&project.dir, &["merge-tree", "--write-tree", &format!("refs/heads/{}", request.target), &request.head])
}

/// Whether it lacks the newest of its target, where that counts.
pub fn is_outdated(project: &Project, request: &Request) -> bool {
    let newest = format!("refs/heads/{}", request.target);
    project.up_to_date != Linear::No && !command(&project.dir, "trueup").args(["merge-base", "--is-ancestor", &newest, &request.head]).status().is_ok_and(|done| done.success())
}

/// Merges as asked, by a commit of the forge's own.
pub fn merge(state: &mut State, path: &str, number: u64, by: &str, method: Method, message: &str) -> Option<String> {
    let project = state.project(path);
    let request = project.requests[&number].clone();
    let base = tip(&project.dir, &request.target)?;
    let tree = merged_tree(project, &request)?;
    let dir = project.dir.clone();
    let mut args = vec!["commit-tree", &tree, "-p", &base, "-m", message];
    if method == Method::Merge {
        args.extend(["-p", &request.head]);
    }
    // What is squashed carries its author's name, whoever pressed the button.
    let commit = git(&dir, if method == Method::Squash { &request.author } else { by }, &args);
    git(&dir, by, &["update-ref", &format!("refs/heads/{}", request.target), &commit, &base]);
    land(state, path, number, by, &commit);
    let push = Push { id: state.id(), by: by.into(), branch: request.target.clone(), before: base, after: commit.clone(), forced: false, how: How::Merged, at: state.at() };
    note_push(state, path, push);
    if state.project(path).tidy {
        let from = state.project(&request.source_project).dir.clone();
        git(&from, by, &["update-ref", "-d", &format!("refs/heads/{}", request.source)]);
    }
    Some(commit)
}

/// The commits of a request, oldest first: id, author's address, committer's address, message, parents.
pub fn commits(project: &Project, request: &Request) -> Vec<[String; 5]> {
    let range = format!("{}..{}", tip(&project.dir, &request.target).unwrap_or_else(|| request.base.clone()), request.head);
    let range = if request.merged.is_some() { format!("{}..{}", request.base, request.head) } else { range };
    let told = asked(&project.dir, &["log", "--reverse", "--format=%H%x09%ae%x09%ce%x09%s%x09%P", &range]).unwrap_or_default();
    told.lines()
        .map(|line| {
            let mut parts = line.split('\t').map(str::to_owned);
            [(); 5].map(|()| parts.next().unwrap_or_default())
        })
        .collect()
}
