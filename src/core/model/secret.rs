//! What core may know of a secret: where it comes from, and whether two are equal.

use super::{Str, Value};
use serde::{Deserialize, Serialize};
use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

/// What every reference starts with.
const SCHEME: &str = "secret://";

/// What stands in texts where content is hidden and nothing says where it comes from.
pub const VEIL: &str = "(sensitive)";

/// `secret://PROVIDER/PATH#FIELD@VERSION`: names a secret without holding it; field and version may be missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SecretRef {
    /// Without the version.
    pub uri: Str,
    pub version: Option<Str>,
}

impl SecretRef {
    /// Whether a text is meant as a reference, well formed or not.
    pub fn is_meant(text: &str) -> bool {
        text.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
    }

    /// Reads a reference; the error says what is wrong with it, as a fragment.
    ///
    /// Only names that read one way everywhere are taken: no empty or dotted part, nothing escaped, no control character, so that a rule about
    /// prefixes of a reference is a rule about secrets.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix(SCHEME).ok_or("a reference starts with `secret://`")?;
        let (rest, version) = match rest.rsplit_once('@') {
            Some((rest, version)) => (rest, Some(version)),
            None => (rest, None),
        };
        let (name, field) = match rest.split_once('#') {
            Some((name, field)) => (name, Some(field)),
            None => (rest, None),
        };
        let (provider, path) = name.split_once('/').ok_or("a reference names a provider and a path: `secret://PROVIDER/PATH#FIELD`")?;
        if provider.is_empty() || !provider.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
            return Err("a provider is lower-case letters, digits and `-`");
        }
        let fits = |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+~=".contains(&byte));
        if !path.split('/').all(fits) {
            return Err("a path is names between single `/`, of letters, digits and `._-+~=`, without `.` and `..`");
        }
        if !field.is_none_or(fits) {
            return Err("a field is letters, digits and `._-+~=`");
        }
        if !version.is_none_or(fits) {
            return Err("a version is letters, digits and `._-+~=`");
        }
        let field = field.map_or_else(String::new, |field| format!("#{field}"));
        Ok(Self { uri: format!("{SCHEME}{provider}/{path}{field}").into(), version: version.map(Into::into) })
    }

    /// `PROVIDER/PATH#FIELD`: what rules about references are matched with.
    pub fn name(&self) -> &str {
        self.uri.strip_prefix(SCHEME).unwrap_or(&self.uri)
    }

    pub fn provider(&self) -> &str {
        self.name().split('/').next().unwrap_or_default()
    }

    /// Between provider and field.
    pub fn path(&self) -> &str {
        let path = self.name().split_once('/').map_or("", |(_, path)| path);
        path.split('#').next().unwrap_or_default()
    }

    pub fn field(&self) -> Option<&str> {
        self.uri.split_once('#').map(|(_, field)| field)
    }
}

impl fmt::Display for SecretRef {
    /// Prints `secret://vault/kv/app#password (version 3)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri)?;
        match &self.version {
            Some(version) => write!(f, " (version {version})"),
            None => Ok(()),
        }
    }
}

/// Content that core compares and never knows.
///
/// Equal content has equal macs, so this compares, orders and hashes by its mac alone; where it comes from and how it is opened again are told beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hidden {
    /// `KEY:HEX`: the HMAC-SHA256 of the canonical value, and which key made it.
    pub mac: Str,
    /// The reference it was resolved from, with the version that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretRef>,
    /// `KEY:BASE64`: the value sealed with a key that is kept outside the store; without it nothing brings it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Str>,
}

impl Hidden {
    /// The same without what does not count in comparisons.
    pub fn bare(&self) -> Value {
        Value::Hidden(Box::new(Self { mac: self.mac.clone(), secret: None, sealed: None }))
    }
}

impl PartialEq for Hidden {
    fn eq(&self, other: &Self) -> bool {
        self.mac == other.mac
    }
}

impl Eq for Hidden {}

impl PartialOrd for Hidden {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Hidden {
    fn cmp(&self, other: &Self) -> Ordering {
        self.mac.cmp(&other.mac)
    }
}

impl Hash for Hidden {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.mac.hash(state);
    }
}

impl fmt::Display for Hidden {
    /// Prints where it comes from, where that is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.secret {
            Some(secret) => secret.fmt(f),
            None => f.write_str(VEIL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Hidden, SecretRef, Value};

    #[test]
    fn a_reference_is_read_into_its_parts() {
        let read = SecretRef::parse("secret://vault/kv/team/app#password@3").expect("it is one");
        assert_eq!((read.provider(), read.path(), read.field(), read.version.as_deref()), ("vault", "kv/team/app", Some("password"), Some("3")));
        assert_eq!(read.to_string(), "secret://vault/kv/team/app#password (version 3)");
        let bare = SecretRef::parse("secret://env/APP_KEY").expect("it is one");
        assert_eq!((bare.path(), bare.field(), bare.version.as_deref()), ("APP_KEY", None, None));
    }

    #[test]
    fn a_reference_that_could_be_read_two_ways_is_refused() {
        for bad in [
            "secret://vault",
            "secret:///x",
            "secret://vault/",
            "secret://vault/a//b",
            "secret://vault/a/../b",
            "secret://vault/./a",
            "secret://vault/a%2e%2e/b",
            "secret://Vault/a",
            "secret://vault/a#",
            "secret://vault/a#b#c",
            "secret://vault/a#b@",
            "secret://vault/a b",
            "secret://vault/a\nb",
            "secret://vault/a?version=1",
            "SECRET://vault/a",
        ] {
            assert!(SecretRef::parse(bad).is_err(), "{bad}");
            assert!(SecretRef::is_meant(bad), "{bad}");
        }
    }

    #[test]
    fn hidden_content_is_equal_by_its_mac_whatever_is_told_beside_it() {
        let hidden = |mac: &str, sealed: Option<&str>| Value::Hidden(Box::new(Hidden { mac: mac.into(), secret: None, sealed: sealed.map(Into::into) }));
        assert_eq!(hidden("k:1", None), hidden("k:1", Some("k:x")));
        assert_eq!(hidden("k:1", None).fingerprint(), hidden("k:1", Some("k:x")).fingerprint());
        assert_ne!(hidden("k:1", None), hidden("k:2", None));
        assert_ne!(hidden("k:1", None), hidden("j:1", None), "another key says nothing about equality");
        let read: Value = serde_json::from_slice(&serde_json::to_vec(&hidden("k:1", Some("k:x"))).expect("it encodes")).expect("it decodes");
        assert_eq!(read.hidden().and_then(|hidden| hidden.sealed.as_deref()), Some("k:x"), "a journal keeps what opens it");
    }
}
