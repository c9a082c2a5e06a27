//! Without a server: from the checkout alone.

use super::job::{Job, Ran};
use crate::git::scratch::{Put, Scratch};
use serde_json::Value;
use std::{path::Path, process::Command};
use trueup::core::model::CommitId;

const ROOT: &str = "sources:\n  - {path: zones, format: octodns, targets: [inside]}\npolicy:\n  approvals: [{count: 1, by: [\"@dns\"]}]\n";

fn zone(address: &str) -> String {
    format!("'':\n  ttl: 300\n  type: MX\n  value: {{exchange: mail.example.com., preference: 10}}\nwww:\n  ttl: 300\n  type: A\n  value: {address}\n")
}

/// A repository with `main`, and `change` on it; where `change` stands.
fn repository(puts: &[Put<'_>]) -> (Scratch, CommitId) {
    let scratch = Scratch::new();
    let main = scratch.commit("main", None, &[Put::File("trueup.yaml", ROOT), Put::File("zones/example.com.yaml", &zone("192.0.2.1"))]);
    let head = scratch.commit("change", Some(&main), puts);
    (scratch, head)
}

fn preview(job: &Job, scratch: &Scratch, more: &[&str]) -> Ran {
    let repo = scratch.path().to_str().expect("a plain path");
    job.trueup(&[&["preview", "--offline", "--repo", repo, "--base", "main", "--head", "change"], more].concat())
}

fn git(dir: &Path, args: &[&str]) {
    let out = Command::new("git").arg("-C").arg(dir).args(args).output().expect("git runs");
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn base_is_compared_with_what_merging_gives_without_server_or_credential() {
    let (scratch, head) = repository(&[Put::File("zones/example.com.yaml", &zone("192.0.2.7"))]);
    scratch.commit("main", None, &[Put::File("README.md", "main went on\n")]);
    let job = Job::new();
    let ran = preview(&job, &scratch, &["--format", "markdown", "--output", "preview.md", "--json", "preview.json"]);
    assert_eq!((ran.code, ran.err.as_str()), (2, ""), "{}", ran.out);
    assert!(ran.out.starts_with("Preview, not observed: ") && ran.out.contains("192.0.2.7") && ran.out.contains("1 to update"), "{}", ran.out);
    let markdown = job.read("preview.md");
    assert!(markdown.starts_with("<!-- trueup:preview not-observed -->\n### Preview of the plan: **not observed**\n"), "{markdown}");
    assert!(markdown.contains("192.0.2.7") && !markdown.contains("README.md") && !markdown.contains("Digest"), "{markdown}");
    let json: Value = serde_json::from_str(&job.read("preview.json")).expect("JSON");
    assert_eq!((json["outcome"].as_str(), json["observed"].as_bool(), json["head"].as_str()), (Some("changes"), Some(false), Some(head.as_str())));
    assert_eq!((json["digest"].is_null(), json["plan"]["summary"]["update"].as_u64()), (true, Some(1)), "{json:#}");
}

#[test]
fn two_sides_that_ask_for_the_same_are_not_called_done() {
    let (scratch, _) = repository(&[Put::File("zones/example.com.yaml", &(zone("192.0.2.1") + "# a comment\n"))]);
    let ran = preview(&Job::new(), &scratch, &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("was not looked at") && !ran.out.contains("Nothing to do"), "{}", ran.out);
}

#[test]
fn every_fault_is_told_and_annotated_with_file_line_and_column() {
    let (scratch, head) = repository(&[Put::File("zones/example.com.yaml", "www: {type: A, value: 192.0.2.999}\n")]);
    let job = Job::of_actions(7, head.as_str(), "main");
    let ran = preview(&job, &scratch, &["--json", "preview.json"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("--> zones/example.com.yaml:1:23"), "{}", ran.out);
    assert!(ran.err.contains("::error file=zones/example.com.yaml,title=trueup preview,line=1,col=23::"), "{}", ran.err);
    let json: Value = serde_json::from_str(&job.read("preview.json")).expect("JSON");
    assert_eq!((json["outcome"].as_str(), json["refusals"][0]["place"]["line"].as_u64()), (Some("refused"), Some(1)), "{json:#}");
    let summary = job.read("summary.md");
    assert!(summary.starts_with("<!-- trueup:preview not-observed -->") && summary.contains("1 fault to mend"), "{summary}");
}

#[test]
fn an_annotation_starts_at_the_workspace() {
    let (scratch, head) = repository(&[Put::File("zones/example.com.yaml", "www: {type: A, value: 192.0.2.999}\n")]);
    let job = Job::of_actions(7, head.as_str(), "main");
    git(job.dir.path(), &["clone", "--quiet", "--branch", "change", scratch.path().to_str().expect("plain"), "state"]);
    let workspace = job.dir.path().display().to_string();
    let job = job.with("GITHUB_WORKSPACE", &workspace);
    let ran = job.trueup(&["preview", "--offline", "--repo", "state"]);
    assert!(ran.code == 1 && ran.err.contains("::error file=state/zones/example.com.yaml,"), "{ran:?}");
}

#[test]
fn a_conflict_names_its_paths() {
    let (scratch, _) = repository(&[Put::File("zones/example.com.yaml", &zone("192.0.2.7"))]);
    scratch.commit("main", None, &[Put::File("zones/example.com.yaml", &zone("192.0.2.8"))]);
    let ran = preview(&Job::new(), &scratch, &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("zones/example.com.yaml") && ran.err.contains("does not merge"), "{ran:?}");
}

#[test]
fn nothing_that_a_merge_request_brings_is_a_command_of_the_runner() {
    let text = "www:\n  ttl: 300\n  type: TXT\n  value: '##[add-path]/tmp ::stop-commands::x'\n";
    let (scratch, head) = repository(&[Put::File("zones/example.com.yaml", text)]);
    let job = Job::of_actions(7, head.as_str(), "main");
    for format in ["text", "json", "markdown"] {
        let ran = preview(&job, &scratch, &["--format", format]);
        assert_eq!(ran.code, 2, "{ran:?}");
        let log = format!("{}{}", ran.out, ran.err);
        assert!(log.contains("add-path") && !log.contains("##[") && !log.lines().any(|line| line.trim_start().starts_with("::")), "{log}");
    }
}

#[test]
fn the_first_merge_request_is_previewed_with_what_the_server_will_make_of_it() {
    let scratch = Scratch::new();
    let main = scratch.commit("main", None, &[Put::File("README.md", "nothing yet\n")]);
    scratch.commit("change", Some(&main), &[Put::File("trueup.yaml", ROOT), Put::File("zones/example.com.yaml", &zone("192.0.2.1"))]);
    let ran = preview(&Job::new(), &scratch, &[]);
    assert!(ran.code == 2 && ran.out.contains("base has no trueup.yaml yet"), "{ran:?}");
}

#[test]
fn owners_are_read_by_the_rules_of_the_forge_that_the_checkout_is_for_and_it_says_which() {
    let root = "sources:\n  - {path: zones, format: octodns, targets: [inside]}\npolicy:\n  approvals: [{by: [codeowners]}]\n";
    let told = |places: &[(&str, &str)], origin: Option<&str>, job: Job| {
        let scratch = Scratch::new();
        let zone = zone("192.0.2.1");
        let mut puts = vec![Put::File("trueup.yaml", root), Put::File("zones/example.com.yaml", &zone)];
        puts.extend(places.iter().map(|(path, text)| Put::File(path, text)));
        let main = scratch.commit("main", None, &puts);
        scratch.commit("change", Some(&main), &[Put::File("zones/example.com.yaml", &self::zone("192.0.2.7"))]);
        if let Some(origin) = origin {
            git(scratch.path(), &["remote", "add", "origin", origin]);
        }
        let ran = preview(&job, &scratch, &["--format", "markdown"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        ran.out
    };
    let file = "[Zones] @dba\nzones/\n";
    let placed = told(&[(".gitlab/CODEOWNERS", file)], None, Job::new());
    assert!(placed.contains("by the rules of GitLab: base has") && placed.contains("dba"), "{placed}");
    let hosted = told(&[("CODEOWNERS", file)], Some("git@gitlab.example.com:platform/dns.git"), Job::new());
    assert!(hosted.contains("by the rules of GitLab") && hosted.contains("is on gitlab.example.com") && hosted.contains("dba"), "{hosted}");
    let gitea = told(&[("CODEOWNERS", "zones/.* @dba\n")], Some("https://git.example.com/platform/dns"), Job::new().with("GITHUB_ACTIONS", "true").with("GITEA_ACTIONS", "true"));
    assert!(gitea.contains("by the rules of Gitea") && gitea.contains("dba"), "{gitea}");
    let nobody = told(&[("CODEOWNERS", "/zones/ @dba\n")], None, Job::new());
    assert!(nobody.contains("by the rules of GitHub") && nobody.contains("nothing in the checkout tells"), "{nobody}");
}

#[test]
fn a_shallow_clone_is_told_exactly_what_to_fetch() {
    let (scratch, _) = repository(&[Put::File("zones/example.com.yaml", &zone("192.0.2.7"))]);
    scratch.commit("main", None, &[Put::File("README.md", "main went on\n")]);
    let (url, job) = (format!("file://{}", scratch.path().display()), Job::new());
    git(job.dir.path(), &["clone", "--quiet", "--depth", "1", "--branch", "change", &url, "state"]);
    let state = job.path("state");
    let asked = || job.trueup(&["preview", "--offline", "--repo", "state"]);
    let ran = asked();
    assert!(ran.code == 1 && ran.err.contains("`origin/main` is not in this checkout") && ran.err.contains("fetch-depth: 0"), "{ran:?}");
    let told = "git fetch --no-tags origin +refs/heads/main:refs/remotes/origin/main";
    assert!(ran.err.contains(&format!("`{told}`")), "{}", ran.err);
    git(&state, &["fetch", "--quiet", "--no-tags", "--depth", "1", "origin", "+refs/heads/main:refs/remotes/origin/main"]);
    let ran = asked();
    assert!(ran.code == 1 && ran.err.contains("`git fetch --no-tags --unshallow origin`"), "{ran:?}");
    git(&state, &["fetch", "--quiet", "--no-tags", "--unshallow", "origin"]);
    assert_eq!(asked().code, 2);
}

#[test]
fn a_merge_that_the_forge_made_needs_only_its_two_parents() {
    let (scratch, head) = repository(&[Put::File("zones/example.com.yaml", &zone("192.0.2.7"))]);
    let main = CommitId::new(scratch.repo.refname_to_id("refs/heads/main").expect("main is there").to_string());
    scratch.merge("merge", &main, &head);
    let (url, job) = (format!("file://{}", scratch.path().display()), Job::of_actions(7, head.as_str(), "main"));
    git(job.dir.path(), &["clone", "--quiet", "--depth", "2", "--branch", "merge", &url, "state"]);
    let ran = job.trueup(&["preview", "--offline", "--repo", "state", "--base", "HEAD^1"]);
    assert!(ran.code == 2 && ran.out.contains("192.0.2.7"), "{ran:?}");
}

#[test]
fn usage_errors_end_as_errors_and_not_as_changes() {
    let ran = Job::new().trueup(&["preview"]);
    assert!(ran.code == 1 && ran.err.contains("--server"), "{ran:?}");
}
