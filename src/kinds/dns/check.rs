//! Faults that only a zone as a whole shows.

use super::{DnsName, RType, fault::fault, ids::split};
use crate::core::model::{Desired, Place, Refusal};
use std::collections::BTreeMap;

/// Every fault of one target's zone, in the order of its owners.
pub(super) fn unit(desired: &Desired) -> Vec<Refusal> {
    let mut owners: BTreeMap<(DnsName, DnsName), BTreeMap<RType, &Place>> = BTreeMap::new();
    let mut out = Vec::new();
    for (id, wanted) in &desired.resources {
        match split(id) {
            Ok(parts) => {
                owners.entry((parts.zone, parts.owner)).or_default().insert(parts.rtype, &wanted.place);
            }
            Err(refusal) => out.push(refusal.at(wanted.place.clone())),
        }
    }
    for ((zone, owner), types) in &owners {
        let Some(place) = types.get(&RType::CNAME) else { continue };
        if owner == zone {
            out.push(
                fault(format!("a CNAME stands at the top of the zone `{zone}`, beside its SOA and NS"), "write the addresses as A and AAAA, or move the CNAME to a name below")
                    .at((*place).clone()),
            );
        }
        for (rtype, also) in types.iter().filter(|(rtype, _)| **rtype != RType::CNAME) {
            out.push(
                fault(format!("`{owner}` has a CNAME beside {rtype}"), "a name with a CNAME holds nothing else: remove one of the two").at((*place).clone()).also((*also).clone()),
            );
        }
    }
    out
}
