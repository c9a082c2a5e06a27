//! JSON by the one loader: its grammar is checked first, so that nothing of YAML slips in.

use crate::{
    core::model::{Place, Refusal, RefusalKind},
    formats::yaml::{self, Budget, Node},
};
use serde::de::IgnoredAny;

/// Reads a JSON file into values with places.
pub(super) fn load(file: &str, bytes: &[u8]) -> Result<Node, Refusal> {
    if bytes.trim_ascii().is_empty() {
        return yaml::load(file, b"", &Budget::default());
    }
    // Who reads JSON may pass over a byte order mark (RFC 8259, section 8.1); the loader does.
    let bare = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    serde_json::from_slice::<IgnoredAny>(bare).map_err(|error| {
        let place = Place::new(file, u32::try_from(error.line()).unwrap_or(u32::MAX), u32::try_from(error.column()).unwrap_or(u32::MAX));
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default().to_owned();
        Refusal::new(RefusalKind::Syntax, format!("broken JSON: {what}")).at(place).advice("check commas, quotes and brackets here and just above")
    })?;
    yaml::load(file, bytes, &Budget::default())
}
