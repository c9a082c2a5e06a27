//! Finds planted secrets in whatever a server wrote or said, in every form that text takes on the way.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use std::{
    collections::BTreeSet,
    io::Read as _,
    path::{Path, PathBuf},
};

/// Secrets and all their forms.
pub struct Canaries(Vec<(String, Vec<u8>)>);

impl Canaries {
    pub fn new(secrets: &[&str]) -> Self {
        Self(secrets.iter().flat_map(|secret| forms(secret).into_iter().map(|form| ((*secret).to_owned(), form))).collect())
    }

    /// The secrets that stand in these bytes, plain or compressed as the store does.
    pub fn in_bytes(&self, bytes: &[u8]) -> BTreeSet<String> {
        let mut all = vec![bytes.to_vec()];
        // A zlib stream begins with these two bytes, whatever stands before it.
        for at in bytes.windows(2).enumerate().filter(|(_, two)| two[0] == 0x78 && matches!(two[1], 0x01 | 0x5e | 0x9c | 0xda)).map(|(at, _)| at) {
            let mut plain = Vec::new();
            // What was decoded before an error counts too.
            let _ = flate2::read::ZlibDecoder::new(&bytes[at..]).read_to_end(&mut plain);
            all.push(plain);
        }
        self.0.iter().filter(|(_, form)| all.iter().any(|bytes| holds(bytes, form))).map(|(secret, _)| secret.clone()).collect()
    }

    pub fn in_text(&self, text: &str) -> BTreeSet<String> {
        self.in_bytes(text.as_bytes())
    }

    /// The files below a folder that hold one, and how many were searched.
    pub fn below(&self, folder: &Path) -> (u64, Vec<(PathBuf, BTreeSet<String>)>) {
        let (mut searched, mut found, mut left) = (0, Vec::new(), vec![folder.to_path_buf()]);
        while let Some(path) = left.pop() {
            if path.is_dir() {
                left.extend(std::fs::read_dir(&path).expect("it can be read").map(|entry| entry.expect("it can be read").path()));
            } else if let Ok(bytes) = std::fs::read(&path) {
                searched += 1;
                let here = self.in_bytes(&bytes);
                if !here.is_empty() {
                    found.push((path, here));
                }
            }
        }
        (searched, found)
    }
}

fn holds(bytes: &[u8], form: &[u8]) -> bool {
    bytes.windows(form.len()).any(|part| part.eq_ignore_ascii_case(form))
}

fn forms(secret: &str) -> BTreeSet<Vec<u8>> {
    let bytes = secret.as_bytes();
    let json = serde_json::Value::from(secret).to_string();
    let url: String =
        bytes.iter().map(|byte| if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") }).collect();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut all: BTreeSet<Vec<u8>> = [bytes.to_vec(), json[1..json.len() - 1].into(), url.into_bytes(), hex.into_bytes()].into();
    // In base64 a text looks one of three ways, by where in a group of three bytes it begins; what its neighbours decide is left out.
    for shift in 0..3 {
        let padded = [vec![0; shift], bytes.to_vec()].concat();
        for engine in [&STANDARD, &URL_SAFE] {
            let text = engine.encode(&padded);
            let (from, to) = ((shift * 8).div_ceil(6), padded.len() * 8 / 6);
            all.insert(text.as_bytes()[from..to].to_vec());
        }
    }
    all
}

#[test]
fn a_leak_in_any_form_is_found() {
    let canaries = Canaries::new(&["canary \"grün\" 1f3c/7", "other-canary"]);
    let secret = "canary \"grün\" 1f3c/7";
    let leak = |bytes: &[u8]| canaries.in_bytes(bytes);
    let only: BTreeSet<String> = [secret.to_owned()].into();
    assert_eq!(leak(format!("x{secret}y").as_bytes()), only);
    assert_eq!(leak(serde_json::json!({ "a": secret }).to_string().as_bytes()), only);
    for before in ["", "a", "ab"] {
        assert_eq!(leak(STANDARD.encode(format!("{before}{secret}{before}")).as_bytes()), only, "base64 after {} bytes", before.len());
        assert_eq!(leak(URL_SAFE.encode(format!("{before}{secret}")).as_bytes()), only);
    }
    assert_eq!(leak(secret.bytes().map(|byte| format!("{byte:02X}")).collect::<String>().as_bytes()), only);
    assert_eq!(leak(b"?q=canary%20%22gr%C3%BCn%22%201f3c%2F7"), only);
    let mut packed = flate2::write::ZlibEncoder::new(b"before".to_vec(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, format!("[{secret}]").as_bytes()).expect("it is in memory");
    assert_eq!(leak(&packed.finish().expect("it is in memory")), only);
    assert!(leak(b"canary, and nothing of it").is_empty());
}
