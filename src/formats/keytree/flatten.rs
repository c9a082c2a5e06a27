//! Maps inside each other as keys: one for every leaf, named by the way to it.

use super::format::Leaf;
use crate::{
    core::model::{Refusal, RefusalKind},
    formats::yaml::{Node, NodeKind},
};

/// The leaves of an expanded file. Scalars keep the text they were written as (`1.10` stays `1.10`); an empty file asks for nothing.
pub(super) fn leaves(root: &Node, separator: &str) -> Result<Vec<Leaf>, Vec<Refusal>> {
    let mut walk = Walk { separator, leaves: Vec::new(), faults: Vec::new() };
    match &root.kind {
        NodeKind::Null if root.text() == Some("") => {}
        NodeKind::Map(_) | NodeKind::List(_) => walk.node(root, ""),
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::Str(_) => {
            walk.fault(root, format!("the file is {}, which has no keys to expand", root.describe()), "make it a map, or leave its extension out of `expand`");
        }
    }
    if walk.faults.is_empty() { Ok(walk.leaves) } else { Err(walk.faults) }
}

struct Walk<'a> {
    separator: &'a str,
    leaves: Vec<Leaf>,
    faults: Vec<Refusal>,
}

impl Walk<'_> {
    fn fault(&mut self, node: &Node, what: String, advice: &str) {
        self.faults.push(Refusal::new(RefusalKind::Value, what).at(node.place.clone()).advice(advice));
    }

    fn node(&mut self, node: &Node, way: &str) {
        let separator = self.separator;
        let below = |name: &str| if way.is_empty() { name.to_owned() } else { format!("{way}{separator}{name}") };
        match &node.kind {
            NodeKind::Map(pairs) if !pairs.is_empty() => {
                for (key, value) in pairs {
                    match key.text().filter(|name| !name.is_empty()) {
                        Some(name) => {
                            let way = below(name);
                            self.node(value, &way);
                        }
                        None => self.fault(key, "a key without a name".to_owned(), "name it, or leave it out"),
                    }
                }
            }
            NodeKind::List(items) if !items.is_empty() => {
                let ways: Vec<String> = (0..items.len()).map(|at| below(&at.to_string())).collect();
                for (item, way) in items.iter().zip(ways) {
                    self.node(item, &way);
                }
            }
            NodeKind::Map(_) | NodeKind::List(_) => {
                self.fault(node, format!("{} without anything in it gives no key", node.describe()), "remove it, or write `\"\"` for a key with an empty value");
            }
            NodeKind::Null => self.fault(node, format!("`{way}` has no value"), "write `\"\"` for an empty one, or remove the key"),
            NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::Str(_) => {
                let bytes = node.text().unwrap_or_default().as_bytes().to_vec();
                self.leaves.push(Leaf { below: way.to_owned(), bytes, place: node.place.clone() });
            }
        }
    }
}
