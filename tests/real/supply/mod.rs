//! What the program is built from: one TLS stack, and nothing that needs more than Rust, a C compiler and git.

use std::process::Command;

/// The names of all crates that are built for running, features and targets as released.
fn crates(features: &str) -> Vec<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut tree = Command::new(cargo);
    tree.args(["tree", "--offline", "--locked", "-e", "normal", "--prefix", "none", "--format", "{p}", "--no-default-features"]);
    if !features.is_empty() {
        tree.args(["--features", features]);
    }
    let out = tree.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let mut names: Vec<String> = String::from_utf8(out.stdout).unwrap().lines().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn one_tls_stack_is_built_and_it_is_neither_ring_nor_openssl() {
    let all = crates("full");
    assert!(all.iter().any(|name| name == "aws-lc-rs"), "the expected one is missing: this test looks for the wrong thing");
    let other: Vec<&String> = all.iter().filter(|name| ["ring", "openssl", "openssl-sys", "native-tls", "libssh2-sys", "mbedtls", "boring"].contains(&name.as_str())).collect();
    assert!(other.is_empty(), "{other:?}");
}

#[test]
fn core_kinds_and_formats_build_without_a_runtime_or_a_database() {
    // hickory-proto brings `rand` for message ids; that the pure layers draw none is the tidy test's to see.
    let pure = crates("");
    let impure: Vec<&String> =
        pure.iter().filter(|name| ["tokio", "axum", "hyper", "reqwest", "rustls", "redb", "sled", "git2", "clap", "mio", "socket2"].contains(&name.as_str())).collect();
    assert!(impure.is_empty(), "{impure:?}");
    assert!(crates("full").len() > pure.len());
}
