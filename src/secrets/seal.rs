//! The server's own keys: macs by which hidden values compare, and seals that only it opens.

use crate::{
    core::model::{Hidden, ResourceId, Str, Value},
    ports::SecretText,
};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hmac,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::fmt::Write as _;

/// Shorter is no key but a password that can be guessed: 32 random bytes are 44 characters of base64 or 64 of hex.
const KEY_LEAST: usize = 32;

/// The keys of `seal_key`, newest first.
///
/// The first seals and all open. The last makes the macs, so that adding a new first key changes no mac of a change that is under way.
pub struct Seal {
    keys: Vec<Key>,
    /// Whether operators keep the keys, so that what is sealed can be opened after a restart.
    kept: bool,
}

struct Key {
    id: String,
    seal: RandomizedNonceKey,
    mac: hmac::Key,
}

/// Why a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("a seal key has at least {KEY_LEAST} characters; make one with `openssl rand -base64 32`")]
    Short,
    #[error("there is no seal key in the list; name one, or leave `seal_key` out")]
    None,
    #[error("the machine's randomness or its cipher cannot be used")]
    Broken,
}

/// Why something sealed stays closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("it was sealed with the key {0}, which is not in the server's `seal_key` any more; put that key back behind the first and restart")]
    LostKey(String),
    #[error("what is sealed was changed or is of another resource; look who can write the store")]
    Broken,
}

impl Seal {
    /// The keys as operators keep them, newest first.
    pub fn new(texts: &[SecretText]) -> Result<Self, KeyError> {
        if texts.is_empty() {
            return Err(KeyError::None);
        }
        let keys = texts.iter().map(|text| Key::new(text.expose().trim().as_bytes())).collect::<Result<_, _>>()?;
        Ok(Self { keys, kept: true })
    }

    /// A key of this process alone: values are hidden, and nothing that is sealed outlives it.
    pub fn for_now() -> Result<Self, KeyError> {
        let mut bytes = [0u8; 64];
        getrandom::fill(&mut bytes).map_err(|_| KeyError::Broken)?;
        Ok(Self { keys: vec![Key::new(&bytes)?], kept: false })
    }

    pub fn is_kept(&self) -> bool {
        self.kept
    }

    /// Hides a value so that it can be compared.
    pub fn hide(&self, value: &Value) -> Hidden {
        let Some(key) = self.keys.last() else { return Hidden { mac: "".into(), secret: None, sealed: None } };
        let mut context = hmac::Context::with_key(&key.mac);
        context.update(b"trueup/hidden/1\0");
        context.update(&value.canonical());
        Hidden { mac: format!("{}:{}", key.id, hex(context.sign().as_ref())).into(), secret: None, sealed: None }
    }

    /// Hides a value so that `open` brings it back for this resource.
    pub fn seal(&self, id: &ResourceId, value: &Value) -> Hidden {
        let mut hidden = self.hide(value);
        hidden.sealed = self.keys.first().and_then(|key| key.close(id, value));
        hidden
    }

    /// Whether a mac was made by a key that is still there: only then does being unequal say anything.
    pub fn knows(&self, hidden: &Hidden) -> bool {
        hidden.mac.split_once(':').is_some_and(|(id, _)| self.keys.last().is_some_and(|key| key.id == id))
    }

    /// The value again; `None`: it was hidden without a way back.
    pub fn open(&self, id: &ResourceId, hidden: &Hidden) -> Option<Result<Value, OpenError>> {
        let sealed = hidden.sealed.as_deref()?;
        Some(self.opened(id, hidden, sealed))
    }

    fn opened(&self, id: &ResourceId, hidden: &Hidden, sealed: &str) -> Result<Value, OpenError> {
        let (key, text) = sealed.split_once(':').ok_or(OpenError::Broken)?;
        let key = self.keys.iter().find(|known| known.id == key).ok_or_else(|| OpenError::LostKey(key.to_owned()))?;
        let value = key.open(id, text).ok_or(OpenError::Broken)?;
        // A mac of this key is checked too: what was sealed for another value of this resource is not put back.
        if self.knows(hidden) && self.hide(&value) != *hidden { Err(OpenError::Broken) } else { Ok(value) }
    }
}

impl Key {
    fn new(text: &[u8]) -> Result<Self, KeyError> {
        if text.len() < KEY_LEAST {
            return Err(KeyError::Short);
        }
        let root = hmac::Key::new(hmac::HMAC_SHA256, text);
        let derived = |of: &[u8]| hmac::sign(&root, of);
        let seal = RandomizedNonceKey::new(&AES_256_GCM, derived(b"trueup/seal/1").as_ref()).map_err(|_| KeyError::Broken)?;
        let id = hex(&derived(b"trueup/key-id/1").as_ref()[..4]);
        Ok(Self { id, seal, mac: hmac::Key::new(hmac::HMAC_SHA256, derived(b"trueup/mac/1").as_ref()) })
    }

    /// Bound to the resource, so that nobody who can write the store swaps two of them.
    fn close(&self, id: &ResourceId, value: &Value) -> Option<Str> {
        let mut bytes = value.canonical();
        let nonce = self.seal.seal_in_place_append_tag(Aad::from(id.to_string()), &mut bytes).ok()?;
        let whole = [nonce.as_ref().as_slice(), &bytes].concat();
        Some(format!("{}:{}", self.id, STANDARD.encode(whole)).into())
    }

    fn open(&self, id: &ResourceId, text: &str) -> Option<Value> {
        let whole = STANDARD.decode(text).ok()?;
        let (nonce, sealed) = whole.split_at_checked(NONCE_LEN)?;
        let mut bytes = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self.seal.open_in_place(nonce, Aad::from(id.to_string()), &mut bytes).ok()?;
        serde_json::from_slice(plain).ok()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::{KeyError, OpenError, Seal};
    use crate::{
        core::model::{ResourceId, Value},
        ports::SecretText,
    };

    fn seal(keys: &[&str]) -> Seal {
        Seal::new(&keys.iter().map(|key| SecretText::new(key.repeat(8))).collect::<Vec<_>>()).expect("the keys are long enough")
    }

    fn id() -> ResourceId {
        ResourceId::new("etcd", "key", "app/password")
    }

    #[test]
    fn equal_content_has_equal_macs_and_nothing_of_it_is_seen() {
        let seal = seal(&["old-"]);
        let (a, b, c) = (seal.seal(&id(), &Value::str("hunter2")), seal.hide(&Value::str("hunter2")), seal.hide(&Value::str("hunter3")));
        assert_eq!(a, b);
        assert_ne!(b, c);
        let text = serde_json::to_string(&a).expect("it encodes");
        assert!(!text.contains("hunter2") && a.sealed.is_some(), "{text}");
    }

    #[test]
    fn a_new_first_key_opens_what_the_old_one_sealed_and_changes_no_mac() {
        let (old, both, new) = (seal(&["old-"]), seal(&["new-", "old-"]), seal(&["new-"]));
        let value = Value::str("hunter2");
        let sealed = old.seal(&id(), &value);
        assert_eq!(both.open(&id(), &sealed), Some(Ok(value.clone())));
        assert_eq!(both.hide(&value), sealed);
        assert!(both.knows(&sealed));
        let by_new = both.seal(&id(), &value);
        assert_eq!(new.open(&id(), &by_new), Some(Ok(value)), "the first key seals");
        assert!(!new.knows(&sealed));
        assert!(matches!(new.open(&id(), &sealed), Some(Err(OpenError::LostKey(_)))));
    }

    #[test]
    fn what_was_sealed_for_one_resource_or_changed_since_does_not_open() {
        let seal = seal(&["old-"]);
        let mut sealed = seal.seal(&id(), &Value::str("hunter2"));
        let other = ResourceId::new("etcd", "key", "mine/seen");
        assert_eq!(seal.open(&other, &sealed), Some(Err(OpenError::Broken)));
        let swapped = seal.seal(&id(), &Value::str("hunter3"));
        sealed.sealed.clone_from(&swapped.sealed);
        assert_eq!(seal.open(&id(), &sealed), Some(Err(OpenError::Broken)), "another value's seal under this one's mac");
    }

    #[test]
    fn a_key_that_could_be_guessed_is_refused() {
        assert_eq!(Seal::new(&[SecretText::new("hunter2")]).err(), Some(KeyError::Short));
        assert_eq!(Seal::new(&[]).err(), Some(KeyError::None));
    }
}
