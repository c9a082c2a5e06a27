//! What the embedded engines share: the cell of a row, what is said of a failing disk, and reads off the runtime's threads.

use crate::ports::{Fut, Key, KvError, KvErrorKind, Row};
use std::{io, path::Path};

/// The cell of a row: eight bytes of revision, then the value.
pub(super) fn join(rev: u64, value: &[u8]) -> Vec<u8> {
    [&rev.to_be_bytes(), value].concat()
}

/// The revision and the value of a cell; none when it is damaged.
pub(super) fn split(cell: &[u8]) -> Option<(u64, &[u8])> {
    let (rev, value) = cell.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*rev), value))
}

/// Reads a range where blocking is allowed.
pub(super) fn range<'a>(from: Key, to: Key, read: impl FnOnce(&Key, &Key) -> Result<Vec<Row>, KvError> + Send + 'static) -> Fut<'a, Result<Vec<Row>, KvError>> {
    if from >= to {
        return Box::pin(async { Ok(Vec::new()) });
    }
    Box::pin(async move {
        let read = tokio::task::spawn_blocking(move || read(&from, &to));
        read.await.map_err(|error| KvError { what: format!("a read of the store was cut off: {error}"), kind: KvErrorKind::Io })?
    })
}

/// What the operating system says of the store's files; `headroom` is what `full` says.
pub(super) fn io_error(error: &io::Error, path: &Path, headroom: u64) -> KvError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => full(path, headroom),
        _ => failed(path, &format!("{error}; check the disk and restart")),
    }
}

/// No space; an engine that stops early says how many bytes it wants free.
pub(super) fn full(path: &Path, headroom: u64) -> KvError {
    let wanted = if headroom == 0 { String::new() } else { format!(": fewer than {} MiB are free", headroom >> 20) };
    KvError { what: format!("no space left for the store {}{wanted}; free some, work goes on by itself then", path.display()), kind: KvErrorKind::Full }
}

/// Somebody else has the folder.
pub(super) fn locked(folder: &Path) -> KvError {
    KvError { what: format!("another process uses the data folder {}; stop it, or give this one a folder of its own", folder.display()), kind: KvErrorKind::Locked }
}

/// Bytes that are not what was written.
pub(super) fn damaged(path: &Path, what: &str) -> KvError {
    KvError { what: format!("the store {} is damaged ({what}); restore it from a backup", path.display()), kind: KvErrorKind::Corrupt }
}

/// A row whose cell cannot be taken apart.
pub(super) fn damaged_row(path: &Path, key: &[u8]) -> KvError {
    damaged(path, &format!("row `{}`", String::from_utf8_lossy(key)))
}

/// Anything else of the world; the commit may or may not have happened.
pub(super) fn failed(path: &Path, what: &str) -> KvError {
    KvError { what: format!("the store {} failed: {what}", path.display()), kind: KvErrorKind::Io }
}
