//! What a folder lets be seen of itself without a write: whether it is there, may be read, may be written where granted, and has room.

use super::{
    folder::{Folder, Trouble},
    rights::Rights,
};
use crate::{core::model::Str, ports::Exam};
use rustix::fs::{Access, access, statvfs};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Below this a merge request of large values may not fit.
const ROOM: u64 = 64 << 20;

/// Examines the folder and what of it is granted.
pub(super) fn probe(target: &str, folder: &Folder, granted: &[Str]) -> Vec<Exam> {
    let about = |what: &str| format!("target {target}: {what}");
    let root = folder.path();
    let mut exams = Vec::new();
    let (mut keys, mut unread, mut foreign) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
    if let Err(trouble) = folder.is_there() {
        exams.push(failed(about("folder"), &trouble));
        return exams;
    }
    for pattern in granted.iter().map(|pattern| &**pattern) {
        let each = |key: String, read: Result<(Vec<u8>, Rights), Trouble>| match read {
            // One key is granted, and not what starts so.
            _ if !pattern.ends_with('*') && key != pattern => {}
            Ok((_, rights)) => {
                if !rights.can_be_given(None) {
                    foreign.insert(key.clone());
                }
                keys.insert(key);
            }
            Err(trouble) => drop(unread.insert(key, trouble)),
        };
        if let Err(trouble) = folder.walk(pattern.strip_suffix('*').unwrap_or(pattern), each) {
            exams.push(failed(about("folder"), &trouble));
            return exams;
        }
    }
    match unread.first_key_value() {
        None => exams.push(Exam::ok(about("folder"), format!("{} can be read: {} keys that are granted", root.display(), keys.len()))),
        Some((_, first)) => {
            exams.push(failed(about("folder"), first));
            exams.extend(unread.values().skip(1).map(|trouble| failed(about("folder"), trouble)));
        }
    }
    if let Some(first) = foreign.first() {
        let said = format!("`{first}` and {} more belong to users and groups to whom this user may not be able to give what replaces them", foreign.len() - 1);
        exams.push(Exam::warn(
            about("owners"),
            said,
            "run the server as a user that may, or give the files to its user and a group of its own: changing them is refused otherwise",
        ));
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

fn failed(about: String, trouble: &Trouble) -> Exam {
    let text = trouble.to_string();
    let (what, next) = text.split_once("; ").unwrap_or((&text, "run this as the server's user"));
    Exam::fail(about, what, next)
}

fn room(about: String, root: &Path) -> Option<Exam> {
    let disk = statvfs(root).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let said = format!("{} MiB are free", free >> 20);
    Some(if free < ROOM { Exam::warn(about, said, "make room: a full disk takes no write") } else { Exam::ok(about, said) })
}
