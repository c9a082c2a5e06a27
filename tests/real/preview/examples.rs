//! The examples for CI: each is what its forge takes, and its lines do what they say, with the program, a server and keys that are real.

use super::{
    job::{Job, Ran},
    served::Works,
};
use crate::forges::fake::Wire;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};
use trueup::formats::yaml::{Budget, Node, load};

const GITHUB: &str = "examples/github/.github/workflows/trueup.yml";
const GITLAB: &str = "examples/gitlab/.gitlab-ci.yml";
const GITEA: &str = "examples/gitea/.gitea/workflows/trueup.yaml";

fn example(path: &str) -> Node {
    let text = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("the example is there");
    load(path, &text, &Budget::default()).expect("it is YAML")
}

/// The linter that `tests/run` installs, which carries the vendors' schemas.
fn linter() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let left = cache.map(|cache| cache.join("trueup/servers/check-jsonschema-0.37.4/bin/check-jsonschema"));
    let path = std::env::var_os("TRUEUP_LINTER").map(PathBuf::from).or(left).unwrap_or_default();
    assert!(path.is_file(), "there is no check-jsonschema at {}: run tests/run once, which installs it", path.display());
    path
}

#[test]
fn every_example_is_what_its_forge_takes() {
    let lint = |args: &[&str]| {
        let out = Command::new(linter()).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("the linter runs");
        (out.status.success(), format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)))
    };
    for args in [&["--builtin-schema", "vendor.github-workflows", GITHUB, GITEA][..], &["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", GITLAB]] {
        let (ok, said) = lint(args);
        assert!(ok, "{said}");
    }
    // A linter that takes everything would tell nothing.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let broken = folder.path().join("broken.yml");
    std::fs::write(&broken, "on: pull_request\njobs: {preview: {steps: [{runs: true}]}}\n").expect("the folder is writable");
    assert!(!lint(&["--builtin-schema", "vendor.github-workflows", broken.to_str().expect("a plain path")]).0);
}

/// What an expression of a workflow stands for, as the repository's owner set it.
fn filled(text: &str, values: &BTreeMap<&str, String>) -> String {
    let mut parts = text.split("${{");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").expect("an expression ends");
        out.push_str(values.get(name.trim()).unwrap_or_else(|| panic!("nobody sets {name}")));
        out.push_str(rest);
    }
    out
}

/// The variables of an `env:` or `variables:`.
fn variables(node: Option<&Node>, values: &BTreeMap<&str, String>) -> Vec<(String, String)> {
    let pairs = node.and_then(Node::as_map).unwrap_or_default().iter();
    pairs.map(|(name, value)| (name.text().expect("a name").to_owned(), filled(value.text().expect("a text"), values))).collect()
}

/// Where the program lies, and its hash.
fn binary() -> (String, String) {
    let path = env!("CARGO_BIN_EXE_trueup");
    let out = Command::new("sha256sum").arg(path).output().expect("sha256sum runs");
    let hash = String::from_utf8_lossy(&out.stdout).split_whitespace().next().expect("a hash").to_owned();
    (format!("file://{path}"), hash)
}

/// A checkout of a branch in the job's folder, as the forge's runner makes one.
fn checked_out(works: &Works, job: &Job, branch: &str) {
    let at = works.town.fake.url.replace("http://", "http://trueup:trueup-token@");
    let out = Command::new("git").args(["clone", "--quiet", "--branch", branch, &format!("{at}/platform/dns.git"), "."]).current_dir(job.dir.path().join("work")).output();
    let out = out.expect("git runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// Runs the steps of a workflow that are ours, one after the other, as a runner does.
fn act(path: &str, job: Job, values: &BTreeMap<&str, String>) -> (Ran, Job) {
    let workflow = example(path);
    let of = &["jobs", "preview"];
    let preview = workflow.nearest_to(of);
    let mut job = job;
    for (name, value) in variables(preview.get("env"), values) {
        job = job.with(&name, &value);
    }
    let mut last = None;
    for step in preview.get("steps").and_then(Node::as_list).expect("steps") {
        let Some(lines) = step.get("run").and_then(Node::as_str) else { continue };
        for (name, value) in variables(step.get("env"), values).into_iter().filter(|(_, value)| !value.is_empty()) {
            job = job.with(&name, &value);
        }
        let ran = job.run_in("work", Path::new("bash"), &["--noprofile", "--norc", "-eo", "pipefail", "-c", &filled(lines, values)]);
        assert_eq!(ran.code, 0, "{lines}: {ran:?}");
        last = Some(ran);
    }
    (last.expect("a step of ours"), job)
}

fn told(job: &Job) -> (Value, String) {
    (serde_json::from_str(&job.read("work/preview.json")).expect("JSON"), job.read("work/preview.md"))
}

fn settings(works: &Works) -> BTreeMap<&'static str, String> {
    let (binary, hash) = binary();
    BTreeMap::from([("vars.TRUEUP_SERVER", works.town.url()), ("vars.TRUEUP_BINARY", binary), ("vars.TRUEUP_SHA256", hash), ("secrets.TRUEUP_TOKEN", String::new())])
}

#[test]
fn the_workflow_of_github_asks_the_server_and_compares_offline_for_forks() {
    let works = Works::start(Wire::GitHub);
    let (number, head) = works.town.propose("move-www", "192.0.2.97");
    let job = works.job(number, &head, "move-www").in_runner();
    checked_out(&works, &job, "move-www");
    let (_, job) = act(GITHUB, job, &settings(&works));
    let (json, markdown) = told(&job);
    assert_eq!((json["observed"].as_bool(), json["number"].as_u64()), (Some(true), Some(number)));
    assert!(markdown.contains("192.0.2.97") && job.read("summary.md").contains("192.0.2.97"));
    // A job of a fork has no token to ask for.
    let fork = Job::of_actions(number, &head, "main").in_runner();
    checked_out(&works, &fork, "move-www");
    let (_, fork) = act(GITHUB, fork, &settings(&works));
    let (json, markdown) = told(&fork);
    assert_eq!(json["observed"].as_bool(), Some(false));
    assert!(markdown.starts_with("<!-- trueup:preview not-observed -->") && markdown.contains("192.0.2.97"));
}

#[test]
fn the_workflow_of_gitea_asks_with_its_own_token() {
    let works = Works::start(Wire::GitHub);
    let (number, head) = works.town.propose("move-www", "192.0.2.98");
    let job = Job::of_actions(number, &head, "main").in_runner();
    checked_out(&works, &job, "move-www");
    let mut settings = settings(&works);
    settings.insert("secrets.TRUEUP_TOKEN", super::served::CI_TOKEN.to_owned());
    let (_, job) = act(GITEA, job, &settings);
    let (json, markdown) = told(&job);
    assert!(json["observed"].as_bool() == Some(true) && markdown.contains("192.0.2.98"), "{json:#}");
}

/// Runs the job of GitLab as its runner does.
fn run_gitlab(job: Job) -> (Ran, Job) {
    let (binary, hash) = binary();
    let of = example(GITLAB);
    let preview = of.get("trueup preview").expect("the job");
    let folder = job.path("work").display().to_string();
    let job = job.with("TRUEUP_BINARY", &binary).with("TRUEUP_SHA256", &hash).with("CI_PROJECT_DIR", &folder);
    let lines: Vec<&str> = ["before_script", "script"].into_iter().flat_map(|part| preview.get(part).and_then(Node::as_list).expect("lines")).filter_map(Node::as_str).collect();
    // GitLab runs all of them in one shell that ends at the first error.
    let ran = job.run_in("work", Path::new("bash"), &["-eo", "pipefail", "-c", &lines.join("\n")]);
    (ran, job)
}

#[test]
fn the_job_of_gitlab_asks_the_server_and_compares_offline_for_forks() {
    let works = Works::start(Wire::GitLab);
    let (number, head) = works.town.propose("move-www", "192.0.2.99");
    let job = works.job(number, &head, "move-www").in_runner();
    checked_out(&works, &job, "move-www");
    let of = example(GITLAB);
    let preview = of.get("trueup preview").expect("the job");
    assert!(preview.nearest_to(&["id_tokens", "TRUEUP_TOKEN", "aud"]).as_str().is_some(), "the token is for the server");
    let server = preview.nearest_to(&["variables", "TRUEUP_SERVER"]).as_str().expect("a server");
    assert_eq!(Some(server), preview.nearest_to(&["id_tokens", "TRUEUP_TOKEN", "aud"]).as_str(), "the token is made for the server that is asked");
    let (ran, job) = run_gitlab(job);
    assert_eq!(ran.code, 0, "{ran:?}\n{}", works.town.log());
    let (json, markdown) = told(&job);
    assert!(json["observed"].as_bool() == Some(true) && markdown.contains("192.0.2.99"), "{json:#}");
    // The fork's own `main` is nobody's base.
    let fork = works.job(number, &head, "move-www").in_runner().with("TRUEUP_TOKEN", "of-the-fork");
    checked_out(&works, &fork, "move-www");
    let project = format!("{}/platform/dns.git", works.town.fake.url.replace("http://", "http://trueup:trueup-token@"));
    let fork = fork.with("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "77").with("CI_MERGE_REQUEST_PROJECT_ID", "7").with("CI_MERGE_REQUEST_PROJECT_URL", &project);
    let gone = fork.run_in("work", Path::new("git"), &["remote", "set-url", "origin", "http://127.0.0.1:9/fork.git"]);
    assert_eq!(gone.code, 0, "{gone:?}");
    let (ran, fork) = run_gitlab(fork);
    assert_eq!(ran.code, 0, "{ran:?}");
    let (json, markdown) = told(&fork);
    assert!(json["observed"].as_bool() == Some(false) && markdown.contains("192.0.2.99"), "{json:#}");
}
