//! Packages of descriptions and samples that `tests/run` fetches into the cache.

use std::path::PathBuf;

/// Where a package's files are: `tests/run` names the folder in `TRUEUP_PACKAGES`; a single test finds what an earlier run fetched.
pub fn package(name: &str, version: &str) -> PathBuf {
    let all = match std::env::var_os("TRUEUP_PACKAGES") {
        Some(folder) => PathBuf::from(folder),
        None => match std::env::var_os("XDG_CACHE_HOME") {
            Some(cache) => PathBuf::from(cache).join("trueup/packages"),
            None => PathBuf::from(std::env::var_os("HOME").expect("somebody runs the tests")).join(".cache/trueup/packages"),
        },
    };
    let folder = all.join(format!("{name}-{version}"));
    assert!(folder.is_dir(), "{} is missing: run tests/run once, which fetches it", folder.display());
    folder
}
