//! The reception of webhooks: judges a delivery, and keeps it in the store's inbox before anybody hears that it was taken.

use crate::{
    core::model::{RepoId, Str},
    forges::hooks::{Dialect, Envelope, Hint, Reading, RepositoryNews, Subject, Unreadable, payload_of_form, read, verify},
    ports::{Clock, SecretText},
    stores::{Enqueued, Store},
};
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Notify;

/// What deliveries are called in the inbox, before the forge's name.
const SOURCE: &str = "hook ";

/// Hints that wait in memory; beyond them they wait in the store alone.
const WAITING: usize = 20_000;

/// Where one forge's deliveries come in.
#[derive(Clone, Debug)]
pub struct Door {
    pub dialect: Dialect,
    /// What its deliveries are signed with, any of them.
    pub secrets: Vec<SecretText>,
    /// Its governed projects by path. Add them with `Door::with`.
    projects: BTreeMap<String, Project>,
}

/// One governed project of a forge.
#[derive(Clone, Debug)]
pub struct Project {
    pub repo: RepoId,
    /// What its own deliveries are signed with; none: what the forge's are.
    pub secrets: Vec<SecretText>,
}

impl Door {
    pub fn new(dialect: Dialect, secrets: Vec<SecretText>) -> Self {
        Self { dialect, secrets, projects: BTreeMap::new() }
    }

    /// The same with a project; forges do not tell letters of different case apart in paths.
    #[must_use]
    pub fn with(mut self, path: &str, project: Project) -> Self {
        self.projects.insert(path.to_ascii_lowercase(), project);
        self
    }
}

/// A delivery that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is on disk and is looked at.
    Kept,
    /// It came before.
    Known,
    /// It says nothing about merge requests.
    Nothing,
    /// It is genuine and about a project that is not governed here.
    NotOurs,
}

/// A genuine delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// There is nothing to keep of it.
    Without(Taken),
    Hint {
        forge: Str,
        id: String,
        hint: Hint,
    },
}

/// Why a delivery was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Whoever sent it learns no more than this; the reason is for our log and numbers.
    #[error("this delivery is not genuine")]
    Unproven(&'static str),
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    /// It is looked at all the same, as far as this process lives.
    #[error("it could not be kept: {0}")]
    Unkept(String),
}

/// A body as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Json,
    Form,
}

/// The one place where deliveries come in.
pub struct Reception {
    doors: BTreeMap<Str, Door>,
    store: Store,
    clock: Arc<dyn Clock>,
    waiting: Mutex<Waiting>,
    pub(super) bell: Notify,
}

#[derive(Default)]
pub(super) struct Waiting {
    /// With the number in the inbox, where it is there.
    pub hints: Vec<(Option<u64>, Hint)>,
    /// More came than are held here: the inbox has them.
    pub more: bool,
}

impl Reception {
    pub fn new(store: Store, clock: Arc<dyn Clock>, doors: BTreeMap<Str, Door>) -> Self {
        Self { doors, store, clock, waiting: Mutex::default(), bell: Notify::new() }
    }

    /// Judges a delivery. Costs as much as its payload is long, so a large one is judged where blocking is allowed.
    pub fn judge<'a>(&self, forge: &str, header: impl Fn(&str) -> Option<&'a str>, part: Part, body: &[u8]) -> Result<Judged, NotTaken> {
        let (name, door) = self.doors.get_key_value(forge).ok_or(NotTaken::Unproven("unknown_forge"))?;
        let envelope = Envelope::of(header).filter(|envelope| envelope.dialect == door.dialect).ok_or(NotTaken::Unproven("unsigned"))?;
        let decoded = (part == Part::Form).then(|| payload_of_form(body).unwrap_or_default());
        let payload = decoded.as_deref().unwrap_or(body);
        // Which secret it is depends on the project that it names, so it is read first; nothing of it counts before the proof.
        let reading = read(door.dialect, &envelope.event, payload);
        let project = reading.as_ref().ok().and_then(|reading| reading.projects.iter().find_map(|path| Some((path.clone(), door.projects.get(&path.to_ascii_lowercase())?))));
        let secrets = project.as_ref().map(|(_, project)| &project.secrets).filter(|own| !own.is_empty()).unwrap_or(&door.secrets);
        verify(&envelope, body, payload, secrets, self.clock.now()).map_err(|refused| NotTaken::Unproven(refused.as_str()))?;
        let Reading { projects, about, at, push } = reading?;
        let Some(about) = about else { return Ok(Judged::Without(Taken::Nothing)) };
        let Some((path, Project { repo, secrets: _ })) = project else { return Ok(Judged::Without(Taken::NotOurs)) };
        if about == Subject::Repository(RepositoryNews::Moved) {
            let now_at = projects.first().map_or("", |path| path);
            tracing::warn!(%repo, forge, "`{path}` is `{now_at}` now; write that as its `project` and restart, before the forge forgets the old name");
        }
        // Without an id of its own, its content is its id.
        let id = envelope.id.unwrap_or_else(|| URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, payload)));
        Ok(Judged::Hint { forge: name.clone(), id, hint: Hint { repo: repo.clone(), about, at, push } })
    }

    /// Keeps what a delivery hints at; on return it is durable, or there was nothing to keep.
    pub async fn keep(&self, judged: Judged) -> Result<Taken, NotTaken> {
        let (forge, id, hint) = match judged {
            Judged::Without(taken) => return Ok(taken),
            Judged::Hint { forge, id, hint } => (forge, id, hint),
        };
        // A hint is made of names and numbers, which are always JSON.
        let bytes = serde_json::to_vec(&hint).unwrap_or_default();
        match self.store.enqueue(&format!("{SOURCE}{forge}"), &id, self.clock.now(), &bytes).await {
            Ok(Enqueued::New(n)) => {
                self.put(Some(n), hint);
                Ok(Taken::Kept)
            }
            Ok(Enqueued::Known) => Ok(Taken::Known),
            Err(error) => {
                self.put(None, hint);
                Err(NotTaken::Unkept(error.to_string()))
            }
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// The name of a configured forge, for labels that nobody else makes up.
    pub fn name(&self, forge: &str) -> Option<&Str> {
        self.doors.get_key_value(forge).map(|(name, _)| name)
    }

    /// The hints that wait, and whether the inbox holds more.
    pub(super) fn all(&self) -> Waiting {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, n: Option<u64>, hint: Hint) {
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.hints.len() < WAITING {
                waiting.hints.push((n, hint));
            } else {
                waiting.more = true;
            }
        }
        self.bell.notify_one();
    }
}

/// Whether a delivery of the inbox is a webhook.
pub(super) fn is_hook(source: &str) -> bool {
    source.starts_with(SOURCE)
}
