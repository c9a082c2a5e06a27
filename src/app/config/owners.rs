//! Which targets are one live system under two names: what is granted of one is granted of the other (I10).

use super::{Server, Target};
use crate::core::model::Str;
use std::path::{Component, PathBuf};

/// How two targets of different names stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places {
    /// Two systems, as far as their configuration tells.
    Apart,
    /// One system: what one writes the other reads.
    Same,
    /// One name server asked under two keys: two views of it, or one zone twice.
    Views,
    /// A folder inside the other's folder.
    Nested,
}

/// Compares where two targets are.
pub fn places(a: &Target, b: &Target) -> Places {
    if a.kind != b.kind {
        return Places::Apart;
    }
    if let (Some(a), Some(b)) = (&a.path, &b.path) {
        let (a, b) = (whole(a), whole(b));
        return match (a == b, a.starts_with(&b) || b.starts_with(&a)) {
            (true, _) => Places::Same,
            (false, true) => Places::Nested,
            (false, false) => Places::Apart,
        };
    }
    let (of_a, of_b): (Vec<String>, Vec<String>) = (asked(a).collect(), asked(b).collect());
    if !of_a.iter().any(|one| of_b.contains(one)) {
        return Places::Apart;
    }
    let key = |target: &Target| target.tsig.as_ref().map(|tsig| tsig.name.to_ascii_lowercase());
    if key(a) == key(b) { Places::Same } else { Places::Views }
}

/// Every pair of targets that is not apart, each once, in the order of their names.
pub fn pairs(server: &Server) -> Vec<(&Str, &Str, Places)> {
    let mut found = Vec::new();
    for (n, (name, target)) in server.targets.iter().enumerate() {
        let later = server.targets.iter().skip(n + 1).map(|(other, second)| (name, other, places(target, second)));
        found.extend(later.filter(|(_, _, places)| *places != Places::Apart));
    }
    found
}

/// Where writes go, written one way: a name server's own port is 53, and a slash at the end of a URL says nothing.
fn asked(target: &Target) -> impl Iterator<Item = String> + '_ {
    let address = target.address.iter().map(|address| {
        let text = address.to_ascii_lowercase();
        let has_port = text.parse::<std::net::SocketAddr>().is_ok() || text.rsplit_once(':').is_some_and(|(host, port)| !host.contains(':') && port.parse::<u16>().is_ok());
        match text.parse::<std::net::IpAddr>() {
            Ok(ip) => std::net::SocketAddr::new(ip, 53).to_string(),
            Err(_) if has_port || text.contains("://") => text.trim_end_matches('/').to_owned(),
            Err(_) => format!("{text}:53"),
        }
    });
    address.chain(target.endpoints.iter().map(|endpoint| endpoint.trim_end_matches('/').to_ascii_lowercase()))
}

/// Where a link leads counts, not how it is named; what is not there yet is only named.
pub(super) fn whole(path: &std::path::Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.components().filter(|part| *part != Component::CurDir).collect())
}
