//! What a folder lets be seen of itself without a write: whether it is there, may be read, may be written where granted, and has room.

use super::folder::Folder;
use crate::{core::model::Str, ports::Exam};
use rustix::fs::{Access, access, statvfs};
use std::path::Path;

/// Below this a merge request of large values may not fit.
const ROOM: u64 = 64 << 20;

/// Examines the folder and what of it is granted.
pub(super) fn probe(target: &str, folder: &Folder, granted: &[Str]) -> Vec<Exam> {
    let about = |what: &str| format!("target {target}: {what}");
    let root = folder.path();
    let mut exams = Vec::new();
    match folder.all() {
        Ok(all) => exams.push(Exam::ok(about("folder"), format!("{} can be read: {} keys", root.display(), all.len()))),
        Err(trouble) => {
            let text = trouble.to_string();
            let (what, next) = text.split_once("; ").unwrap_or((&text, "run this as the server's user"));
            exams.push(Exam::fail(about("folder"), what, next));
            return exams;
        }
    }
    if granted.is_empty() {
        exams.push(Exam::warn(about("rights"), "no repository is granted anything here", "nothing to do, unless one should: add the target under `grants:`"));
    }
    for pattern in granted {
        // Keys are made and renamed in the folder above them; the first that is there is where folders would be made.
        let above = pattern.rsplit_once('/').map_or("", |(above, _)| above);
        let there = root.join(above).ancestors().find(|path| path.is_dir()).unwrap_or(root).to_owned();
        let there = if there.starts_with(root) { there } else { root.to_owned() };
        exams.push(match access(&there, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
            Ok(()) => Exam::ok(about("rights"), format!("`{pattern}` can be written, below {}", there.display())),
            Err(error) => {
                Exam::fail(about("rights"), format!("`{pattern}`: {} cannot be written: {error}", there.display()), "give it to the server's user, or run this as that user")
            }
        });
    }
    exams.extend(room(about("room"), root));
    exams
}

fn room(about: String, root: &Path) -> Option<Exam> {
    let disk = statvfs(root).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let said = format!("{} MiB are free", free >> 20);
    Some(if free < ROOM { Exam::warn(about, said, "make room: a full disk takes no write") } else { Exam::ok(about, said) })
}
