//! What a kind of target *means*, without talking to it.

use super::{Desired, Refusal, ResourceId, Span, Str, Unit, Value};
use crate::core::plan::Undo;
use serde::{Deserialize, Serialize};

/// The meaning of one kind of target: pure; implementations stand in `src/kinds/`.
pub trait Kind: Send + Sync {
    /// The kind's name as the server's configuration says it: `dns`.
    fn name(&self) -> &'static str;

    /// Brings a value into its one form, or refuses what no target of this kind can hold.
    fn canon(&self, id: &ResourceId, value: Value) -> Result<Value, Refusal>;

    /// What one session or transaction covers: for DNS the zone.
    fn unit(&self, id: &ResourceId) -> Unit;

    /// Whether a grant's pattern means the resource: its unit by name, or every unit that ends so (`*.example.com.`).
    fn granted(&self, id: &ResourceId, pattern: &str) -> bool {
        let unit = self.unit(id);
        match pattern.strip_prefix('*') {
            Some(suffix) => unit.as_str().ends_with(suffix) && unit.as_str().len() > suffix.len(),
            None => unit.as_str() == pattern,
        }
    }

    /// Where the resource stands, in the words that grants use.
    fn area(&self, id: &ResourceId) -> Str {
        self.unit(id).0
    }

    /// Whether a resource is the same live object only under the same name: a record is where its name says, a key is its path.
    fn stands_by_name(&self) -> bool {
        false
    }

    fn limits(&self) -> Limits;

    /// The way back from `after` to `before`.
    fn undo(&self, before: Option<&Value>, after: Option<&Value>) -> Undo;

    /// The references out of a value: what it points at.
    fn mentions(&self, _id: &ResourceId, _value: &Value) -> Vec<Mention> {
        Vec::new()
    }

    /// What others may take of a value by reference, each field by its name; a field without a name is the value itself.
    fn fields(&self, _value: &Value) -> Vec<(Str, Str)> {
        Vec::new()
    }

    /// Text that references were put into, in the form a value of this resource has it.
    fn written(&self, _id: &ResourceId, text: &str) -> Result<String, Refusal> {
        Ok(text.to_owned())
    }

    /// Why no file can say what this resource is, so that it is known only once something was written; `None`: files say it.
    fn made_elsewhere(&self, _id: &ResourceId) -> Option<&'static str> {
        None
    }

    /// The keys under which others may point at this resource.
    fn provides(&self, _id: &ResourceId, _value: &Value) -> Vec<Str> {
        Vec::new()
    }

    /// Resources that cannot be live together, so that swapping them is one message: keys two resources share (a CNAME and an A of one owner name).
    fn excludes(&self, _id: &ResourceId) -> Vec<Str> {
        Vec::new()
    }

    /// Whether a value may be a reference to a secret, so that a plain one where the content is sensitive is refused.
    fn takes_references(&self) -> bool {
        false
    }

    /// What may be live beside a resource and matters to whoever changes it, asked for or not: other data of its name, and, where it is `made`, what answered there so far.
    fn beside(&self, _id: &ResourceId, _made: bool) -> Vec<ResourceId> {
        Vec::new()
    }

    /// Faults that only the unit as a whole shows: a CNAME beside other data. `desired` holds one target's resources of one unit.
    fn check_unit(&self, _desired: &Desired) -> Vec<Refusal> {
        Vec::new()
    }

    /// The expand hop between two values: old and new together.
    fn between(&self, _id: &ResourceId, _from: &Value, _to: &Value) -> Option<Value> {
        None
    }

    /// How long others may go on using this value after another took its place: a record's TTL.
    fn lingers(&self, _id: &ResourceId, _value: &Value) -> Option<Span> {
        None
    }

    /// Why this resource must never be deleted or replaced without a word of policy; `None`: ordinary.
    fn protected(&self, _id: &ResourceId) -> Option<Str> {
        None
    }

    /// The facts whose truth is health for this kind; asked with every sample of the window.
    fn health(&self) -> &'static [&'static str] {
        &[]
    }

    fn verbs(&self) -> &'static [VerbSpec] {
        &[]
    }

    /// The resource in a reader's words: `www.example.com A`.
    fn title(&self, id: &ResourceId) -> String {
        id.name.to_string()
    }

    /// A value as the lines a reader compares: `60 192.0.2.1`.
    fn lines(&self, _id: &ResourceId, value: &Value) -> Vec<String> {
        vec![value.to_string()]
    }
}

/// A value as the lines a reader compares; of what is hidden only where it comes from.
pub fn lines(kind: &dyn Kind, id: &ResourceId, value: &Value) -> Vec<String> {
    match value {
        Value::Hidden(_) | Value::Secret(_) => vec![value.to_string()],
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Num(_) | Value::Str(_) | Value::List(_) | Value::Map(_) | Value::Blob { .. } | Value::Unknown(_) => {
            kind.lines(id, value)
        }
    }
}

/// How much one act may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub ops: usize,
    pub bytes: usize,
    /// All items of an act happen or none.
    pub atomic: bool,
    /// The unit applies items in the order given.
    pub ordered: bool,
}

/// One reference out of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mention {
    /// Matches a key that another resource provides.
    pub key: Str,
    /// The rule in words: `a CNAME points at a name`.
    pub rule: Str,
    /// Whether the key was only found in free text. An order made of it gives way where it would wait for itself.
    #[serde(default)]
    pub guess: bool,
}

/// A verb of a kind: `drain`, closed by `ready`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerbSpec {
    pub name: &'static str,
    /// The fact that witnesses that the verb holds.
    pub witness: &'static str,
    pub closed_by: Option<&'static str>,
}
