//! Record types: their numbers, their names, and which of them a name server makes itself.

use super::fault::fault;
use crate::core::model::Refusal;
use std::fmt;

/// A record type by its number; prints as its name, or as `TYPE123` (RFC 3597) where we know none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RType(pub u16);

/// The types that have a name here: those whose data we can read and print, and those a server makes itself.
const NAMES: &[(u16, &str)] = &[
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (17, "RP"),
    (18, "AFSDB"),
    (28, "AAAA"),
    (29, "LOC"),
    (33, "SRV"),
    (35, "NAPTR"),
    (39, "DNAME"),
    (43, "DS"),
    (44, "SSHFP"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (53, "SMIMEA"),
    (59, "CDS"),
    (60, "CDNSKEY"),
    (61, "OPENPGPKEY"),
    (62, "CSYNC"),
    (63, "ZONEMD"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (99, "SPF"),
    (256, "URI"),
    (257, "CAA"),
    (65534, "TYPE65534"),
];

impl RType {
    pub const A: Self = Self(1);
    pub const NS: Self = Self(2);
    pub const CNAME: Self = Self(5);
    pub const SOA: Self = Self(6);
    pub const PTR: Self = Self(12);
    pub const MX: Self = Self(15);
    pub const TXT: Self = Self(16);
    pub const AAAA: Self = Self(28);
    pub const LOC: Self = Self(29);
    pub const DS: Self = Self(43);
    pub const SRV: Self = Self(33);
    pub const DNAME: Self = Self(39);
    pub const SVCB: Self = Self(64);
    pub const HTTPS: Self = Self(65);

    /// The type of this name, in any case; `TYPE123` is any number.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let upper = text.to_ascii_uppercase();
        if let Some((code, _)) = NAMES.iter().find(|(_, name)| *name == upper) {
            return Ok(Self(*code));
        }
        let number = upper.strip_prefix("TYPE").filter(|digits| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()));
        number.and_then(|digits| digits.parse().ok()).map(Self).ok_or_else(|| {
            fault(format!("`{text}` is no record type that a name server holds"), "use a standard type, `TYPE123` for one without a name, or name it under `policy.skip`")
        })
    }

    /// Whether the name server makes records of this type itself, so that they are never resources: SOA and what signing yields.
    pub fn generated(self) -> bool {
        // SOA, then RRSIG, NSEC, DNSKEY, NSEC3, NSEC3PARAM, CDS, CDNSKEY, ZONEMD, and BIND's private signing state.
        matches!(self.0, 6 | 46 | 47 | 48 | 50 | 51 | 59 | 60 | 63 | 65534)
    }

    /// Whether the number names a question or a transport record, never data in a zone (RFC 6895, 3.1).
    pub fn is_meta(self) -> bool {
        matches!(self.0, 0 | 41 | 128..=255)
    }
}

impl fmt::Display for RType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(code, _)| *code == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}
