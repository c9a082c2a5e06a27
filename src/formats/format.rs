//! What every format of desired state offers: which files make a unit, reading a unit, writing it back.

use crate::core::model::{Desired, Kind, Policy, Refusal, ResourceId, Str, Unit};
use std::collections::BTreeMap;

/// One format of desired state.
pub trait Format: Send + Sync {
    /// As `trueup.yaml` says it: `octodns`.
    fn name(&self) -> &'static str;

    /// The kind of the resources it speaks of.
    fn kind(&self) -> &'static dyn Kind;

    /// What of the source's settings reading depends on, beside its targets: equal text, equal reading.
    fn settings(&self) -> String {
        String::new()
    }

    /// The unit a file belongs to, by its path relative to the source's folder; `None`: not of this format.
    fn unit_of(&self, path: &str) -> Option<Unit>;

    /// The path that a file which `unit_of` does not take was meant to have: a unit's, but for case, extension or dots.
    fn meant(&self, _path: &str) -> Option<Str> {
        None
    }

    /// Where a unit's files can be, relative to the source, so that nothing else of a large repository is listed; `None`: anywhere.
    ///
    /// May name places where nothing is, and files that `unit_of` gives to another unit; must not leave one of the unit's out.
    fn homes(&self, _unit: &Unit) -> Option<Vec<Home>> {
        None
    }

    /// The unit whose files speak of a resource first.
    fn unit_for(&self, id: &ResourceId) -> Unit {
        self.kind().unit(id)
    }

    /// Whether its units are parts of what the kind calls one: files of one config center are read one by one, and written together.
    fn in_parts(&self) -> bool {
        false
    }

    /// Where files of other units can be that speak of the same resources as this one, so that a second claimant is found.
    fn beside(&self, _unit: &Unit) -> Vec<Home> {
        Vec::new()
    }

    /// Whether reading a unit may ask for files that are not its own (`$INCLUDE`).
    ///
    /// Where it may, a change of any file of the source touches the units that read it.
    fn reads_beyond(&self) -> bool {
        false
    }

    /// Reads one unit for all targets of its source. `files.list()` names the unit's own files; more may be read by path (`$INCLUDE`), and is recorded.
    ///
    /// Every fault found is reported, not only the first.
    fn read(&self, unit: &Unit, files: &dyn Files, scope: &Scope) -> Result<Desired, Vec<Refusal>>;

    /// The unit's files that ask for exactly `desired` (of one target), keeping what it can of `previous`.
    fn write(&self, unit: &Unit, desired: &Desired, previous: &UnitFiles) -> Result<UnitFiles, Vec<Refusal>>;

    /// Whether `write` edits what is there in place; false: a file is written anew, and people are told that its comments go.
    fn edits(&self, _unit: &Unit, _desired: &Desired, _previous: &UnitFiles) -> bool {
        true
    }
}

/// A place where files of a unit can be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Home {
    /// One file.
    File(Str),
    /// Everything below a folder, at any depth.
    Folder(Str),
}

/// The bytes of files by path relative to the source's folder.
pub type UnitFiles = BTreeMap<Str, Vec<u8>>;

/// What a unit was read from, and what came of it: the unit cache keeps this.
#[derive(Clone, Debug)]
pub struct UnitRead {
    pub desired: Desired,
    /// Every path that was read, so that a change of any re-reads the unit.
    pub inputs: Vec<Str>,
}

/// Access to the files of one source in one tree. Never leaves the source's folder; links and submodules are refused.
pub trait Files {
    /// The unit's own files, sorted.
    fn list(&self) -> Vec<Str>;

    /// A file's bytes by its path relative to the source; `Err` when it is missing, no regular file, too large, or leads out.
    fn bytes(&self, path: &str) -> Result<Vec<u8>, Refusal>;

    /// Whether there is something at a path relative to the source; asking is recorded, so that a file that comes later is noticed.
    fn has(&self, path: &str) -> bool {
        self.bytes(path).is_ok()
    }

    /// The path as the repository names it, for places.
    fn in_repository(&self, path: &str) -> Str;
}

/// What a format needs to know about where its resources go.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The source's targets.
    pub targets: Vec<Str>,
    /// Base's policy: skipped types.
    pub policy: Policy,
}
