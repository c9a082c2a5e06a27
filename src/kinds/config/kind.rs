//! What a key means: its form, its limits, what grants call it, and how a person reads its value.

use super::{check, content, names};
use crate::core::{
    model::{Desired, Kind, Limits, Mention, Refusal, RefusalKind, ResourceId, Str, Unit, Value},
    plan::Undo,
};

/// The kind segment of every id of a key.
pub const KEY: &str = "key";

/// The config kind, as one target can hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    shape: Shape,
}

/// What one target takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub names: Names,
    pub key_bytes: usize,
    pub value_bytes: usize,
    /// Writes in one act.
    pub ops: usize,
    /// Bytes of keys and values in one act.
    pub bytes: usize,
    /// All writes of an act happen or none.
    pub atomic: bool,
}

/// Which keys there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Any text; a key may also have others below it.
    Any,
    /// Relative paths of files: no key has others below it.
    Files,
}

/// The longest name of a file that common file systems hold.
const FILE_NAME: usize = 255;

/// What every config center can hold: the kind where no target is at hand.
pub static KEYS: Config = Config { shape: Shape { names: Names::Any, key_bytes: 4096, value_bytes: 16 << 20, ops: 1000, bytes: 16 << 20, atomic: false } };

/// The id of a key.
pub fn key_id(target: &str, key: &str) -> ResourceId {
    ResourceId::new(target, KEY, key)
}

pub(super) fn fault(what: impl Into<String>, advice: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Value, what).advice(advice)
}

impl Config {
    /// The kind of one configured target. It lives as long as the program, as targets do: plans and sheets hold kinds without owning them.
    pub fn of_target(shape: Shape) -> &'static Self {
        Box::leak(Box::new(Self { shape }))
    }

    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Refuses a key that the target cannot hold, whatever its value.
    pub fn holds(&self, id: &ResourceId) -> Result<(), Refusal> {
        let key = &*id.name;
        if &*id.kind != KEY {
            return Err(fault(format!("`{id}` names no key"), "write `target/key/name`"));
        }
        if key.len() > self.shape.key_bytes {
            return Err(fault(format!("the key has {} bytes, and the target takes {}", key.len(), self.shape.key_bytes), "shorten it"));
        }
        if key.chars().any(char::is_control) {
            return Err(fault("the key holds a control character", "rename it"));
        }
        match self.shape.names {
            Names::Any => Ok(()),
            Names::Files => file_name(key),
        }
    }
}

/// A key of a target that keeps keys as files is a path that stays below the target's folder.
fn file_name(key: &str) -> Result<(), Refusal> {
    if key.starts_with('/') {
        return Err(fault(format!("`{key}` starts with `/`, and this target's keys are paths below its folder"), "give the source a `prefix` without the leading `/`"));
    }
    for part in key.split('/') {
        if part.is_empty() {
            return Err(fault(format!("`{key}` has a part without a name"), "leave out the doubled or trailing `/`"));
        }
        if part == "." || part == ".." {
            return Err(fault(format!("`{key}` leads out of its folder"), "write it without `.` and `..`"));
        }
        if part.len() > FILE_NAME {
            return Err(fault(format!("a part of the key has {} bytes, and a file's name has at most {FILE_NAME}", part.len()), "shorten it"));
        }
        if part.starts_with(".trueup-") {
            return Err(fault(format!("`{part}` is how half-written files are called here"), "rename it"));
        }
    }
    Ok(())
}

impl Kind for Config {
    fn name(&self) -> &'static str {
        "config"
    }

    fn stands_by_name(&self) -> bool {
        true
    }

    /// The text itself. A file's line break at the end is no part of what others take of it.
    fn fields(&self, value: &Value) -> Vec<(Str, Str)> {
        let text = value.as_str().map(|text| text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text)));
        text.map(|text| ("".into(), text.into())).into_iter().collect()
    }

    fn canon(&self, id: &ResourceId, value: Value) -> Result<Value, Refusal> {
        self.holds(id)?;
        let bytes = content::bytes(&value)?;
        if bytes.len() > self.shape.value_bytes {
            let what = format!("the value has {} bytes, and the target takes {}", bytes.len(), self.shape.value_bytes);
            return Err(fault(what, "split it into several keys, or keep it elsewhere and put its address here"));
        }
        Ok(content::value(&bytes))
    }

    /// One transaction covers any keys of a target.
    fn unit(&self, _id: &ResourceId) -> Unit {
        Unit::new("keys")
    }

    /// A key's exact name, or all that start so: `/app/*`.
    fn granted(&self, id: &ResourceId, pattern: &str) -> bool {
        match pattern.strip_suffix('*') {
            Some(prefix) => id.name.starts_with(prefix),
            None => &*id.name == pattern,
        }
    }

    /// The folder of the key.
    fn area(&self, id: &ResourceId) -> Str {
        id.name.rfind('/').map_or("keys without a folder", |at| &id.name[..=at]).into()
    }

    fn limits(&self) -> Limits {
        let Shape { ops, bytes, atomic, .. } = self.shape;
        Limits { ops, bytes, atomic, ordered: false }
    }

    fn takes_references(&self) -> bool {
        true
    }

    fn undo(&self, before: Option<&Value>, _after: Option<&Value>) -> Undo {
        Undo::To(before.cloned())
    }

    /// The names of hosts in its text.
    fn mentions(&self, _id: &ResourceId, value: &Value) -> Vec<Mention> {
        names::mentions(value)
    }

    fn check_unit(&self, desired: &Desired) -> Vec<Refusal> {
        match self.shape.names {
            Names::Any => Vec::new(),
            Names::Files => check::folders(desired),
        }
    }

    /// Text line by line; what a line break at the end would hide is said.
    fn lines(&self, _id: &ResourceId, value: &Value) -> Vec<String> {
        let Some(text) = value.as_str() else {
            let bytes = content::bytes(value).unwrap_or_default();
            return vec![format!("(binary, {} bytes, {})", bytes.len(), value.fingerprint().short())];
        };
        if text.is_empty() {
            return vec!["(empty)".to_owned()];
        }
        let mut lines: Vec<String> = text.split('\n').map(|line| line.replace('\r', "\\r")).collect();
        let broken = text.ends_with('\n');
        if broken {
            lines.pop();
        }
        match (lines.len(), broken) {
            (1, true) => lines.push("(a line break at the end)".to_owned()),
            (1, false) | (_, true) => {}
            (_, false) => lines.push("(no line break at the end)".to_owned()),
        }
        lines
    }
}
