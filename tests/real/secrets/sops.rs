//! Files that the real `sops` encrypted.

use super::read;
use std::{path::PathBuf, process::Command};
use tempfile::TempDir;
use trueup::{
    ports::{SecretErrorKind, SecretText},
    secrets::{Sops, SopsConfig},
};

/// An age key pair of these tests alone.
const PUBLIC: &str = "age1nqp84u7cwnp0dw85qf9f3sl4r7dw7xn0kta896zyspugfudz2dmsk32c6r";
pub const KEY: &str = "AGE-SECRET-KEY-16PAYHHRDKWE8WQN5AMGZGPW5W7H74Q8TUC9DAS0A2U0X79Z4CDDSSQ7XER";
/// A well-formed key for which nothing was encrypted: another one's last characters would not pass its checksum.
const NO_KEY: &str = "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ";

pub fn program() -> PathBuf {
    crate::harness::built("sops", "3.13.3")
}

/// A folder with `name` encrypted.
pub fn encrypted(name: &str, plain: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().expect("it stands in a folder")).expect("the folder is writable");
    std::fs::write(&path, plain).expect("the folder is writable");
    let done = Command::new(program()).args(["encrypt", "--in-place", "--age", PUBLIC]).arg(&path).output().expect("sops runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(!std::fs::read_to_string(&path).expect("it is there").contains("canary"), "it is encrypted");
    folder
}

fn sops(folder: &TempDir, key: &str) -> Sops {
    Sops::new(SopsConfig { folder: folder.path().into(), program: program(), age_key: SecretText::new(key) })
}

#[test]
fn a_field_of_an_encrypted_file_is_read_with_the_files_version() {
    let folder = encrypted("app/prod.yaml", "db:\n  password: canary-sops\n  port: 5432\nhosts: [a, b]\n");
    let sops = sops(&folder, KEY);
    let (text, version) = read(&sops, "secret://sops/app/prod.yaml#db.password").expect("it is decrypted");
    let version = version.expect("a file has a version");
    assert_eq!((text.as_str(), version.len()), ("canary-sops", 12));
    assert_eq!(read(&sops, &format!("secret://sops/app/prod.yaml#db.port@{version}")).map(|(text, _)| text), Ok("5432".into()));
    assert_eq!(read(&sops, "secret://sops/app/prod.yaml#hosts.1").map(|(text, _)| text), Ok("b".into()));
    for missing in ["app/prod.yaml#db", "app/prod.yaml#db.none", "app/prod.yaml#hosts.7", "app/prod.yaml#db.password@000000000000", "app/none.yaml#a", "app#a"] {
        let error = read(&sops, &format!("secret://sops/{missing}")).expect_err(missing);
        assert!(error.kind == SecretErrorKind::Missing && !error.what.contains("canary"), "{missing}: {error}");
    }
}

#[test]
fn a_key_for_which_nothing_was_encrypted_opens_nothing_and_no_key_is_told() {
    let folder = encrypted("app.yaml", "password: canary-sops\n");
    for key in [NO_KEY, "canary-no-key"] {
        let error = read(&sops(&folder, key), "secret://sops/app.yaml#password").expect_err("it stays closed");
        assert!(error.kind == SecretErrorKind::Denied && !error.to_string().contains("canary") && !error.to_string().contains("QQQQ"), "{error}");
    }
    let none = Sops::new(SopsConfig { folder: folder.path().into(), program: "/nowhere/sops".into(), age_key: SecretText::new(KEY) });
    assert_eq!(read(&none, "secret://sops/app.yaml#password").map_err(|error| error.kind), Err(SecretErrorKind::Unavailable));
}
