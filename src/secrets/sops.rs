//! SOPS: encrypted files in a folder of the server, decrypted by the `sops` program with an age key.
//!
//! `secret://sops/PATH#FIELD` is the value at `FIELD` (`db.password`; numbers count in lists) of the file `PATH`; without a field it is the whole file.
//! A version is the beginning of the encrypted file's SHA-256. The key is handed over in the environment, never as an argument or a file.

use crate::{
    core::model::SecretRef,
    ports::{Fut, SecretError, SecretErrorKind, SecretText, Secrets},
};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use std::{path::PathBuf, process::Stdio, time::Duration};
use tokio::process::Command;

/// Decrypting takes milliseconds with an age key; longer means that the program waits for something that never comes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Larger files are no secrets.
const LARGEST: u64 = 1 << 20;

/// How many hex digits of the file's hash name its version: enough that two versions of one file never share them.
const VERSION: usize = 12;

/// Where encrypted files lie and how they are opened.
pub struct SopsConfig {
    pub folder: PathBuf,
    /// `sops`, or a path of it.
    pub program: PathBuf,
    /// `AGE-SECRET-KEY-1…`
    pub age_key: SecretText,
}

/// Encrypted files of one folder.
pub struct Sops(SopsConfig);

impl Sops {
    pub fn new(config: SopsConfig) -> Self {
        Self(config)
    }

    async fn read(&self, reference: &SecretRef) -> Result<SecretText, SecretError> {
        let fault = |kind, what: String| SecretError { uri: reference.to_string(), what, kind };
        let missing = |what: &str| fault(SecretErrorKind::Missing, what.to_owned());
        // The grammar of references lets no path lead out of the folder.
        let path = self.0.folder.join(reference.path());
        let about = tokio::fs::metadata(&path).await.map_err(|_| missing("there is no such file in the folder of encrypted files"))?;
        if !about.is_file() || about.len() > LARGEST {
            return Err(missing(&format!("it is no file of at most {LARGEST} bytes")));
        }
        let bytes = tokio::fs::read(&path).await.map_err(|error| fault(SecretErrorKind::Denied, format!("the file cannot be read: {}", error.kind())))?;
        let version: String = Sha256::digest(&bytes).iter().take(VERSION / 2).map(|byte| format!("{byte:02x}")).collect();
        if let Some(asked) = reference.version.as_ref().filter(|asked| ***asked != *version) {
            return Err(missing(&format!("the file that lies there is version {version}, not {asked}; put that one back, or write the new version into the reference")));
        }
        let plain = self.decrypt(reference, &path, reference.field().is_some()).await?;
        let text = match reference.field() {
            None => plain,
            Some(field) => {
                let whole: Json = serde_json::from_str(&plain).map_err(|_| missing("the file has no fields; leave `#FIELD` out for the whole of it"))?;
                let below = |at: &Json, name: &str| match at {
                    Json::Array(items) => name.parse::<usize>().ok().and_then(|n| items.get(n)).cloned(),
                    other => other.get(name).cloned(),
                };
                match field.split('.').try_fold(whole, |at, name| below(&at, name)) {
                    Some(Json::String(text)) => text,
                    Some(Json::Number(number)) => number.to_string(),
                    Some(Json::Bool(is)) => is.to_string(),
                    Some(Json::Null | Json::Array(_) | Json::Object(_)) => return Err(missing("the field is no single value")),
                    None => return Err(missing("the file has no such field")),
                }
            }
        };
        Ok(SecretText::new(text).of_version(version))
    }

    async fn decrypt(&self, reference: &SecretRef, path: &std::path::Path, as_json: bool) -> Result<String, SecretError> {
        let fault = |kind, what: &str| SecretError { uri: reference.to_string(), what: what.to_owned(), kind };
        let mut command = Command::new(&self.0.program);
        command.env_clear().env("SOPS_AGE_KEY", self.0.age_key.expose()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.arg("decrypt").args(as_json.then_some(["--output-type", "json"]).into_iter().flatten()).arg(path);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let run = tokio::time::timeout(PATIENCE, command.output()).await;
        let done = match run {
            Err(_) => return Err(fault(SecretErrorKind::Unavailable, "sops did not end in time; run `sops decrypt` on the file as the server's user")),
            Ok(Err(_)) => return Err(fault(SecretErrorKind::Unavailable, "the program `sops` cannot be started; install it, or name it under `sops.program`")),
            Ok(Ok(done)) => done,
        };
        // What sops says is not passed on: it may speak of what is inside.
        if !done.status.success() {
            return Err(fault(SecretErrorKind::Denied, "sops cannot decrypt the file with the server's age key; encrypt it for that key too (`sops updatekeys`)"));
        }
        String::from_utf8(done.stdout).map_err(|_| fault(SecretErrorKind::Missing, "what is inside is no text"))
    }
}

impl Secrets for Sops {
    fn resolve<'a>(&'a self, reference: &'a SecretRef) -> Fut<'a, Result<SecretText, SecretError>> {
        Box::pin(self.read(reference))
    }
}
