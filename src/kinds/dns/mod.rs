//! The DNS kind: RRsets in zones, their canonical form, references, exclusions and protections.
//!
//! A resource is one RRset. Its name is `<zone>/<owner>/<TYPE>` (`example.com./www/A`), its canonical value a map of `ttl` and
//! `values`: presentation text per record, absolute lower-case names, sorted, no duplicates. Text becomes wire form and wire form becomes
//! text through one table (`rdata`), so that what a file asks for and what a server answers compare as equal bytes.

mod check;
mod fault;
mod ids;
mod kind;
mod loc;
mod name;
mod rdata;
mod rtype;
mod svcb;
mod text;
pub mod wire;

pub use ids::{RRSET, RrsetName, rrset_id, split};
pub use kind::{DNS, Dns, data, rrset};
pub use name::DnsName;
pub use rdata::{parse as parse_rdata, parse_under as parse_rdata_under, print as print_rdata};
pub use rtype::RType;
pub use text::{quoted, unescape, unescape_strings, words};
