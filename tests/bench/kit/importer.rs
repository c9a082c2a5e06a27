//! Made repositories by `git fast-import`: a hundred thousand files in seconds.

use std::{
    collections::BTreeMap,
    io::{BufWriter, Write},
    path::Path,
    process::{Child, ChildStdin, Stdio},
};
use trueup::git::program::git;

/// Files of a commit by path.
pub type Files = BTreeMap<String, String>;

/// Writes commits into a bare repository, which is whole after `done`.
pub struct Importer {
    git: Child,
    script: BufWriter<ChildStdin>,
}

impl Importer {
    /// Makes the repository at `dir`.
    pub fn new(dir: &Path) -> Self {
        let made = git(dir).args(["init", "-q", "--bare", "-b", "main"]).arg(dir).status().expect("git runs");
        assert!(made.success(), "git init failed");
        let mut git = git(dir).args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().expect("git runs");
        let script = BufWriter::new(git.stdin.take().expect("it is piped"));
        Self { git, script }
    }

    /// Puts files on a branch; a new branch stands on `from`.
    pub fn commit<'a>(&mut self, branch: &str, from: Option<&str>, files: impl IntoIterator<Item = (&'a String, &'a String)>) {
        let mut text = format!("commit refs/heads/{branch}\ncommitter Ana <ana@example.com> 1700000000 +0000\ndata 8\na change\n");
        if let Some(from) = from {
            text.push_str(&format!("from refs/heads/{from}\n"));
        }
        for (path, content) in files {
            text.push_str(&format!("M 100644 inline {path}\ndata {}\n{content}\n", content.len()));
        }
        self.script.write_all(text.as_bytes()).expect("fast-import takes it");
    }

    /// Finishes and writes what git gc would: everything packed.
    pub fn done(self) {
        let Self { mut git, script } = self;
        drop(script.into_inner().expect("fast-import takes it"));
        assert!(git.wait().expect("fast-import ends").success(), "fast-import failed");
    }
}
