//! The `git` program with nothing of the machine's or the user's configuration in it.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Settings of a repository that would change what a merge gives; the merged tree must be the same on every machine.
const SETTINGS: [&str; 8] = [
    "merge.renames=true",
    "diff.renames=true",
    "merge.directoryRenames=conflict",
    "merge.renameLimit=7000",
    "merge.conflictStyle=merge",
    "core.fsmonitor=false",
    "gc.auto=0",
    "core.hooksPath=hooks",
];

/// Variables that a clean git may still see: where programs, temporary files and shared libraries are.
const KEPT: [&str; 5] = ["PATH", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT", "TZ"];

/// Where the program is, searched for once.
///
/// By its bare name under an environment of our own, the standard library forks instead of spawning, and a fork copies the page tables of the
/// whole server: each git would cost what the server holds in memory.
pub fn path() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        // Where there is none, starting it says so.
        std::env::split_paths(&folders).map(|folder| folder.join("git")).find(|path| path.is_file()).unwrap_or_else(|| "git".into())
    })
}

/// The variables of a clean git, for callers that start it in their own way.
pub fn environment() -> Vec<(String, std::ffi::OsString)> {
    let kept = KEPT.iter().filter_map(|name| std::env::var_os(name).map(|value| ((*name).to_owned(), value)));
    let set = [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_ATTR_NOSYSTEM", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("LC_ALL", "C"),
    ];
    kept.chain(set.into_iter().map(|(name, value)| (name.to_owned(), value.into()))).collect()
}

/// A `git` command in one repository, ready for its arguments.
pub fn git(dir: &Path) -> Command {
    let mut command = Command::new(path());
    command.env_clear().envs(environment());
    // The directory is named, never searched for: a broken repository must not lead to one above it.
    command.arg("--git-dir").arg(dir);
    for setting in SETTINGS {
        command.args([OsStr::new("-c"), OsStr::new(setting)]);
    }
    command.stdin(std::process::Stdio::null());
    command
}
