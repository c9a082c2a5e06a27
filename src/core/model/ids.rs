//! Names of things: resources, targets' units, steps, digests, commits, merge requests.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{fmt, sync::Arc};

/// A shared immutable string; names repeat often, so clones are cheap.
pub type Str = Arc<str>;

/// Names the smallest thing with its own desired state: `target/kind/name`.
///
/// `name` is opaque to core and may hold `/`; parsing splits at the first two slashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    pub target: Str,
    pub kind: Str,
    pub name: Str,
}

impl ResourceId {
    pub fn new(target: impl Into<Str>, kind: impl Into<Str>, name: impl Into<Str>) -> Self {
        Self { target: target.into(), kind: kind.into(), name: name.into() }
    }

    /// Parses `target/kind/name`; `None` when one of the three is missing or empty.
    pub fn parse(text: &str) -> Option<Self> {
        let (target, rest) = text.split_once('/')?;
        let (kind, name) = rest.split_once('/')?;
        let full = !target.is_empty() && !kind.is_empty() && !name.is_empty();
        full.then(|| Self::new(target, kind, name))
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.target, self.kind, self.name)
    }
}

impl Serialize for ResourceId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not target/kind/name")))
    }
}

/// Declares a transparent string newtype that serializes as its text.
macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Str);

        impl $name {
            pub fn new(text: impl Into<Str>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text_id! {
    /// Names what one session or transaction covers inside a target: a zone, host, balancer, object.
    Unit;
    /// Names a repository as the server's configuration does.
    RepoId;
    /// Names a person or bot as the forge does.
    User;
    /// The hex id of a git commit.
    CommitId;
    /// The hex id of a git tree.
    TreeId;
    /// The hex id of a git blob.
    FileId;
    /// The content name of a stored blob: hex SHA-256 of its bytes.
    BlobId;
}

/// Names one merge request: repository and number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MrId {
    pub repo: RepoId,
    pub number: u64,
}

impl fmt::Display for MrId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}!{}", self.repo, self.number)
    }
}

/// Numbers a step inside one plan, from 1 in the order a reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Declares a 32-byte hash newtype that prints and serializes as hex.
macro_rules! hash_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// Hashes `parts` under `domain`; every part is length-prefixed, so no two lists of parts collide.
            pub fn of(domain: &str, parts: &[&[u8]]) -> Self {
                let mut hash = Sha256::new();
                for part in std::iter::once(domain.as_bytes()).chain(parts.iter().copied()) {
                    hash.update((part.len() as u64).to_be_bytes());
                    hash.update(part);
                }
                Self(hash.finalize().into())
            }

            /// The first twelve hex digits, for people.
            pub fn short(&self) -> String {
                self.to_string()[..12].to_owned()
            }

            pub fn parse(text: &str) -> Option<Self> {
                let mut out = [0u8; 32];
                if text.len() != 64 || !text.is_ascii() {
                    return None;
                }
                for (i, byte) in out.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
                }
                Some(Self(out))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.short())
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a digest is 64 hex digits"))
            }
        }
    )*};
}

hash_id! {
    /// The name of a plan by its content: what approvals bind to.
    Digest;
    /// The name of a canonical value by its content.
    Fingerprint;
}
