//! Values written as references to others: `${TARGET/KIND/NAME.FIELD}` as it was read, before it is resolved.

use super::{Place, ResourceId, Str};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Text with references in it; of a resource with several values, each text that has some.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    pub pieces: Vec<Piece>,
}

/// One part of such a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// What stands there as it is.
    Text(Str),
    Refers(Refers),
    /// Of a resource with several values: what follows is the next of those that hold references.
    Next,
}

/// One reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refers {
    pub id: ResourceId,
    /// The field of its value; empty: the value itself.
    pub field: Str,
    pub place: Place,
}

impl Late {
    /// The references, in the order they are written.
    pub fn refers(&self) -> impl Iterator<Item = &Refers> {
        self.pieces.iter().filter_map(|piece| if let Piece::Refers(refers) = piece { Some(refers) } else { None })
    }

    /// The text around the references, for whoever looks for words in it.
    pub fn around(&self) -> String {
        let text = self.pieces.iter().filter_map(|piece| if let Piece::Text(text) = piece { Some(&**text) } else { None });
        text.collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Display for Refers {
    /// Prints the reference as it is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.field.is_empty() { "" } else { "." };
        write!(f, "${{{}{dot}{}}}", self.id, self.field)
    }
}
