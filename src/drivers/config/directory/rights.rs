//! Whose files are, and who may do what with them: kept where a file is written over, by rule where it is new.

use super::folder::{Folder, Trouble, trouble};
use rustix::{
    fd::BorrowedFd,
    fs::{self, Mode, Stat},
    io::Errno,
    process,
};
use std::sync::OnceLock;

/// Bits of a mode that are a file's own: all but its type.
const OWN: u32 = 0o7777;

/// A folder with this bit gives its group to what is made in it, and the bit to folders.
const SET_GROUP: u32 = 0o2000;

/// The capability to give files away, capabilities(7).
const CAP_CHOWN: u64 = 1;

/// Whose a file is, and who may do what with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rights {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

impl Rights {
    pub fn of(stat: &Stat) -> Self {
        Self { mode: stat.st_mode & OWN, uid: stat.st_uid, gid: stat.st_gid }
    }

    /// Whether this process, which may not be told all it may, can give them to a new file of its own, in that folder where it is known.
    pub fn can_be_given(self, above: Option<Rights>) -> bool {
        let of_the_folder = || above.is_some_and(|above| above.mode & SET_GROUP != 0 && above.gid == self.gid);
        let member = || process::getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == self.gid));
        let own = process::geteuid().as_raw() == self.uid && (process::getegid().as_raw() == self.gid || of_the_folder() || member());
        own || gives_away()
    }
}

/// Whether this process may give files to any user and group; as far as is known where the system does not tell.
fn gives_away() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let held = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
        held.map_or_else(|| process::geteuid().is_root(), |held| held & CAP_CHOWN != 0)
    })
}

/// Gives a file what the one had that it will replace.
pub(super) fn kept(folder: &Folder, file: BorrowedFd<'_>, rights: Rights, key: &str) -> Result<(), Trouble> {
    let own = Rights::of(&fs::fstat(file).map_err(|error| trouble(key, error))?);
    if (own.uid, own.gid) != (rights.uid, rights.gid) {
        let user = (own.uid != rights.uid).then_some(rights.uid);
        (folder.own)(file, user, rights.gid).map_err(|error| match error {
            // `INVAL`: a user or group that this process' namespace does not know.
            Errno::PERM | Errno::ACCESS | Errno::INVAL => Trouble::Owner(key.to_owned(), rights),
            error => trouble(key, error),
        })?;
    }
    fs::fchmod(file, Mode::from_raw_mode(rights.mode)).map_err(|error| trouble(key, error))
}

/// Gives a new file, or a new folder, the group of the folder it stands in, and the mode. Where the group cannot be given, whoever is in another one is given no
/// more than anybody.
pub(super) fn made(folder: &Folder, file: BorrowedFd<'_>, above: BorrowedFd<'_>, mode: u32) -> Result<(), Errno> {
    let (own, above) = (Rights::of(&fs::fstat(file)?), Rights::of(&fs::fstat(above)?));
    let as_above = own.gid == above.gid || (folder.own)(file, None, above.gid).is_ok();
    let mode = if as_above { mode } else { mode & !0o070 | mode & (mode & 0o007) << 3 };
    fs::fchmod(file, Mode::from_raw_mode(mode | own.mode & SET_GROUP))
}
