//! Who may do what with new files, as `chmod` has it.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// Nine bits: what owner, group and others may do with a file. The owner may always read and write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(u32);

impl FileMode {
    /// As `chmod` takes it.
    pub fn bits(self) -> u32 {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('0').filter(|rest| rest.len() == 3).unwrap_or(text);
        let bits = u32::from_str_radix(digits, 8).ok().filter(|_| digits.len() == 3 && digits.bytes().all(|digit| digit.is_ascii_digit()))?;
        // Whoever writes a file reads it again; programs are nobody's configuration.
        (bits & 0o600 == 0o600 && bits & 0o111 == 0).then_some(Self(bits))
    }
}

/// What a program of anybody's reads.
impl Default for FileMode {
    fn default() -> Self {
        Self(0o644)
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl Serialize for FileMode {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FileMode {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Text)
    }
}

/// Reads a mode from its text; a number is not guessed at, because YAML's dialects disagree about what `0640` is.
struct Text;

impl de::Visitor<'_> for Text {
    type Value = FileMode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mode in quotes such as `\"0640\"`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<FileMode, E> {
        FileMode::parse(text)
            .ok_or_else(|| E::custom(format!("`{text}` is no mode of a file such as `\"0640\"`: three octal digits, the owner may read and write, nobody executes")))
    }
}

impl JsonSchema for FileMode {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FileMode".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "what owner, group and others may do with a file, as octal digits in quotes: 0640" })
    }
}

#[cfg(test)]
mod tests {
    use super::FileMode;

    #[test]
    fn a_mode_is_three_octal_digits_that_let_the_owner_read_and_write() {
        assert_eq!(["0640", "640", "0600"].map(|text| FileMode::parse(text).map(FileMode::bits)), [Some(0o640), Some(0o640), Some(0o600)]);
        for text in ["", "0", "64", "0680", "0440", "0755", "+640", "4644", "00640", "rw-r--r--"] {
            assert_eq!(FileMode::parse(text), None, "{text}");
        }
    }
}
