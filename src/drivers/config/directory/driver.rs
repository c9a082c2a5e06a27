//! The driver: observe, act and list over one folder.

use super::{
    folder::{Folder, Found, Trouble},
    probe,
    rights::Rights,
    write::Writing,
};
use crate::{
    core::{
        model::{Fact, Health, Kind, Observed, Reading, Refusal, RefusalKind, ResourceId, Str, Token, Unit, Value, Want},
        plan::{Act, Write},
        run::{Item, Outcome},
    },
    kinds::config::{self, Names, Shape, bytes, key_id, value},
    ports::{Census, Clock, Cx, Driver, Exam, Fut, Leave, ObserveError, ObserveErrorKind, Precondition, Probe, SystemClock},
};
#[cfg(test)]
use rustix::{fd::BorrowedFd, io::Errno};
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Values stand in plans and journals as they are; what is larger is no configuration.
const VALUE_BYTES: usize = 1 << 20;

/// So many keys that cannot be read are named beside the first.
const NAMED: usize = 5;

/// One folder, as the operators configured it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The target's name, for texts and ids.
    pub target: String,
    pub path: PathBuf,
    /// What new files may be used for: `0o644`. Of sensitive ones nothing is given to others.
    pub mode: u32,
}

/// Keeps keys as files of one folder.
pub struct Directory {
    inner: Arc<Inner>,
    kind: &'static config::Config,
}

struct Inner {
    target: String,
    folder: Folder,
    kind: &'static config::Config,
    writes: AtomicU64,
}

impl Directory {
    /// Makes a driver; the folder is not touched before the first call.
    pub fn new(config: Config) -> Self {
        Self::over(&config.target, Folder::new(config.path, VALUE_BYTES as u64, config.mode))
    }

    /// The same with another way to make files and folders last.
    #[cfg(test)]
    pub(crate) fn syncing(config: Config, sync: impl Fn(BorrowedFd<'_>) -> Result<(), Errno> + Send + Sync + 'static) -> Self {
        let mut folder = Folder::new(config.path, VALUE_BYTES as u64, config.mode);
        folder.sync = Box::new(sync);
        Self::over(&config.target, folder)
    }

    fn over(target: &str, folder: Folder) -> Self {
        // Linux takes paths of 4,096 bytes, the root's own among them; an act of a thousand files syncs for seconds, not minutes.
        let shape = Shape { names: Names::Files, key_bytes: 2048, value_bytes: VALUE_BYTES, ops: 1000, bytes: 16 << 20, atomic: false };
        let kind = config::Config::of_target(shape);
        Self { inner: Arc::new(Inner { target: target.to_owned(), folder, kind, writes: AtomicU64::new(0) }), kind }
    }

    /// How many files were written or removed since the driver was made.
    pub fn writes(&self) -> u64 {
        self.inner.writes.load(Ordering::Relaxed)
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Inner) -> T + Send + 'static) -> Result<T, String> {
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(|panic| format!("reading stopped: {panic}"))
    }
}

impl Inner {
    fn error(&self, trouble: &Trouble, about: Vec<ResourceId>) -> ObserveError {
        let kind = match trouble {
            Trouble::NoRoot(_) => ObserveErrorKind::Missing,
            Trouble::Denied(_) | Trouble::Owner(..) => ObserveErrorKind::Denied,
            Trouble::Blocked(_) | Trouble::Large(..) | Trouble::Full | Trouble::Unsure(..) | Trouble::Over(_) | Trouble::Other(..) => ObserveErrorKind::Broken,
        };
        ObserveError { target: self.target.clone(), what: trouble.to_string(), kind, about }
    }

    fn see(&self, wants: &[Want]) -> Result<Vec<Observed>, ObserveError> {
        let goes: BTreeSet<&str> = wants.iter().filter(|want| want.merged.is_none()).map(|want| &*want.id.name).collect();
        wants.iter().map(|want| self.one(want, &goes)).collect()
    }

    /// `goes`: keys that are asked to be gone, whose files are in nobody's way.
    fn one(&self, want: &Want, goes: &BTreeSet<&str>) -> Result<Observed, ObserveError> {
        let key = &*want.id.name;
        let mut merged = want.merged.clone().map(|value| self.kind.canon(&want.id, value)).transpose();
        let mut live = None;
        // What is no path below the folder is never looked for.
        if self.kind.holds(&want.id).is_ok() {
            let blocked = |what: String, advice: &str| Refusal::new(RefusalKind::Target, what).advice(advice);
            match self.folder.look(key).map(|(found, foreign)| (found, foreign.map(|rights| Trouble::Owner(key.to_owned(), rights)))) {
                Ok((Found::File(bytes), foreign)) => {
                    live = Some(value(&bytes));
                    // What would be refused when it is written is refused before anybody approves it.
                    if let (Some(trouble), Ok(Some(asked))) = (foreign, &merged)
                        && live.as_ref() != Some(asked)
                    {
                        merged = Err(refused(&trouble));
                    }
                }
                Ok((Found::Absent, _)) => {}
                Ok((Found::Folder, _)) if want.merged.is_none() || self.folder.goes_with(key, goes).map_err(|trouble| self.error(&trouble, vec![want.id.clone()]))? => {}
                Ok((Found::Folder, _)) => {
                    merged = Err(blocked(format!("`{key}` is a folder in {}", self.folder.path().display()), "rename the key, or remove what is in the folder first"))
                }
                Ok((Found::Below(file), _)) if want.merged.is_none() || goes.contains(&*file) => {}
                Ok((Found::Below(file), _)) => {
                    let what = format!("`{file}` is a file in {}, and `{key}` would stand below it", self.folder.path().display());
                    merged = Err(blocked(what, "rename one of the two, or remove the file in the same merge request"));
                }
                Err(trouble @ (Trouble::Blocked(_) | Trouble::Large(..))) => merged = Err(refused(&trouble)),
                Err(trouble) => return Err(self.error(&trouble, vec![want.id.clone()])),
            }
        }
        let base = want.base.clone().map(|value| self.kind.canon(&want.id, value.clone()).unwrap_or(value));
        Ok(observed(want.id.clone(), Reading::Seen { live, base, merged }))
    }

    /// Everything that starts so; an error that names what could not be read of it: without that it would be half a list.
    fn list(&self, prefix: &str) -> Result<Vec<Observed>, ObserveError> {
        let (mut found, mut unread) = (Vec::new(), Vec::new());
        let each = |key: String, read: Result<(Vec<u8>, Rights), Trouble>| match read {
            Ok((bytes, _)) => {
                let live: Option<Value> = Some(value(&bytes));
                found.push(observed(key_id(&self.target, &key), Reading::Seen { live, base: None, merged: Ok(None) }));
            }
            Err(trouble) => unread.push((key_id(&self.target, &key), trouble)),
        };
        self.folder.walk(prefix, each).map_err(|trouble| self.error(&trouble, Vec::new()))?;
        unread.sort_by(|a, b| a.0.cmp(&b.0));
        if let Some((_, first)) = unread.first() {
            let mut error = self.error(first, unread.iter().map(|(id, _)| id.clone()).collect());
            if let [_, more @ ..] = &*unread
                && !more.is_empty()
            {
                let names: Vec<String> = more.iter().take(NAMED).map(|(id, _)| format!("`{}`", id.name)).collect();
                error.what = format!("{}; nor can {}{} be read", error.what, names.join(", "), if more.len() > NAMED { " and others" } else { "" });
            }
            return Err(error);
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    fn write(&self, writes: &[Write], skip: &BTreeSet<u32>, sensitive: &[u32], leave: &Leave) -> Vec<Item> {
        let mut items = vec![Item::NotTried; writes.len()];
        let (gone, come): (Vec<_>, Vec<_>) = writes.iter().enumerate().filter(|(at, _)| !skip.contains(&(*at as u32))).partition(|(_, write)| write.to.is_none());
        let mut writing = Writing::new(&self.folder, leave);
        // Deletes first, so that a file makes room for the folder of its name.
        for (at, write) in gone.into_iter().chain(come) {
            if !leave.stands() {
                break;
            }
            items[at] = self.item(write, sensitive.contains(&(at as u32)), &mut writing);
        }
        items
    }

    fn item(&self, write: &Write, sensitive: bool, writing: &mut Writing<'_>) -> Item {
        let key = &*write.id.name;
        let to = match self.kind.holds(&write.id).and_then(|()| write.to.as_ref().map(bytes).transpose()) {
            Ok(to) => to,
            Err(refusal) => return Item::Refused(refusal),
        };
        let live = match self.folder.read(key) {
            Ok(Found::File(bytes)) => Some(bytes),
            Ok(Found::Absent | Found::Folder | Found::Below(_)) => None,
            Err(trouble) => return failed(&trouble),
        };
        if live == to {
            return Item::Already;
        }
        let found = live.as_deref().map(value);
        if found != write.from {
            return Item::Moved(found);
        }
        let done = match &to {
            Some(bytes) => writing.put(key, bytes, sensitive),
            None => writing.delete(key),
        };
        if matches!(done, Err(Trouble::Over(_))) {
            return Item::NotTried;
        }
        self.writes.fetch_add(1, Ordering::Relaxed);
        done.map_or_else(|trouble| failed(&trouble), |()| Item::Done)
    }
}

fn refused(trouble: &Trouble) -> Refusal {
    let text = trouble.to_string();
    let (what, advice) = text.split_once("; ").unwrap_or((&text, "look at it on the server"));
    Refusal::new(RefusalKind::Target, what).advice(advice)
}

fn failed(trouble: &Trouble) -> Item {
    let why = trouble.to_string();
    match trouble {
        Trouble::Blocked(_) | Trouble::Large(..) | Trouble::Owner(..) => Item::Refused(refused(trouble)),
        Trouble::NoRoot(_) | Trouble::Denied(_) => Item::Failed { transient: false, why },
        // It stands there, and nobody knows whether it stays: reading tells what it came to.
        Trouble::Unsure(..) => Item::Unknown,
        Trouble::Over(_) => Item::NotTried,
        Trouble::Full | Trouble::Other(..) => Item::Failed { transient: true, why },
    }
}

fn observed(id: ResourceId, reading: Reading) -> Observed {
    Observed { id, reading, facts: Default::default(), health: Health::NotAsked, token: Token::default(), at: SystemClock.now() }
}

impl Driver for Directory {
    fn kind(&self) -> &'static dyn Kind {
        self.kind
    }

    fn precondition(&self) -> Precondition {
        Precondition::ReadThenWrite
    }

    fn observe<'a>(&'a self, _cx: &'a Cx<'a>, wants: &'a [Want], _facts: &'a [Fact]) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        Box::pin(async move {
            let wants = wants.to_vec();
            let broken = |what| ObserveError { target: self.inner.target.clone(), what, kind: ObserveErrorKind::Broken, about: Vec::new() };
            self.blocking(move |inner| inner.see(&wants)).await.map_err(broken)?
        })
    }

    fn act<'a>(&'a self, cx: &'a Cx<'a>, act: &'a Act, skip: &'a BTreeSet<u32>, _tokens: &'a [Token]) -> Fut<'a, Outcome> {
        Box::pin(async move {
            let writes = match act {
                Act::Write(writes) => writes.clone(),
                Act::Verb { .. } | Act::Run { .. } | Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause | Act::Earlier(_) => {
                    let refusal = Refusal::new(RefusalKind::Target, "a folder knows writes alone").advice("plan the step without verbs and programs");
                    return Outcome::all(1, Item::Refused(refusal));
                }
            };
            let (count, skip, sensitive, leave) = (writes.len(), skip.clone(), cx.sensitive.to_vec(), cx.leave());
            match self.blocking(move |inner| inner.write(&writes, &skip, &sensitive, &leave)).await {
                Ok(items) => Outcome { items, report: None },
                Err(why) => Outcome { items: vec![Item::Unknown; count], report: Some(why) },
            }
        })
    }

    fn census(&self) -> Option<&dyn Census> {
        Some(self)
    }

    fn prober(&self) -> Option<&dyn Probe> {
        Some(self)
    }
}

impl Probe for Directory {
    fn probe<'a>(&'a self, _cx: &'a Cx<'a>, _units: &'a [Unit], granted: &'a [Str]) -> Fut<'a, Vec<Exam>> {
        Box::pin(async move {
            let granted = granted.to_vec();
            let looked = self.blocking(move |inner| probe::probe(&inner.target, &inner.folder, &granted)).await;
            looked.unwrap_or_else(|why| vec![Exam::fail(format!("target {}: folder", self.inner.target), why, "look at the folder")])
        })
    }
}

impl Census for Directory {
    fn list<'a>(&'a self, cx: &'a Cx<'a>, unit: &'a Unit) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        self.list_below(cx, unit, "")
    }

    fn list_below<'a>(&'a self, _cx: &'a Cx<'a>, _unit: &'a Unit, prefix: &'a str) -> Fut<'a, Result<Vec<Observed>, ObserveError>> {
        Box::pin(async move {
            let prefix = prefix.to_owned();
            let broken = |what| ObserveError { target: self.inner.target.clone(), what, kind: ObserveErrorKind::Broken, about: Vec::new() };
            self.blocking(move |inner| inner.list(&prefix)).await.map_err(broken)?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_that_cannot_be_kept_is_refused_when_it_is_planned_and_what_is_only_read_or_removed_is_not() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), b"1").unwrap();
        let asks = |gives: fn(Rights, Option<Rights>) -> bool, merged: Option<&[u8]>| {
            let mut folder = Folder::new(dir.path().to_owned(), 100, 0o644);
            folder.gives = gives;
            let inner = Directory::over("files", folder).inner;
            let want = Want { id: key_id("files", "a"), base: Some(value(b"1")), merged: merged.map(value), ours: None };
            let Reading::Seen { live, merged, .. } = inner.see(&[want]).unwrap().remove(0).reading else { panic!("it was read") };
            assert_eq!(live, Some(value(b"1")));
            merged
        };
        let refused = asks(|_, _| false, Some(b"2")).unwrap_err();
        assert!(refused.to_string().contains("`a` belongs to user"), "{refused}");
        assert_eq!(asks(|_, _| false, Some(b"1")), Ok(Some(value(b"1"))));
        assert_eq!(asks(|_, _| false, None), Ok(None));
        assert_eq!(asks(|_, _| true, Some(b"2")), Ok(Some(value(b"2"))));
    }
}
