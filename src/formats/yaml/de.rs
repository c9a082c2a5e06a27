//! Nodes to typed configuration by serde, each fault with its place and the nearest known word.

use super::{Budget, Node, NodeKind, load, with_excerpt};
use crate::core::model::{Place, Refusal, RefusalKind, nearest};
use serde::{
    de::{self, DeserializeOwned, DeserializeSeed, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor},
    forward_to_deserialize_any,
};
use std::fmt;

/// Reads a file into a type.
pub fn from_bytes<T: DeserializeOwned>(file: &str, bytes: &[u8], budget: &Budget) -> Result<T, Refusal> {
    let node = load(file, bytes, budget)?;
    from_node(&node).map_err(|refusal| with_excerpt(refusal, bytes))
}

/// Reads a value into a type. Flattened structs and untagged enums would lose places: types meant for this have none.
pub fn from_node<T: DeserializeOwned>(node: &Node) -> Result<T, Refusal> {
    T::deserialize(node).map_err(|fault| fault.at(&node.place).refusal())
}

/// A fault on its way out; the innermost value that is left gives it its place.
#[derive(Debug)]
pub struct Fault {
    what: String,
    advice: Option<String>,
    place: Option<Place>,
}

impl Fault {
    fn at(mut self, place: &Place) -> Self {
        self.place.get_or_insert_with(|| place.clone());
        self
    }

    fn refusal(self) -> Refusal {
        let refusal = Refusal::new(RefusalKind::Schema, self.what);
        let refusal = match self.advice {
            Some(advice) => refusal.advice(advice),
            None => refusal,
        };
        match self.place {
            Some(place) => refusal.at(place),
            None => refusal,
        }
    }

    fn new(what: String, advice: Option<String>) -> Self {
        Self { what, advice, place: None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self::new(what.to_string(), None)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("the key `{field}` is not known here"), Some(instead(field, expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("`{variant}` is not known here"), Some(instead(variant, expected)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("the key `{field}` is missing"), Some(format!("add `{field}:`")))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let wanted = wanted(expected);
        let quote = wanted == "text" && matches!(found, Unexpected::Bool(_) | Unexpected::Signed(_) | Unexpected::Unsigned(_) | Unexpected::Float(_) | Unexpected::Other(_));
        Self::new(format!("{} stands where {wanted} must be", found_words(&found)), quote.then(|| "write it in quotes".to_owned()))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("{} does not fit: {} is needed", found_words(&found), wanted(expected)), None)
    }
}

/// Names the nearest word, or all of them.
fn instead(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "remove it".into(),
        None => format!("known here: {}", known.join(", ")),
    }
}

fn found_words(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Unit => "nothing".into(),
        Unexpected::Bool(b) => format!("`{b}`"),
        Unexpected::Signed(n) => format!("the number {n}"),
        Unexpected::Unsigned(n) => format!("the number {n}"),
        Unexpected::Str(text) => format!("the text `{}`", text.chars().take(60).collect::<String>()),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a map".into(),
        other => other.to_string(),
    }
}

/// Serde's word for what is expected, in the words of YAML.
fn wanted(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "a string" | "a borrowed string" => "text".into(),
        "a boolean" => "`true` or `false`".into(),
        "a sequence" => "a list".into(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".into(),
        _ if text.starts_with("struct ") || text == "a map" => "a map".into(),
        _ if text.starts_with("enum ") || text == "variant identifier" => "one of the known words".into(),
        _ => text,
    }
}

impl<'de> IntoDeserializer<'de, Fault> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> de::Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match &self.kind {
            NodeKind::Null => visitor.visit_unit(),
            NodeKind::Bool(b) => visitor.visit_bool(*b),
            NodeKind::Int(n) => match u64::try_from(*n) {
                Ok(n) => visitor.visit_u64(n),
                Err(_) => visitor.visit_i64(*n),
            },
            NodeKind::Num(text) => return Err(de::Error::invalid_type(Unexpected::Other(&format!("the number {text}")), &visitor)).map_err(|fault: Fault| fault.at(&self.place)),
            NodeKind::Str(text) => visitor.visit_str(text),
            NodeKind::List(items) => visitor.visit_seq(Items(items.iter())),
            NodeKind::Map(pairs) => visitor.visit_map(Pairs { left: pairs.iter(), value: None }),
        };
        result.map_err(|fault| fault.at(&self.place))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.kind {
            NodeKind::Null => visitor.visit_none(),
            NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::Str(_) | NodeKind::List(_) | NodeKind::Map(_) => visitor.visit_some(self),
        }
    }

    /// A section left empty (`policy:` and nothing below) is an empty map or list to the type that asks for one.
    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        if matches!(self.kind, NodeKind::List(_)) {
            // Serde would fill the fields by position.
            return Err(Fault::new("a list stands where a map must be".into(), None).at(&self.place));
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.kind {
            NodeKind::Null => visitor.visit_map(Pairs { left: [].iter(), value: None }).map_err(|fault: Fault| fault.at(&self.place)),
            NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::Str(_) | NodeKind::List(_) | NodeKind::Map(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.kind {
            NodeKind::Null => visitor.visit_seq(Items([].iter())).map_err(|fault: Fault| fault.at(&self.place)),
            NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::Str(_) | NodeKind::List(_) | NodeKind::Map(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    /// `word`, or `word: content` as a map of one pair.
    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, variants: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        let result = match &self.kind {
            NodeKind::Str(word) => visitor.visit_enum(word.as_str().into_deserializer()),
            NodeKind::Map(pairs) if pairs.len() == 1 => visitor.visit_enum(OnePair(&pairs[0])),
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::List(_) | NodeKind::Map(_) => {
                Err(Fault::new(format!("{} stands where one of {} must be", self.describe(), variants.join(", ")), Some("write exactly one of them".into())))
            }
        };
        result.map_err(|fault: Fault| fault.at(&self.place))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct tuple tuple_struct identifier
    }
}

struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        self.0.next().map(|node| seed.deserialize(node).map_err(|fault| fault.at(&node.place))).transpose()
    }
}

struct Pairs<'de> {
    left: std::slice::Iter<'de, (Node, Node)>,
    value: Option<&'de Node>,
}

impl<'de> MapAccess<'de> for Pairs<'de> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some((key, value)) = self.left.next() else { return Ok(None) };
        self.value = Some(value);
        // A key that looks like a number (`5:`) is still the text a map of names asks for.
        let text = key.text().unwrap_or_default();
        seed.deserialize(text.into_deserializer()).map(Some).map_err(|fault: Fault| fault.at(&key.place))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let Some(node) = self.value.take() else { return Err(de::Error::custom("a value was asked for before its key")) };
        seed.deserialize(node).map_err(|fault| fault.at(&node.place))
    }
}

/// An enum's variant with content.
struct OnePair<'de>(&'de (Node, Node));

impl<'de> EnumAccess<'de> for OnePair<'de> {
    type Error = Fault;
    type Variant = &'de Node;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, &'de Node), Fault> {
        let (key, value) = self.0;
        let name = seed.deserialize(key.text().unwrap_or_default().into_deserializer()).map_err(|fault: Fault| fault.at(&key.place))?;
        Ok((name, value))
    }
}

impl<'de> VariantAccess<'de> for &'de Node {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        if self.is_null() { Ok(()) } else { Err(Fault::new("this word takes no content".into(), Some("remove what follows it".into())).at(&self.place)) }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(self).map_err(|fault| fault.at(&self.place))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_seq(self, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_map(self, visitor)
    }
}
