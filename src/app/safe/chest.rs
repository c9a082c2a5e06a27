//! The safe itself: the providers of secrets, the keys, and which secrets are the server's own.

use crate::{
    core::model::{Hidden, Kind, Refusal, RefusalKind, ResourceId, SecretRef, Str, Value},
    ports::{Fut, SecretError, SecretErrorKind, SecretText, Secrets},
    secrets::{KeyError, OpenError, Seal},
};
use std::{collections::BTreeSet, sync::Arc};

/// Hides values, opens them, and resolves references for those who may.
pub struct Safe {
    secrets: Arc<dyn Secrets>,
    seal: Seal,
    /// References (`env/NAME`) of the server's own secrets, which no repository is given.
    own: BTreeSet<Str>,
}

impl Safe {
    pub fn new(secrets: Arc<dyn Secrets>, seal: Seal, own: BTreeSet<Str>) -> Self {
        Self { secrets, seal, own }
    }

    /// For plans that look at nothing: values are hidden, nothing is opened and no provider is asked.
    pub fn blind() -> Result<Self, KeyError> {
        Ok(Self::new(Arc::new(Nobody), Seal::for_now()?, BTreeSet::new()))
    }

    pub fn secrets(&self) -> &dyn Secrets {
        &*self.secrets
    }

    /// Whether what is sealed now can be opened after a restart.
    pub fn is_kept(&self) -> bool {
        self.seal.is_kept()
    }

    /// Whether a mac was made by a key that is still there.
    pub fn knows(&self, hidden: &Hidden) -> bool {
        self.seal.knows(hidden)
    }

    pub(super) fn hide(&self, value: &Value) -> Value {
        Value::Hidden(Box::new(self.seal.hide(value)))
    }

    pub(super) fn seal(&self, id: &ResourceId, value: &Value) -> Value {
        Value::Hidden(Box::new(self.seal.seal(id, value)))
    }

    /// Hides what a reference led to, under the version that was found.
    pub(super) fn label(&self, value: &Value, secret: SecretRef) -> Value {
        let mut hidden = self.seal.hide(value);
        hidden.secret = Some(secret);
        Value::Hidden(Box::new(hidden))
    }

    /// The value of something hidden; `None`: there is no way back.
    pub(super) fn open(&self, id: &ResourceId, hidden: &Hidden) -> Option<Result<Value, OpenError>> {
        self.seal.open(id, hidden)
    }

    /// Whether one of a repository's rules (`vault/kv/app/*`) gives it this secret. What is the server's own is given to nobody.
    pub fn gives(&self, rules: &[Str], secret: &SecretRef) -> bool {
        let fits = |rule: &Str| match rule.strip_suffix('*') {
            Some(start) => secret.name().starts_with(start),
            None => secret.name() == &**rule,
        };
        !self.own.contains(secret.name()) && rules.iter().any(fits)
    }

    pub(super) async fn resolve(&self, secret: &SecretRef) -> Result<SecretText, SecretError> {
        self.secrets.resolve(secret).await
    }

    /// What a reference of a plan leads to now, as its resource holds it.
    ///
    /// Only the content that was approved is handed out: another one is an error, whatever version it has.
    pub(super) async fn reread(&self, id: &ResourceId, kind: &dyn Kind, secret: &SecretRef, approved: &Hidden) -> Result<Value, Reread> {
        let text = self.resolve(secret).await.map_err(|error| Reread { transient: error.kind == SecretErrorKind::Unavailable, why: error.to_string() })?;
        let value = kind.canon(id, Value::str(text.expose())).map_err(|_| Reread {
            transient: false,
            why: format!("{secret} is nothing that this target can hold any more; look at it where it is kept, then plan again with `/trueup plan`"),
        })?;
        let now = self.seal.hide(&value);
        if now == *approved {
            return Ok(value);
        }
        let why = if self.knows(approved) {
            format!("{secret} is another one now than when the plan was made; plan again with `/trueup plan`")
        } else {
            "the server's seal key was replaced since the plan was made; plan again with `/trueup plan`".to_owned()
        };
        Err(Reread { transient: false, why })
    }
}

/// Asks no provider.
struct Nobody;

impl Secrets for Nobody {
    fn resolve<'a>(&'a self, secret: &'a SecretRef) -> Fut<'a, Result<SecretText, SecretError>> {
        let what = "no provider is asked here".to_owned();
        Box::pin(async move { Err(SecretError { uri: secret.to_string(), what, kind: SecretErrorKind::Unavailable }) })
    }
}

/// Why a reference does not lead to what was approved.
pub(super) struct Reread {
    pub transient: bool,
    pub why: String,
}

/// What to do without a seal key.
pub(in crate::app) fn no_key(what: String) -> Refusal {
    Refusal::new(RefusalKind::Unknown, what).advice(
        "add `seal_key: {file: seal.key}` to the server's configuration, with the file in its `secrets` folder and outside its data folder; \
         `openssl rand -base64 32` makes one",
    )
}
