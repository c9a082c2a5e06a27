//! Where each kind of row lives in the key space: readable paths that sort as their numbers do.

use crate::{
    core::{
        model::{BlobId, MrId, RepoId},
        run::StreamId,
    },
    ports::Key,
};

/// The key of a typed row: path segments, each ended by `/`, so that a key is also the prefix of what lies below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey(Key);

impl RowKey {
    /// Starts a path, one name for each kind of row.
    pub fn new(kind: &str) -> Self {
        Self(b"row/".to_vec()).text(kind)
    }

    /// Adds a segment of text.
    #[must_use]
    pub fn text(mut self, segment: &str) -> Self {
        push(&mut self.0, segment);
        self
    }

    /// Adds a number that sorts as a number.
    #[must_use]
    pub fn num(self, n: u64) -> Self {
        self.text(&number(n))
    }

    pub(super) fn bytes(&self) -> Key {
        self.0.clone()
    }

    pub(super) fn from_bytes(key: Key) -> Self {
        Self(key)
    }

    /// The segments after the kind, as they were given.
    pub fn segments(&self) -> Vec<String> {
        let path = String::from_utf8_lossy(&self.0).into_owned();
        path.trim_end_matches('/').split('/').skip(2).map(unescape).collect()
    }
}

/// Twenty digits hold every `u64`, so text order is number order.
fn number(n: u64) -> String {
    format!("{n:020}")
}

/// Appends an escaped segment and its ending `/`. Escaping keeps `/` a separator and control bytes readable.
fn push(key: &mut Key, segment: &str) {
    for byte in segment.bytes() {
        match byte {
            b'/' | b'%' | 0..=0x1f => key.extend(format!("%{byte:02x}").bytes()),
            plain => key.push(plain),
        }
    }
    key.push(b'/');
}

fn unescape(segment: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        let hex = if byte == b'%' { bytes.next().zip(bytes.next()) } else { None };
        let code = hex.and_then(|(high, low)| u8::from_str_radix(std::str::from_utf8(&[high, low]).ok()?, 16).ok());
        out.push(code.unwrap_or(byte));
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn path(parts: &[&str]) -> Key {
    let mut key = Key::new();
    for part in parts {
        push(&mut key, part);
    }
    key
}

/// The end of the range of keys that start with `prefix`, which ends with `/`.
pub(super) fn end(prefix: &Key) -> Key {
    let mut end = prefix.clone();
    end.pop();
    // The byte after `/`.
    end.push(b'0');
    end
}

fn stream(root: &str, id: &StreamId) -> Key {
    match id {
        StreamId::Change(MrId { repo, number: n }) => path(&[root, "change", repo.as_str(), &number(*n)]),
        StreamId::Board => path(&[root, "board"]),
        StreamId::Overrides => path(&[root, "overrides"]),
    }
}

/// The records of a stream: `…/first`.
pub(super) fn journal(id: &StreamId) -> Key {
    stream("journal", id)
}

/// One row of records, named by the number of its first.
pub(super) fn record(id: &StreamId, first: u64) -> Key {
    let mut key = journal(id);
    push(&mut key, &number(first));
    key
}

/// What the records of a stream before its cut add up to.
pub(super) fn image(id: &StreamId) -> Key {
    stream("image", id)
}

/// How far a stream is, with its card.
pub(super) fn head(id: &StreamId) -> Key {
    stream("head", id)
}

pub(super) fn heads() -> Key {
    path(&["head", "change"])
}

pub(super) fn lease(id: &StreamId) -> Key {
    stream("lease", id)
}

/// A lease about no stream.
pub(super) fn named_lease(name: &str) -> Key {
    path(&["lease", "named", name])
}

/// The leases of changes, of one repository or of all.
pub(super) fn leases(repo: Option<&RepoId>) -> Key {
    let mut key = path(&["lease", "change"]);
    if let Some(repo) = repo {
        push(&mut key, repo.as_str());
    }
    key
}

/// The change that the key of a lease is about.
pub(super) fn change_of(lease: &[u8]) -> Option<MrId> {
    let text = std::str::from_utf8(lease).ok()?.trim_end_matches('/');
    let (rest, n) = text.rsplit_once('/')?;
    let (_, repo) = rest.rsplit_once('/')?;
    Some(MrId { repo: RepoId::new(unescape(repo)), number: n.parse().ok()? })
}

/// After every key there is.
pub(super) fn all_end() -> Key {
    vec![0xff]
}

pub(super) fn journals() -> Key {
    path(&["journal"])
}

pub(super) fn images() -> Key {
    path(&["image"])
}

pub(super) fn blobs() -> Key {
    path(&["blob"])
}

/// The blob whose head stands at a key; none at a page.
pub(super) fn blob_of(key: &[u8]) -> Option<BlobId> {
    let rest = std::str::from_utf8(key).ok()?.strip_prefix("blob/")?;
    rest.strip_suffix("/head/").filter(|id| !id.contains('/')).map(|id| BlobId::new(unescape(id)))
}

/// Stands in a store while it is filled from another.
pub(super) fn filling() -> Key {
    path(&["filling"])
}

/// Stands in a store, with a session, while it is moved to another.
pub(super) fn closed() -> Key {
    path(&["closed"])
}

/// Stands in a store that was moved to another, and stays.
pub(super) fn moved() -> Key {
    path(&["moved"])
}

/// Whether a key belongs to a session, and so to a process and to no other store.
pub(super) fn is_of_a_session(key: &[u8]) -> bool {
    [path(&["lease"]), members(), path(&["letter"]), closed()].iter().any(|prefix| key.starts_with(prefix))
}

/// The last segment of a key, as it was given.
pub(super) fn last_segment(key: &[u8]) -> Option<String> {
    std::str::from_utf8(key).ok()?.trim_end_matches('/').rsplit('/').next().map(unescape)
}

pub(super) fn members() -> Key {
    path(&["member"])
}

pub(super) fn member(name: &str) -> Key {
    path(&["member", name])
}

pub(super) fn letters(to: &str) -> Key {
    path(&["letter", to])
}

pub(super) fn letter(to: &str, from: &str, n: u64) -> Key {
    path(&["letter", to, from, &number(n)])
}

pub(super) fn inbox() -> Key {
    path(&["inbox", "new"])
}

pub(super) fn delivery(n: u64) -> Key {
    path(&["inbox", "new", &number(n)])
}

pub(super) fn seen(source: &str, id: &str) -> Key {
    path(&["inbox", "seen", source, id])
}

pub(super) fn all_seen() -> Key {
    path(&["inbox", "seen"])
}

pub(super) fn blob(id: &BlobId) -> Key {
    path(&["blob", id.as_str(), "head"])
}

pub(super) fn page(id: &BlobId, n: u64) -> Key {
    path(&["blob", id.as_str(), "page", &number(n)])
}
