//! The format: which files are which zone's, and how a zone is read and written.

use super::{read::Reader, write};
use crate::{
    core::model::{Desired, Kind, Place, Refusal, RefusalKind, Str, Unit},
    formats::{Files, Format, Home, Scope, UnitFiles},
    kinds::dns::{DNS, DnsName, wire::to_name},
};

/// octoDNS YAML.
#[derive(Clone, Copy, Debug)]
pub struct OctoDns {
    /// Whether `${…}` in a value refers to another resource.
    pub references: bool,
    /// Whether `octodns.healthcheck` of records is asked before a merge.
    pub healthchecks: bool,
}

impl OctoDns {
    /// As octoDNS itself reads it.
    pub const PLAIN: Self = Self { references: false, healthchecks: false };

    /// As `trueup.yaml` says it.
    pub const NAME: &str = "octodns";
}

impl Format for OctoDns {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn kind(&self) -> &'static dyn Kind {
        &DNS
    }

    fn settings(&self) -> String {
        let given = [("references", self.references), ("healthchecks", self.healthchecks)];
        given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect::<Vec<_>>().join(" ")
    }

    /// `example.com.yaml` and `example.com./any.yaml` are the zone `example.com.`; names with fewer dots are other files, as octoDNS has it.
    fn unit_of(&self, path: &str) -> Option<Unit> {
        zone_of(path).map(|zone| Unit::new(zone.to_string()))
    }

    fn meant(&self, path: &str) -> Option<Str> {
        let stem = |file: &str| Some(file.rsplit_once('.').filter(|(_, end)| ["yaml", "yml"].contains(&end.to_lowercase().as_str()))?.0.to_owned());
        let name = match path.split_once('/') {
            Some((folder, file)) => tidied(folder).map(|zone| Some(format!("{zone}./{}.yaml", stem(file)?))),
            None => tidied(&stem(path)?).map(|zone| Some(format!("{zone}.yaml"))),
        }??;
        zone_of(&name).map(|_| name.into())
    }

    fn homes(&self, unit: &Unit) -> Option<Vec<Home>> {
        let zone = DnsName::parse(unit.as_str()).ok()?;
        Some(spellings(&zone).into_iter().flat_map(|zone| [Home::File(format!("{zone}yaml").into()), Home::Folder(zone.into())]).collect())
    }

    fn read(&self, unit: &Unit, files: &dyn Files, scope: &Scope) -> Result<Desired, Vec<Refusal>> {
        let zone = DnsName::parse(unit.as_str()).map_err(|refusal| vec![refusal])?;
        let mut reader = Reader { zone, scope, references: self.references, healthchecks: self.healthchecks, desired: Desired::default(), faults: Vec::new() };
        let mut whole: Option<String> = None;
        for path in files.list() {
            let name = files.in_repository(&path);
            if !path.contains('/') {
                // The same zone once in letters and once in its xn-- form.
                if let Some(first) = &whole {
                    let refusal = Refusal::new(RefusalKind::Overlap, format!("two files hold the zone `{}`", unit.as_str()));
                    reader.faults.push(refusal.at(Place::file(name)).also(Place::file(first.as_str())).advice("keep one of the two"));
                    continue;
                }
                whole = Some(name.to_string());
            }
            match files.bytes(&path) {
                Ok(bytes) => reader.file(&name, &bytes),
                Err(refusal) => reader.faults.push(refusal),
            }
        }
        if reader.faults.is_empty() { Ok(reader.desired) } else { Err(reader.faults) }
    }

    fn write(&self, unit: &Unit, desired: &Desired, previous: &UnitFiles) -> Result<UnitFiles, Vec<Refusal>> {
        write::write(self, unit, desired, previous)
    }
}

/// The zone a path belongs to.
fn zone_of(path: &str) -> Option<DnsName> {
    let text = match path.split_once('/') {
        Some((folder, file)) => Some(folder).filter(|folder| folder.ends_with('.') && file.ends_with(".yaml") && !file.contains('/'))?,
        None => path.strip_suffix("yaml").filter(|zone| zone.ends_with('.') && zone.matches('.').count() >= 2)?,
    };
    let zone = DnsName::parse(text).ok().filter(|zone| !zone.is_root())?;
    spellings(&zone).iter().any(|spelling| spelling == text).then_some(zone)
}

/// A zone's name in small letters, with one dot between labels and none around them; none where there are fewer than two labels.
fn tidied(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let labels: Vec<&str> = lower.split('.').filter(|label| !label.is_empty()).collect();
    (labels.len() >= 2).then(|| labels.join("."))
}

/// How a file may spell a zone: in its xn-- form, or in letters.
fn spellings(zone: &DnsName) -> Vec<String> {
    let (ascii, letters) = (zone.to_string(), to_name(zone).to_utf8());
    if ascii == letters { vec![ascii] } else { vec![ascii, letters] }
}
