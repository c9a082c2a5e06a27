//! Secrets that the server's own process can read: `secret://env/NAME` and `secret://file/NAME` below one folder.

use crate::{
    core::model::SecretRef,
    ports::{Fut, SecretError, SecretErrorKind, SecretText, Secrets},
};
use std::path::{Component, Path, PathBuf};

/// A secret file larger than this is a mistake: keys and passwords are short.
const LARGEST: u64 = 64 * 1024;

/// Resolves references to the environment and to files below `folder`.
pub struct LocalSecrets {
    folder: Option<PathBuf>,
}

impl LocalSecrets {
    /// `folder`: where `secret://file/…` looks; none: files are refused.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    fn find(&self, reference: &SecretRef) -> Result<SecretText, SecretError> {
        let fault = |what: &str| SecretError { uri: reference.uri.to_string(), what: what.to_owned(), kind: SecretErrorKind::Missing };
        if reference.version.is_some() {
            return Err(fault("the environment and files keep no versions; leave `@VERSION` out"));
        }
        let rest = reference.uri.strip_prefix("secret://").ok_or_else(|| fault("a reference starts with secret://"))?;
        let (provider, name) = rest.split_once('/').ok_or_else(|| fault("a reference is secret://PROVIDER/NAME"))?;
        match provider {
            "env" => std::env::var(name).map(SecretText::new).map_err(|_| fault("the variable is not set in the server's environment")),
            "file" => {
                let folder = self.folder.as_deref().ok_or_else(|| fault("the server's configuration names no secrets folder"))?;
                read(folder, name).map_err(|(kind, what)| SecretError { kind, ..fault(&what) })
            }
            _ => Err(fault("no such provider; env, file, vault and sops are there")),
        }
    }
}

/// Reads one file below `folder`, without its last line break. Where the folder is, is the server's own matter: what is said here may stand in a merge request.
fn read(folder: &Path, name: &str) -> Result<SecretText, (SecretErrorKind, String)> {
    let missing = |what: String| (SecretErrorKind::Missing, what);
    let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if !inside {
        return Err(missing("the path leads out of the secrets folder".into()));
    }
    let path = folder.join(name);
    let unread = |error: std::io::Error| match error.kind() {
        // A folder that is not mounted is nobody's spelling.
        std::io::ErrorKind::NotFound if !folder.is_dir() => (SecretErrorKind::Unavailable, "the server's folder of secrets is not there".to_owned()),
        std::io::ErrorKind::NotFound => missing("no such file in the server's folder of secrets".into()),
        other => (SecretErrorKind::Unavailable, format!("it cannot be read: {other}")),
    };
    let about = std::fs::metadata(&path).map_err(unread)?;
    if !about.is_file() || about.len() > LARGEST {
        return Err(missing(format!("not a file of at most {LARGEST} bytes")));
    }
    let text = std::fs::read_to_string(&path).map_err(unread)?;
    Ok(SecretText::new(text.strip_suffix('\n').unwrap_or(&text)))
}

impl Secrets for LocalSecrets {
    fn resolve<'a>(&'a self, reference: &'a SecretRef) -> Fut<'a, Result<SecretText, SecretError>> {
        Box::pin(async move { self.find(reference) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(uri: &str) -> SecretRef {
        SecretRef { uri: uri.into(), version: None }
    }

    #[test]
    fn a_secret_file_is_read_below_its_folder_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("key"), "s3cret\n").expect("the file is written");
        let secrets = LocalSecrets::new(Some(folder.path().into()));
        assert_eq!(secrets.find(&uri("secret://file/key")).map(|text| text.expose().to_owned()), Ok("s3cret".into()));
        for out in ["secret://file/../key", "secret://file//etc/hostname", "secret://file/", "secret://vault/key", "key"] {
            assert!(secrets.find(&uri(out)).is_err(), "{out} is refused");
        }
    }

    #[test]
    fn what_is_missing_is_named_without_the_servers_paths_and_a_folder_that_is_not_there_is_an_outage() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let missing = LocalSecrets::new(Some(folder.path().into())).find(&uri("secret://file/key")).unwrap_err();
        let away = LocalSecrets::new(Some(folder.path().join("mount"))).find(&uri("secret://file/key")).unwrap_err();
        assert_eq!((missing.kind, away.kind), (SecretErrorKind::Missing, SecretErrorKind::Unavailable));
        for error in [missing, away] {
            assert!(!error.to_string().contains(&*folder.path().to_string_lossy()), "{error}");
        }
    }

    #[test]
    fn an_error_and_a_debug_print_never_hold_the_value() {
        assert_eq!(format!("{:?}", SecretText::new("s3cret")), "(secret)");
    }
}
