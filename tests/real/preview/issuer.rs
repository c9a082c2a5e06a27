//! Who makes tokens for jobs, with real keys: their public halves are published on loopback.

use crate::harness::Site;
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};
use std::process::Command;

/// Where keys are published.
pub const KEYS: &str = "/.well-known/jwks";

/// A key that signs, and its public half.
pub struct Signer {
    pub name: &'static str,
    pub algorithm: Algorithm,
    key: EncodingKey,
    pem: Vec<u8>,
}

impl Signer {
    /// A new key.
    pub fn new(name: &'static str, algorithm: Algorithm) -> Self {
        let rules: &[&str] = match algorithm {
            Algorithm::ES256 => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            _ => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        };
        let pem = Command::new("openssl").arg("genpkey").args(rules).output().expect("openssl runs").stdout;
        let key = match algorithm {
            Algorithm::ES256 => EncodingKey::from_ec_pem(&pem),
            _ => EncodingKey::from_rsa_pem(&pem),
        };
        Self { name, algorithm, key: key.expect("openssl writes what is read here"), pem }
    }

    /// What is published of it.
    pub fn public(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).expect("it has a public half");
        jwk.common.key_id = Some(self.name.to_owned());
        json!(jwk)
    }

    /// The same as a file that a confused server might take for a shared secret.
    pub fn public_pem(&self) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("key.pem");
        std::fs::write(&path, &self.pem).expect("the folder is writable");
        Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&path).output().expect("openssl runs").stdout
    }

    pub fn header(&self) -> Header {
        Header { kid: Some(self.name.to_owned()), ..Header::new(self.algorithm) }
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&self.header(), claims)
    }

    pub fn sign_as(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.key).expect("it can be signed")
    }
}

/// An issuer that publishes keys.
pub struct FakeIssuer {
    pub site: Site,
}

impl FakeIssuer {
    pub fn start(keys: &[&Signer]) -> Self {
        let issuer = Self { site: Site::start() };
        issuer.publishes(keys);
        issuer
    }

    pub fn publishes(&self, keys: &[&Signer]) {
        let strange = json!({ "kty": "unheard-of", "kid": "strange" });
        let all: Vec<Value> = std::iter::once(strange).chain(keys.iter().map(|key| key.public())).collect();
        self.site.says(KEYS, 200, &json!({ "keys": all }).to_string());
    }

    pub fn name(&self) -> String {
        format!("http://{}", self.site.addr)
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
