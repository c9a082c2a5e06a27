//! References to secrets; a plain secret in the file is refused without being repeated anywhere.

use crate::core::model::{SecretRef, Str};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use std::fmt;

/// Where a secret comes from; never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// The name of an environment variable of the server.
    Env(Str),
    /// A file below the `secrets` folder.
    File(Str),
}

/// Where several secrets for one thing come from while they are rotated: one source, or a list of them, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct SecretSources(pub Vec<SecretSource>);

/// Where a user's token comes from, or how it is recognized.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenSource {
    /// The name of an environment variable of the server.
    Env(Str),
    /// A file below the `secrets` folder.
    File(Str),
    /// The SHA-256 of the token in hex, so that the server never holds the token: `printf %s TOKEN | sha256sum`.
    Sha256(Str),
}

impl SecretSource {
    /// The reference that the secrets port resolves.
    pub fn reference(&self) -> SecretRef {
        let uri = match self {
            Self::Env(name) => format!("secret://env/{name}"),
            Self::File(name) => format!("secret://file/{name}"),
        };
        SecretRef { uri: uri.into(), version: None }
    }
}

impl TokenSource {
    /// The reference to resolve; `None` when only the hash is known.
    pub fn reference(&self) -> Option<SecretRef> {
        match self {
            Self::Env(name) => Some(SecretSource::Env(name.clone()).reference()),
            Self::File(name) => Some(SecretSource::File(name.clone()).reference()),
            Self::Sha256(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (key, value) = d.deserialize_any(OnePair(&["env", "file"]))?;
        Ok(if key == "env" { Self::Env(value) } else { Self::File(value) })
    }
}

impl<'de> Deserialize<'de> for SecretSources {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(OneOrMore)
    }
}

/// Reads one source or a list; a plain key is refused without printing it.
struct OneOrMore;

impl<'de> Visitor<'de> for OneOrMore {
    type Value = SecretSources;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of one of env, file, or a list of such maps")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Err(OnePair(&["env", "file"]).plain())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        SecretSource::deserialize(de::value::MapAccessDeserializer::new(map)).map(|one| SecretSources(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut keys = Vec::new();
        while let Some(key) = list.next_element()? {
            keys.push(key);
        }
        Ok(SecretSources(keys))
    }
}

impl<'de> Deserialize<'de> for TokenSource {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (key, value) = d.deserialize_any(OnePair(&["env", "file", "sha256"]))?;
        match key {
            "env" => Ok(Self::Env(value)),
            "file" => Ok(Self::File(value)),
            _ if value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()) => Ok(Self::Sha256(value.to_ascii_lowercase().into())),
            _ => Err(de::Error::custom("the hash must be 64 hex digits; make it with `printf %s TOKEN | sha256sum`")),
        }
    }
}

/// Reads a map of exactly one known key; every other shape is refused without printing what stands there.
struct OnePair(&'static [&'static str]);

impl OnePair {
    fn plain<E: de::Error>(&self) -> E {
        let forms: Vec<String> = self.0.iter().map(|key| format!("{{{key}: …}}")).collect();
        E::custom(format!("a plain secret stands here; write {} instead, and rotate the secret, because this file has held it", forms.join(" or ")))
    }
}

impl<'de> Visitor<'de> for OnePair {
    type Value = (&'static str, Str);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a map of one of {}", self.0.join(", "))
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Err(self.plain())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Err(self.plain())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Err(self.plain())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Err(self.plain())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some(key) = map.next_key::<String>()? else { return Err(de::Error::custom(format!("write one of {} here", self.0.join(", ")))) };
        let Some(known) = self.0.iter().find(|known| **known == key) else { return Err(de::Error::unknown_field(&key, self.0)) };
        let value: Str = map.next_value()?;
        match map.next_key::<String>()? {
            Some(_) => Err(de::Error::custom(format!("write exactly one of {}", self.0.join(", ")))),
            None => Ok((known, value)),
        }
    }
}
