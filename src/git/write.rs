//! Commits made without a checkout: whole files on a base, in one process, on disk when it ends.

use super::program;
use crate::{
    core::model::{CommitId, Str, Time},
    ports::RepoError,
};
use std::{collections::BTreeMap, io::Write as _, path::Path, process::Stdio};

/// What a commit shall be.
pub struct NewCommit<'a> {
    /// A reference that holds it afterwards, and tells it from others made at the same time.
    pub scratch: String,
    pub base: &'a CommitId,
    /// What differs from base, whole files by path; `None`: the file goes.
    pub files: &'a BTreeMap<Str, Option<Vec<u8>>>,
    pub message: &'a str,
    /// The author and committer.
    pub name: &'a str,
    pub at: Time,
}

/// Runs git with `input`: its output, or what it complained of.
pub fn ran(mut git: std::process::Command, input: &[u8]) -> std::io::Result<Result<String, String>> {
    let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A git that failed early closed its end; its exit code tells.
        let _ = stdin.write_all(input);
    }
    let done = child.wait_with_output()?;
    Ok(match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
    })
}

/// How we call ourselves in commits.
pub fn signature(name: &str) -> String {
    format!("{name} <{name}@localhost>")
}

/// Makes the commit; no branch moves. Files keep no mode of their own.
pub fn commit_files(dir: &Path, new: &NewCommit<'_>) -> Result<CommitId, RepoError> {
    let NewCommit { scratch, base, files, message, name, at } = new;
    let mut stream = Vec::new();
    let who = format!("{} {} +0000", signature(name), at.0.div_euclid(1000));
    let head = format!("commit {scratch}\nauthor {who}\ncommitter {who}\ndata {}\n", message.len());
    stream.extend([head.as_bytes(), message.as_bytes(), format!("\nfrom {base}\n").as_bytes()].concat());
    for (path, bytes) in *files {
        let quoted = format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
        match bytes {
            Some(bytes) => {
                stream.extend(format!("M 100644 inline {quoted}\ndata {}\n", bytes.len()).into_bytes());
                stream.extend(bytes);
                stream.push(b'\n');
            }
            None => stream.extend(format!("D {quoted}\n").into_bytes()),
        }
    }
    stream.extend(b"done\n");
    let wrong = |why: String| RepoError::Git { what: format!("cannot write the commit: {why}") };
    let mut git = program::git(dir);
    git.args(["fast-import", "--quiet", "--force", "--done"]);
    ran(git, &stream).map_err(|error| wrong(error.to_string()))?.map_err(wrong)?;
    let mut git = program::git(dir);
    git.args(["rev-parse", "--verify", scratch]);
    ran(git, b"").map_err(|error| wrong(error.to_string()))?.map(CommitId::new).map_err(wrong)
}
