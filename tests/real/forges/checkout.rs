//! A clone in which people commit and from which they push, each by their own sign-in.

use std::{path::Path, process::Command};

pub struct Checkout {
    folder: tempfile::TempDir,
    /// Where somebody pushes to.
    url: Box<dyn Fn(&str) -> String + Send + Sync>,
}

impl Checkout {
    pub fn new(url: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let made = Self { folder: tempfile::tempdir().expect("a temporary folder"), url: Box::new(url) };
        made.git("root", &["init", "-q", "-b", "main"]);
        made
    }

    fn git(&self, who: &str, args: &[&str]) -> String {
        run_git(self.folder.path(), who, args)
    }

    fn commit(&self, author: &str, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = self.folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("writable");
            std::fs::write(path, text).expect("writable");
        }
        self.git(author, &["add", "-A"]);
        self.git(author, &["commit", "-q", "-m", "a change"]);
    }

    fn fetch(&self) {
        self.git("root", &["fetch", "-q", "--prune", &(self.url)("root"), "+refs/heads/*:refs/remotes/origin/*"]);
    }

    /// The first commit of `main`, by root.
    pub fn first(&self, files: &[(&str, &str)]) {
        self.commit("root", files);
        self.git("root", &["push", "-q", "--force", &(self.url)("root"), "HEAD:refs/heads/main"]);
    }

    /// Commits to a branch, made from `main` where it is not there or where it is to be `anew`, and pushes it to `to`; the commit.
    pub fn pushed(&self, (by, author): (&str, &str), branch: &str, files: &[(&str, &str)], anew: bool) -> String {
        self.fetch();
        // Asked for `next`, git names `next/1`, too.
        let name = format!("refs/remotes/origin/{branch}");
        let there = !anew && self.git("root", &["for-each-ref", "--format=%(refname)", &name]).lines().any(|line| line == name);
        self.pushed_from(if there { branch } else { "main" }, (by, author), &(self.url)(by), branch, files)
    }

    /// The same onto what `from` is as it was last fetched, to somewhere else.
    fn pushed_from(&self, from: &str, (by, author): (&str, &str), url: &str, branch: &str, files: &[(&str, &str)]) -> String {
        self.git(by, &["checkout", "-q", "--detach", &format!("origin/{from}")]);
        self.commit(author, files);
        self.git(by, &["push", "-q", "--force", url, &format!("HEAD:refs/heads/{branch}")]);
        self.git(by, &["rev-parse", "HEAD"])
    }

    /// Makes a branch from `main` in a fork of it.
    pub fn pushed_to(&self, url: &str, by: &str, branch: &str, files: &[(&str, &str)]) {
        self.fetch();
        self.pushed_from("main", (by, by), url, branch, files);
    }

    pub fn rename(&self, by: &str, branch: &str, to: &str) {
        self.fetch();
        self.git(by, &["push", "-q", &(self.url)(by), &format!("refs/remotes/origin/{branch}:refs/heads/{to}"), &format!(":refs/heads/{branch}")]);
    }

    pub fn tip(&self, branch: &str) -> Option<String> {
        let told = self.git("root", &["ls-remote", &(self.url)("root"), &format!("refs/heads/{branch}")]);
        told.split_whitespace().next().map(str::to_owned)
    }

    pub fn file(&self, branch: &str, path: &str) -> Option<String> {
        self.fetch();
        let there = self.git("root", &["ls-tree", "--name-only", &format!("origin/{branch}"), path]);
        (!there.is_empty()).then(|| self.git("root", &["show", &format!("origin/{branch}:{path}")]))
    }
}

/// What the `git` program says, for somebody who commits in a folder.
pub fn run_git(dir: &Path, author: &str, args: &[&str]) -> String {
    let mut git = Command::new("git");
    git.env_clear().envs(trueup::git::program::environment()).current_dir(dir);
    for role in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{role}_NAME"), author).env(format!("GIT_{role}_EMAIL"), format!("{author}@example.test"));
    }
    let done = git.args(args).output().expect("git is installed");
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}
