//! A zone of the lab from the same octoDNS text that a repository holds, so that the two begin equal.

use super::server::{LabError, ZoneData};
use crate::{
    core::model::{Policy, Refusal, RefusalKind, Str},
    formats::{Files, Format as _, Scope, octodns::OctoDns},
};

/// One file in memory.
struct OneFile<'a> {
    path: Str,
    text: &'a str,
}

impl Files for OneFile<'_> {
    fn list(&self) -> Vec<Str> {
        vec![self.path.clone()]
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, Refusal> {
        if *path == *self.path { Ok(self.text.into()) } else { Err(Refusal::new(RefusalKind::Path, format!("`{path}` is not here")).advice("put everything into one file")) }
    }

    fn in_repository(&self, path: &str) -> Str {
        path.into()
    }
}

/// Reads a zone's file.
pub(super) fn read(zone: &str, text: &str) -> Result<ZoneData, LabError> {
    let fault = |what: String| LabError { what: format!("zone {zone}: {what}") };
    let file = OneFile { path: format!("{zone}yaml").into(), text };
    let unit = OctoDns::PLAIN.unit_of(&file.path).ok_or_else(|| fault("its name is no zone's; end it with a dot".into()))?;
    let scope = Scope { targets: vec!["lab".into()], policy: Policy::default() };
    let desired = OctoDns::PLAIN.read(&unit, &file, &scope).map_err(|faults| fault(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))?;
    Ok(ZoneData { name: zone.to_owned(), rrsets: desired.resources.into_iter().map(|(id, wanted)| (id, wanted.value)).collect() })
}
