//! The hooks that protect the governed branches and note who pushed, and reading those notes back.

use super::error::{LocalError, LocalErrorKind};
use crate::ports::Governed;
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// The environment variable that names who pushes; set by our HTTP door, absent by path.
pub const PUSHER: &str = "REMOTE_USER";

/// The environment variable by which our HTTP door says that the pusher is an admin of the repository.
pub const ADMIN: &str = "TRUEUP_ADMIN";

/// The second line of every hook of ours; a hook without it is somebody else's and is never overwritten.
const OURS: &str = "# Written by trueup at every start; changes here are lost.";

/// A note of a push that never arrived is kept this long: far longer than any push takes.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// One pushed branch as the hook noted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub branch: String,
    /// The new tip; `None`: the branch was deleted.
    pub new: Option<String>,
    /// `None`: pushed by path.
    pub by: Option<String>,
}

/// Writes both hooks; refuses to replace hooks that are not ours.
pub fn install(dir: &Path, branches: &[Governed]) -> Result<(), LocalError> {
    fs::create_dir_all(notes(dir)).map_err(|error| broken(dir, &error))?;
    fs::create_dir_all(dir.join("hooks")).map_err(|error| broken(dir, &error))?;
    for (name, text) in [("update", update(branches)), ("pre-receive", pre_receive())] {
        let path = dir.join("hooks").join(name);
        let there = match fs::read_to_string(&path) {
            Ok(there) => Some(there),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(broken(&path, &error)),
        };
        if there.as_deref() == Some(&*text) {
            continue;
        }
        if there.is_some_and(|there| !there.contains(OURS)) {
            let what = format!("{} is a hook of your own, and trueup needs its place to protect {}; move it away and start again", path.display(), named(branches));
            return Err(LocalError::new(LocalErrorKind::Conflict, what));
        }
        put(&path, &text).map_err(|error| broken(&path, &error))?;
    }
    Ok(())
}

/// Looks whether our hooks protect the branches, and writes nothing.
pub fn guarded(dir: &Path, branches: &[Governed]) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    for (name, text) in [("update", update(branches)), ("pre-receive", pre_receive())] {
        let path = dir.join("hooks").join(name);
        match fs::read_to_string(&path) {
            Ok(there) if there == text => {}
            Ok(there) if there.contains(OURS) => return Err(format!("{} was written for another branch or by another version", path.display())),
            Ok(_) => return Err(format!("{} is not the server's hook, so pushes reach {}", path.display(), named(branches))),
            Err(error) => return Err(format!("{} cannot be read ({}), so pushes reach {}", path.display(), error.kind(), named(branches))),
        }
        if !fs::metadata(&path).is_ok_and(|about| about.permissions().mode() & 0o111 != 0) {
            return Err(format!("{} cannot be run, so pushes reach {}", path.display(), named(branches)));
        }
    }
    Ok(())
}

/// Renamed into place, so that a push in between finds the old hook or the new one.
fn put(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
    fs::rename(new, path)
}

/// The branches as people name them.
fn named(branches: &[Governed]) -> String {
    branches.iter().map(|branch| format!("`{}`", branch.pattern().map_or_else(|| branch.said(), |pattern| pattern.as_str().into()))).collect::<Vec<_>>().join(", ")
}

/// The names that are protected, as patterns of a `case`. What `*` is in sh may hold a `/`: deeper names are protected too, which nobody needs to move.
fn cases(branches: &[Governed]) -> String {
    let case = |branch: &Governed| match branch.pattern() {
        None => quoted(&format!("refs/heads/{}", branch.said())),
        Some(pattern) => format!("{}*{}", quoted(&format!("refs/heads/{}", pattern.beginning())), quoted(pattern.end())),
    };
    branches.iter().map(case).collect::<Vec<_>>().join(" | ")
}

/// Judges each pushed name.
fn update(branches: &[Governed]) -> String {
    let protected = cases(branches);
    format!(
        r#"#!/bin/sh
{OURS}
protected=${{1#refs/heads/}}
case "$1" in
{protected})
    case "$2" in
    *[!0]*)
        echo "trueup: \`$protected\` is moved by trueup alone; push a branch and open a merge request" >&2
        exit 1
        ;;
    esac
    # The branch does not exist yet: whoever can write the folder, or an admin, starts the repository.
    if [ -n "${{{PUSHER}:-}}" ] && [ "${{{ADMIN}:-}}" != 1 ]; then
        echo "trueup: \`$protected\` does not exist yet; an admin of the repository pushes it first" >&2
        exit 1
    fi
    ;;
refs/heads/* | refs/tags/*) ;;
*)
    echo "trueup: only branches and tags can be pushed, not $1" >&2
    exit 1
    ;;
esac
exit 0
"#
    )
}

/// Notes who pushes what, before any name moves: whoever sees the new tip can see the note.
fn pre_receive() -> String {
    format!(
        r#"#!/bin/sh
{OURS}
set -e
note=$(mktemp trueup/pushes/new.XXXXXXXXXX)
while read -r old new name; do
    printf '%s\t%s\t%s\n' "$new" "${{{PUSHER}:-}}" "$name" >>"$note"
done
mv "$note" "trueup/pushes/push.${{note##*.}}"
"#
    )
}

/// A word for sh.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn notes(dir: &Path) -> PathBuf {
    dir.join("trueup").join("pushes")
}

/// What one push left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    pub file: PathBuf,
    /// The branches whose new tip is in the repository. Each counts by itself: another name of the same push may stay refused for ever.
    pub notes: Vec<Note>,
    /// Every tip arrived, or none will any more: the file can go.
    pub complete: bool,
}

/// The slips that wait; `arrived` says whether a commit is in the repository. A refused push leaves none that arrived.
pub fn read(dir: &Path, arrived: impl Fn(&str) -> bool) -> io::Result<Vec<Slip>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(notes(dir))? {
        let entry = entry?;
        let path = entry.path();
        let old = entry.metadata().and_then(|meta| meta.modified()).is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > STALE));
        if !entry.file_name().to_string_lossy().starts_with("push.") {
            if old {
                let _ = fs::remove_file(path);
            }
            continue;
        }
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            // Another look took it in between.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let all: Vec<Note> = bytes.split(|byte| *byte == b'\n').filter_map(note).collect();
        let notes: Vec<Note> = all.iter().filter(|note| note.new.as_deref().is_none_or(&arrived)).cloned().collect();
        let complete = notes.len() == all.len() || old;
        found.push(Slip { file: path, notes, complete });
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(found)
}

/// One line; `None` for tags and for names that are no text, which no merge request can have as its source.
fn note(line: &[u8]) -> Option<Note> {
    let mut fields = std::str::from_utf8(line).ok()?.splitn(3, '\t');
    let (new, by, name) = (fields.next()?, fields.next()?, fields.next()?);
    let branch = name.strip_prefix("refs/heads/")?.to_owned();
    let new = new.contains(|digit| digit != '0').then(|| new.to_owned());
    Some(Note { branch, new, by: (!by.is_empty()).then(|| by.to_owned()) })
}

fn broken(path: &Path, error: &io::Error) -> LocalError {
    LocalError::new(LocalErrorKind::Unavailable, format!("cannot write {}: {error}; the server needs write access there", path.display()))
}
