//! A YAML value with its place and, for scalars, the text it was written as.

use crate::core::model::Place;

/// One value of a YAML document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub kind: NodeKind,
    pub place: Place,
    /// The source text of a plain null, bool or integer, which its value does not keep (`~`, `TRUE`, `010`).
    pub(super) raw: Option<Box<str>>,
    /// A scalar without quotes, block indicator or tag.
    pub(super) plain: bool,
}

/// What a value is by the YAML 1.2 core schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    Null,
    Bool(bool),
    Int(i64),
    /// A number that is no `i64`, as it was written: `1.10`, `1e3`, `.inf`, a very large integer.
    Num(String),
    Str(String),
    List(Vec<Node>),
    /// Pairs in the order of the file; keys are scalars and differ from each other; `<<` is already merged.
    Map(Vec<(Node, Node)>),
}

impl Node {
    pub(in crate::formats) fn new(kind: NodeKind, place: Place) -> Self {
        Self { kind, place, raw: None, plain: false }
    }

    /// A scalar of another grammar, with the text that stands for it where its value does not keep one.
    pub(in crate::formats) fn scalar(kind: NodeKind, text: &str, place: Place) -> Self {
        Self { raw: Some(text.into()), ..Self::new(kind, place) }
    }

    /// The text a scalar was written as, escapes undone; `None` for lists and maps.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) => Some(self.raw.as_deref().unwrap_or_default()),
            NodeKind::Num(text) | NodeKind::Str(text) => Some(text),
            NodeKind::List(_) | NodeKind::Map(_) => None,
        }
    }

    /// Whether it is a scalar without quotes, so that another schema may read its text otherwise.
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Str(text) => Some(text),
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::List(_) | NodeKind::Map(_) => None,
        }
    }

    /// The items of a list; `None` for anything else.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.kind {
            NodeKind::List(items) => Some(items),
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::Str(_) | NodeKind::Map(_) => None,
        }
    }

    /// The pairs of a map; `None` for anything else.
    pub fn as_map(&self) -> Option<&[(Node, Node)]> {
        match &self.kind {
            NodeKind::Map(pairs) => Some(pairs),
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::Str(_) | NodeKind::List(_) => None,
        }
    }

    pub fn is_null(&self) -> bool {
        self.kind == NodeKind::Null
    }

    /// The value under the text key `key` of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Key and value of the text key `key` of a map.
    pub fn entry(&self, key: &str) -> Option<(&Node, &Node)> {
        self.as_map()?.iter().find(|(known, _)| known.as_str() == Some(key)).map(|(known, value)| (known, value))
    }

    /// The value at a path of keys and list positions (`policy.approvals.0.when`), or the nearest above it.
    pub fn nearest_to<'a>(&'a self, path: &[&str]) -> &'a Node {
        let Some((first, rest)) = path.split_first() else { return self };
        let below = match &self.kind {
            NodeKind::Map(_) => self.get(first),
            NodeKind::List(items) => first.parse::<usize>().ok().and_then(|i| items.get(i)),
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::Str(_) => None,
        };
        below.map_or(self, |node| node.nearest_to(rest))
    }

    /// What it is, in a reader's words: `a list`, `the number 5`.
    pub fn describe(&self) -> String {
        match &self.kind {
            NodeKind::Null => "nothing".into(),
            NodeKind::Bool(b) => format!("`{b}`"),
            NodeKind::Int(n) => format!("the number {n}"),
            NodeKind::Num(n) => format!("the number {n}"),
            NodeKind::Str(_) => "text".into(),
            NodeKind::List(_) => "a list".into(),
            NodeKind::Map(_) => "a map".into(),
        }
    }
}
