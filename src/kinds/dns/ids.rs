//! Names of RRsets as resources: `<zone>/<owner>/<TYPE>` and back.

use super::{DnsName, RType, fault::fault};
use crate::core::model::{Refusal, ResourceId};

/// The kind segment of every id made here.
pub const RRSET: &str = "rrset";

/// An RRset's name in parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RrsetName {
    pub zone: DnsName,
    /// The owner in full.
    pub owner: DnsName,
    pub rtype: RType,
}

/// The id of the RRset `owner rtype` in `zone`; refused when the owner stands outside of the zone.
///
/// A `/` inside a label (RFC 2317) is written `\047`, so that the name splits at its slashes.
pub fn rrset_id(target: &str, zone: &DnsName, owner: &DnsName, rtype: RType) -> Result<ResourceId, Refusal> {
    let Some(relative) = owner.relative_to(zone) else {
        return Err(fault(format!("`{owner}` is not in the zone `{zone}`"), "move the record to the file of its own zone"));
    };
    let plain = |text: &str| text.replace('/', "\\047");
    Ok(ResourceId::new(target, RRSET, format!("{}/{}/{rtype}", plain(&zone.to_string()), plain(&relative))))
}

/// The parts of an RRset's id; refused when it is none.
pub fn split(id: &ResourceId) -> Result<RrsetName, Refusal> {
    let bad = || fault(format!("`{id}` names no RRset"), "write `target/rrset/zone./owner/TYPE`");
    let mut parts = id.name.split('/');
    let (Some(zone), Some(owner), Some(rtype), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(bad());
    };
    if &*id.kind != RRSET {
        return Err(bad());
    }
    let zone = DnsName::parse(zone)?;
    let owner = if owner == "@" { zone.clone() } else { DnsName::parse_under(owner, &zone)? };
    if !owner.is_in(&zone) {
        return Err(bad());
    }
    Ok(RrsetName { zone, owner, rtype: RType::parse(rtype)? })
}

/// The zone of an id as text, cheaply: what stands before the first slash.
pub(super) fn zone_text(id: &ResourceId) -> &str {
    id.name.split('/').next().unwrap_or(&id.name)
}

/// The types that people put beside each other at one name. What is left out (NS and DS at a delegation, DNSSEC's) is answered by another zone or made by the server.
const NEIGHBOURS: [RType; 9] = [RType::A, RType::AAAA, RType::CNAME, RType::MX, RType::TXT, RType::SRV, RType::DNAME, RType::HTTPS, RType(257)];

/// Other RRsets of the same owner; for one that is made also the wildcards that answered for its name.
pub(super) fn beside(id: &ResourceId, made: bool) -> Vec<ResourceId> {
    let Ok(RrsetName { zone, owner, rtype }) = split(id) else { return Vec::new() };
    let mut names: Vec<(DnsName, RType)> = NEIGHBOURS.into_iter().filter(|other| *other != rtype).map(|other| (owner.clone(), other)).collect();
    let labels: Vec<&[u8]> = owner.labels().collect();
    let depth = labels.len().saturating_sub(zone.labels().count());
    for up in (1..=depth).filter(|_| made) {
        let star = DnsName::from_labels(std::iter::once(&b"*"[..]).chain(labels[up..].iter().copied()));
        names.extend(star.into_iter().filter(|star| *star != owner).flat_map(|star| [(star.clone(), rtype), (star, RType::CNAME)]));
    }
    let mut ids: Vec<ResourceId> = names.iter().filter_map(|(owner, rtype)| rrset_id(&id.target, &zone, owner, *rtype).ok()).collect();
    ids.sort();
    ids.dedup();
    ids
}
