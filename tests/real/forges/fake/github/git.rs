//! GitHub's API over git itself: refs, commits, trees and blobs.

use super::super::{
    door::{Answer, Ask},
    git,
    state::{How, Push, Role, State},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{io::Write as _, path::Path, process::Stdio};

pub fn has(state: &State, path: &str, sha: &str) -> bool {
    git::asked(&state.project(path).dir, &["cat-file", "-e", &format!("{sha}^{{commit}}")]).is_some()
}

/// A commit as `git log` tells it.
pub fn commit_of(state: &State, path: &str, sha: &str) -> Option<[String; 5]> {
    let told = git::asked(&state.project(path).dir, &["log", "-1", "--format=%H%x09%ae%x09%ce%x09%s%x09%P", sha])?;
    let mut parts = told.split('\t').map(str::to_owned);
    Some([(); 5].map(|()| parts.next().unwrap_or_default()))
}

/// Git with something on its input.
fn fed(dir: &Path, who: &str, args: &[&str], input: &[u8]) -> Option<String> {
    let mut child = git::command(dir, who).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let done = child.wait_with_output().unwrap();
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

/// Answers what is below `/repos/…/git`.
pub fn answer(state: &mut State, ask: &Ask<'_>, path: &str, rest: &[&str]) -> Answer {
    if ask.method != "GET" && state.role(path, &ask.who) < Role::Write {
        return Answer::refused(403, "Resource not accessible by personal access token");
    }
    let dir = state.project(path).dir.clone();
    match (ask.method, rest) {
        ("GET", ["ref", name @ ..]) => {
            let name = name.join("/");
            match git::asked(&dir, &["rev-parse", "-q", "--verify", &format!("refs/{name}")]) {
                Some(sha) => Answer::ok(reference(&name, &sha)),
                None => Answer::refused(404, "Not Found"),
            }
        }
        ("GET", ["commits", sha]) => match git::asked(&dir, &["log", "-1", "--format=%T%x09%P%x09%B", sha]) {
            Some(told) => {
                let mut parts = told.splitn(3, '\t');
                let [tree, parents, message] = [(); 3].map(|()| parts.next().unwrap_or_default().to_owned());
                Answer::ok(commit(sha, &tree, parents.split(' '), &message))
            }
            None => Answer::refused(404, "Not Found"),
        },
        ("POST", ["blobs"]) => {
            let content = ask.says("content").unwrap_or_default();
            let bytes = if ask.says("encoding") == Some("base64") { STANDARD.decode(content).unwrap() } else { content.as_bytes().to_vec() };
            let sha = fed(&dir, &ask.who, &["hash-object", "-w", "--stdin"], &bytes).unwrap();
            Answer::new(201, json!({ "sha": sha, "url": "https://example" }))
        }
        ("POST", ["trees"]) => tree(ask, &dir),
        ("POST", ["commits"]) => {
            let (tree, message) = (ask.says("tree").unwrap_or_default(), ask.says("message").unwrap_or_default());
            let parents: Vec<&str> = ask.body["parents"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let mut args = vec!["commit-tree", tree, "-F", "-"];
            parents.iter().for_each(|parent| args.extend(["-p", parent]));
            match fed(&dir, &ask.who, &args, message.as_bytes()) {
                Some(sha) => Answer::new(201, commit(&sha, tree, parents.into_iter(), message)),
                None => Answer::refused(422, "Tree SHA does not exist"),
            }
        }
        ("POST", ["refs"]) => {
            let (name, sha) = (ask.says("ref").unwrap_or_default().to_owned(), ask.says("sha").unwrap_or_default().to_owned());
            if git::asked(&dir, &["rev-parse", "-q", "--verify", &name]).is_some() {
                return Answer::refused(422, "Reference already exists");
            }
            move_to(state, ask, path, &name, &sha, false)
        }
        ("PATCH", ["refs", name @ ..]) => {
            let name = format!("refs/{}", name.join("/"));
            if git::asked(&dir, &["rev-parse", "-q", "--verify", &name]).is_none() {
                return Answer::refused(422, "Reference does not exist");
            }
            let sha = ask.says("sha").unwrap_or_default().to_owned();
            move_to(state, ask, path, &name, &sha, true)
        }
        _ => Answer::refused(404, "Not Found"),
    }
}

fn reference(name: &str, sha: &str) -> Value {
    json!({ "ref": format!("refs/{name}"), "url": "https://example", "object": { "type": "commit", "sha": sha, "url": "https://example" } })
}

fn commit<'a>(sha: &str, tree: &str, parents: impl Iterator<Item = &'a str>, message: &str) -> Value {
    let parents: Vec<Value> = parents.filter(|parent| !parent.is_empty()).map(|parent| json!({ "sha": parent })).collect();
    json!({ "sha": sha, "tree": { "sha": tree }, "message": message, "parents": parents })
}

/// A tree from a base with entries set, or taken out where their id is null.
fn tree(ask: &Ask<'_>, dir: &Path) -> Answer {
    let index = tempfile::NamedTempFile::new().unwrap();
    std::fs::remove_file(index.path()).unwrap();
    let run = |args: &[&str], input: &[u8]| {
        let mut git = git::command(dir, &ask.who);
        let mut child = git.env("GIT_INDEX_FILE", index.path()).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let done = child.wait_with_output().unwrap();
        done.status.success().then(|| String::from_utf8_lossy(&done.stdout).trim().to_owned())
    };
    if let Some(base) = ask.says("base_tree")
        && run(&["read-tree", base], b"").is_none()
    {
        return Answer::refused(422, "base_tree is not a valid tree oid");
    }
    let mut lines = String::new();
    for entry in ask.body["tree"].as_array().into_iter().flatten() {
        let (path, mode) = (entry["path"].as_str().unwrap(), entry["mode"].as_str().unwrap_or("100644"));
        match entry["sha"].as_str() {
            Some(sha) => lines += &format!("{mode} {sha}\t{path}\n"),
            None => lines += &format!("0 {}\t{path}\n", "0".repeat(40)),
        }
    }
    match run(&["update-index", "--index-info"], lines.as_bytes()).and_then(|_| run(&["write-tree"], b"")) {
        Some(sha) => Answer::new(201, json!({ "sha": sha })),
        None => Answer::refused(422, "tree is not valid"),
    }
}

/// Moves a branch as its owner pushes it.
fn move_to(state: &mut State, ask: &Ask<'_>, path: &str, name: &str, sha: &str, there: bool) -> Answer {
    let dir = state.project(path).dir.clone();
    let before = git::asked(&dir, &["rev-parse", "-q", "--verify", name]).unwrap_or_else(|| "0".repeat(40));
    if there && ask.body["force"] != true && git::asked(&dir, &["merge-base", "--is-ancestor", &before, sha]).is_none() {
        return Answer::refused(422, "Update is not a fast forward");
    }
    if git::asked(&dir, &["update-ref", name, sha]).is_none() {
        return Answer::refused(422, "Object does not exist");
    }
    let branch = name.trim_start_matches("refs/heads/").to_owned();
    let push = Push { id: state.id(), by: ask.who.clone(), branch, before, after: sha.into(), forced: there, how: How::Pushed, at: state.at() };
    git::note_push(state, path, push);
    Answer::new(if there { 200 } else { 201 }, reference(name.trim_start_matches("refs/"), sha))
}
