//! The machine a server runs on: its secrets, its data folder, its git.

use crate::{
    app::{
        config::{self, Places, Repository, Server},
        wiring,
    },
    core::model::{Policy, SecretRef, Str},
    git::program,
    ports::{Exam, Secrets},
};
use rustix::fs::{Access, access, statvfs};
use std::path::Path;

/// Below this a store that grows by journals fills within a day of rollouts.
const ROOM: u64 = 1 << 30;

/// The first git with `merge-tree --write-tree`.
const GIT: (u32, u32) = (2, 38);

/// Targets that are one name server asked under two keys: nobody but its operators knows whether each key chooses a view of its own.
pub(super) fn views(server: &Server) -> Vec<Exam> {
    let pairs = config::pairs(server).into_iter().filter(|(_, _, places)| *places == Places::Views);
    let exam = |(one, other, _): (&Str, &Str, Places)| {
        let said = "they are one name server asked under two keys; where both keys see the same view, one record has two owners and nobody notices";
        Exam::warn(format!("targets {one} and {other}"), said, "make sure that each key chooses a view of its own, or make them one target")
    };
    pairs.map(exam).collect()
}

/// Reads every secret that the configuration names; none is told.
pub(super) async fn secrets(server: &Server, secrets: &dyn Secrets) -> Vec<Exam> {
    let all: Vec<(String, SecretRef)> = server.own_secrets().into_iter().map(|(what, reference)| (format!("secret: {what}"), reference)).collect();
    let mut exams = Vec::new();
    let mut read = 0;
    for (about, reference) in all {
        match secrets.resolve(&reference).await {
            Ok(text) if text.expose().trim().is_empty() => exams.push(Exam::fail(about, format!("{} is empty", reference.uri), "put the secret there")),
            Ok(_) => {
                read += 1;
                exams.extend(seen_by_all(server, about, &reference));
            }
            Err(error) => exams.push(Exam::fail(about, error.to_string(), "run this as the server's user, with its environment")),
        }
    }
    if read > 0 {
        exams.insert(0, Exam::ok("secrets", format!("{read} can be read")));
    }
    exams
}

/// Whether what is sensitive could be sealed.
pub(super) async fn seal_key(server: &Server, secrets: &dyn Secrets) -> Option<Exam> {
    let about = "seal key";
    match (wiring::seal(server, secrets).await, server.seal_key.0.len()) {
        (_, 0) => None,
        (Ok(_), 1) => Some(Exam::ok(
            about,
            "sensitive values are sealed with it; keep a copy elsewhere, because without it they cannot be put back. What was planned before it was called sensitive stands plain in its journal: `trueup store examine` names it while the server is stopped",
        )),
        (Ok(_), keys) => Some(Exam::warn(about, format!("{keys} keys: the first seals, all open"), "take the old ones out when every change that was open under them is over")),
        (Err(error), _) => Some(Exam::fail(about, format!("{error:#}"), "put a key there: `openssl rand -base64 32`")),
    }
}

/// Whether a repository has anything sensitive while the server has no key for it.
pub(super) fn sealed(server: &Server, named: &Repository, policy: Option<&Policy>) -> Option<Exam> {
    let sensitive = policy.is_some_and(|policy| !policy.sensitive.is_empty()) || !named.secrets.is_empty() || named.grants.iter().any(|grant| !grant.sensitive.is_empty());
    let next = "add `seal_key: {file: seal.key}`, with the file outside the data folder; `openssl rand -base64 32` makes one";
    let said = "it may hold sensitive values, and the server has no `seal_key`: plans that touch them are refused";
    (sensitive && server.seal_key.0.is_empty()).then(|| Exam::fail(format!("repository {}: seal key", named.name), said, next))
}

/// A secret file that every user of the machine may read is no secret.
fn seen_by_all(server: &Server, about: String, reference: &SecretRef) -> Option<Exam> {
    use std::os::unix::fs::PermissionsExt;
    let path = server.secrets.as_ref()?.join(reference.uri.strip_prefix("secret://file/")?);
    let open = std::fs::metadata(&path).is_ok_and(|about| about.permissions().mode() & 0o004 != 0);
    open.then(|| Exam::warn(about, format!("every user of this machine may read {}", path.display()), format!("chmod 600 {}", path.display())))
}

/// Whether the data folder, or the first folder above it that is there, may be written and has room.
pub(super) fn folder(data: &Path) -> Exam {
    let there = data.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let name = if there == data { data.display().to_string() } else { format!("{} (to be made in {})", data.display(), there.display()) };
    if data.exists() && !data.is_dir() {
        return Exam::fail("data folder", format!("{name} is no folder"), "name a folder under `data:`");
    }
    if let Err(error) = access(there, Access::WRITE_OK | Access::EXEC_OK) {
        return Exam::fail("data folder", format!("{name} cannot be written: {error}"), "give it to the server's user, or run this as that user");
    }
    match statvfs(there) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let said = format!("{name} can be written; {} MiB are free", free >> 20);
            if free < ROOM { Exam::warn("data folder", said, "make room: a full disk stops every rollout") } else { Exam::ok("data folder", said) }
        }
        Err(error) => Exam::warn("data folder", format!("{name} can be written; its disk does not say what is free: {error}"), "look with `df`"),
    }
}

/// Whether the git program merges without a checkout.
pub(super) fn git() -> Exam {
    let next = "install git 2.38 or newer where the server finds it";
    let said = match std::process::Command::new("git").env_clear().envs(program::environment()).arg("version").output() {
        Ok(ran) => String::from_utf8_lossy(&ran.stdout).trim().to_owned(),
        Err(error) => return Exam::fail("git", format!("the program cannot be started: {error}"), next),
    };
    let mut numbers = said.trim_start_matches("git version ").split('.').map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= GIT => Exam::ok("git", said),
        (Some(_), Some(_)) => Exam::fail("git", format!("{said} cannot merge without a checkout"), next),
        (None, _) | (_, None) => Exam::warn("git", format!("`git version` says `{said}`"), next),
    }
}

/// The mirrors of repositories that are configured no more: nothing removes them.
pub(super) fn mirrors(server: &Server) -> Vec<Exam> {
    let root = server.data.join("mirrors");
    let known: std::collections::BTreeSet<_> = server.repositories.iter().map(|named| server.repository_path(named)).collect();
    let left: Vec<String> = kept(&root).into_iter().filter(|path| !known.contains(path)).map(|path| path.display().to_string()).collect();
    match left.first() {
        None => Vec::new(),
        Some(first) => {
            let said = format!("{} of repositories that are configured no more, the first: {first}", left.len());
            vec![Exam::warn("mirrors", said, "remove the folders once none of their changes is open; a mirror is fetched again when it is missing")]
        }
    }
}

/// The bare repositories below a folder.
fn kept(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<std::path::PathBuf> = Vec::new();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_dir()) {
        match path.join("HEAD").exists() {
            true => found.push(path),
            false => found.extend(kept(&path)),
        }
    }
    found.sort();
    found
}
