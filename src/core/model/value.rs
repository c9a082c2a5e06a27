//! The one data model that every kind's desired and live state is compared in.

use super::{BlobId, Fingerprint, Hidden, Path, SecretRef, Str, observed::Why};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// A canonical value: equal content is equal bytes, so it compares, orders, hashes and digests one way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Num(Decimal),
    Str(Str),
    List(Vec<Value>),
    Map(BTreeMap<Str, Value>),
    /// Large content, kept apart under its content name.
    Blob {
        id: BlobId,
        len: u64,
    },
    /// A reference to a secret, as desired state writes it; the value itself never enters the model.
    Secret(SecretRef),
    /// Content that is compared and never known (I6).
    Hidden(Box<Hidden>),
    /// Something a server or an earlier step decides.
    Unknown(Why),
}

/// A number that is no integer, in its shortest decimal text, so that no float enters a digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Decimal(pub Str);

impl Value {
    pub fn str(text: impl Into<Str>) -> Self {
        Self::Str(text.into())
    }

    /// A map of the pairs given.
    pub fn map<K: Into<Str>>(pairs: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// The field `key` of a map; `None` for another value.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Map(map) => map.get(key),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub fn as_list(&self) -> &[Value] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// One encoding a value: JSON with sorted keys and tagged variants. Of what is hidden its mac alone counts.
    pub fn canonical(&self) -> Vec<u8> {
        let encoded = match self {
            Self::Hidden(hidden) => serde_json::to_vec(&hidden.bare()),
            whole => serde_json::to_vec(whole),
        };
        encoded.expect("a Value has string keys and no floats, so it always encodes")
    }

    /// What is hidden, where all of it is.
    pub fn hidden(&self) -> Option<&Hidden> {
        match self {
            Self::Hidden(hidden) => Some(hidden),
            _ => None,
        }
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of("trueup/value/1", &[&self.canonical()])
    }

    /// Keeps of a map only the fields that one of `named` names, at every depth; what is no map there stays whole.
    ///
    /// Live state is compared on the fields that base or merged ask for; what others keep beside them is theirs.
    pub fn project(&self, named: &[&Value]) -> Value {
        let maps: Vec<&BTreeMap<Str, Value>> = named.iter().filter_map(|value| if let Self::Map(map) = value { Some(map) } else { None }).collect();
        match self {
            Self::Map(own) if !maps.is_empty() => {
                let keep = |(key, value): (&Str, &Value)| {
                    let below: Vec<&Value> = maps.iter().filter_map(|map| map.get(key)).collect();
                    (!below.is_empty()).then(|| (key.clone(), value.project(&below)))
                };
                Self::Map(own.iter().filter_map(keep).collect())
            }
            whole => whole.clone(),
        }
    }

    /// The paths at which two values differ, each as deep as both sides are maps.
    pub fn paths_that_differ(&self, other: &Value) -> Vec<Path> {
        let mut out = Vec::new();
        differ(self, other, &Path::root(), &mut out);
        out
    }
}

fn differ(a: &Value, b: &Value, at: &Path, out: &mut Vec<Path>) {
    match (a, b) {
        (Value::Map(a), Value::Map(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let path = at.child(key);
                match (a.get(key), b.get(key)) {
                    (Some(x), Some(y)) => differ(x, y, &path, out),
                    _ => out.push(path),
                }
            }
        }
        _ if a == b => {}
        _ => out.push(at.clone()),
    }
}

impl fmt::Display for Value {
    /// Prints the value for people: JSON-like, without the variants' tags.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(n) => write!(f, "{n}"),
            Self::Num(n) => f.write_str(&n.0),
            Self::Str(text) => write!(f, "{}", serde_json::Value::from(&**text)),
            Self::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Map(map) => {
                f.write_str("{")?;
                for (i, (key, value)) in map.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Self::Blob { id, len } => write!(f, "blob {} ({len} bytes)", &id.as_str()[..12.min(id.as_str().len())]),
            Self::Secret(secret) => secret.fmt(f),
            Self::Hidden(hidden) => hidden.fmt(f),
            Self::Unknown(why) => write!(f, "({why})"),
        }
    }
}
