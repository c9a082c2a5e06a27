//! The format: which files are which zone's, and how a zone is read and written.

use super::{read::Reader, write};
use crate::{
    core::model::{Desired, Kind, Place, Refusal, RefusalKind, Str, Unit},
    formats::{Files, Format, Home, Scope, UnitFiles},
    kinds::dns::{DNS, DnsName},
};

/// BIND zone files.
#[derive(Clone, Copy, Debug)]
pub struct ZoneFile;

impl Format for ZoneFile {
    fn name(&self) -> &'static str {
        "zonefile"
    }

    fn kind(&self) -> &'static dyn Kind {
        &DNS
    }

    /// `example.com.zone` and `db.example.com` in the source's own folder; what they include may stand anywhere below it.
    fn unit_of(&self, path: &str) -> Option<Unit> {
        zone_of(path).map(|zone| Unit::new(zone.to_string()))
    }

    fn meant(&self, path: &str) -> Option<Str> {
        let lower = path.to_lowercase();
        let labels = |name: &str| name.split('.').filter(|label| !label.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let name = match (lower.strip_suffix(".zone"), lower.strip_prefix("db.")) {
            (Some(bare), _) => format!("{}.zone", labels(bare).join(".")),
            (None, Some(bare)) => format!("db.{}", labels(bare).join(".")),
            (None, None) => return None,
        };
        zone_of(&name).map(|_| name.into())
    }

    fn homes(&self, unit: &Unit) -> Option<Vec<Home>> {
        let bare = unit.as_str().strip_suffix('.')?;
        Some(vec![Home::File(format!("{bare}.zone").into()), Home::File(format!("db.{bare}").into())])
    }

    fn reads_beyond(&self) -> bool {
        true
    }

    fn read(&self, unit: &Unit, files: &dyn Files, scope: &Scope) -> Result<Desired, Vec<Refusal>> {
        let zone = DnsName::parse(unit.as_str()).map_err(|refusal| vec![refusal])?;
        let mut own = files.list().into_iter();
        let Some(path) = own.next() else { return Ok(Desired::default()) };
        let mut reader = Reader::new(files, scope);
        if let Some(second) = own.next() {
            let refusal = Refusal::new(RefusalKind::Overlap, format!("two files hold the zone `{}`", unit.as_str()));
            reader.faults.push(refusal.at(Place::file(files.in_repository(&second))).also(Place::file(files.in_repository(&path))).advice("keep one of the two"));
        }
        reader.file(&path, &zone, None);
        reader.finish(&zone)
    }

    fn write(&self, unit: &Unit, desired: &Desired, previous: &UnitFiles) -> Result<UnitFiles, Vec<Refusal>> {
        write::write(self, unit, desired, previous)
    }

    fn edits(&self, unit: &Unit, desired: &Desired, previous: &UnitFiles) -> bool {
        previous.is_empty() || write::edited(self, unit, desired, previous).is_ok_and(|files| files.is_some())
    }
}

/// The zone a path names; spelled as we print it, so that `homes` finds it again.
fn zone_of(path: &str) -> Option<DnsName> {
    let bare = path.strip_suffix(".zone").or_else(|| path.strip_prefix("db."))?;
    let zone = DnsName::parse(&format!("{bare}.")).ok()?;
    (zone.to_string().strip_suffix('.') == Some(bare) && !bare.is_empty() && !bare.contains('/')).then_some(zone)
}
