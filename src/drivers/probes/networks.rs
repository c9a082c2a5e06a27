//! The networks that probes may reach, and the addresses that need to be named.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

/// One network: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

/// What probes may reach.
#[derive(Clone, Debug, Default)]
pub struct Networks {
    allowed: Vec<Network>,
    /// `host:port` of configured targets, which operators named themselves: a connection or a DNS question may go there whatever is allowed.
    targets: Vec<(String, u16)>,
    /// `host:port` of everything else that the server itself speaks to.
    systems: Vec<(String, u16)>,
}

/// Networks that a larger one does not include: this machine itself, its link, and where clouds hand out credentials. Each must be named, or a part of it.
const NAMED: [(IpAddr, u8); 9] = [
    (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
    (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16),
    (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10),
    (IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)), 32),
    (IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)), 32),
    (IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)), 32),
    (IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0)), 32),
    (IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0)), 32),
];

/// Addresses that mean this machine or everybody, whoever names them.
fn is_never(address: IpAddr) -> bool {
    match address {
        // All of 0.0.0.0/8 is "this host" (RFC 1122).
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_multicast() || v6 != Ipv6Addr::LOCALHOST && v6.segments()[..6] == [0; 6],
    }
}

/// The address that is meant: IPv4 inside IPv6, mapped, translated (RFC 6052) or in 6to4 (RFC 3056), is judged as IPv4.
fn meant(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let s = v6.segments();
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match s {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        _ => v6.to_canonical(),
    }
}

impl Networks {
    pub fn new(allowed: Vec<Network>, targets: Vec<(String, u16)>) -> Self {
        Self { allowed, targets, systems: Vec::new() }
    }

    /// The same beside what the server itself speaks to and no probe reaches for that reason: its store, Vault, Prometheus.
    pub fn beside(self, systems: Vec<(String, u16)>) -> Self {
        Self { systems, ..self }
    }

    /// Whether an address may be connected to.
    pub fn allow(&self, address: IpAddr) -> bool {
        let address = meant(address);
        if is_never(address) {
            return false;
        }
        let named: Vec<Network> = NAMED.iter().map(|(base, bits)| Network { base: *base, bits: *bits }).filter(|network| network.holds(address)).collect();
        self.allowed.iter().any(|network| network.holds(address) && named.iter().all(|special| special.includes(network)))
    }

    /// Why a literal address, or any at all, can never be reached; a name is judged when it is resolved.
    pub fn fault(&self, host: &str) -> Option<String> {
        match bare(host).parse::<IpAddr>() {
            Ok(address) if !self.allow(address) => Some(format!("{host} is outside the networks that probes may reach")),
            Err(_) if self.allowed.is_empty() => Some(format!("probes may reach no network, so not {host} either")),
            Ok(_) | Err(_) => None,
        }
    }

    /// Whether operators configured exactly this host and port as a target's.
    pub fn is_target(&self, host: &str, port: u16) -> bool {
        self.targets.iter().any(|(known, at)| *at == port && known.eq_ignore_ascii_case(host))
    }

    /// The hosts at a port whose own API says what repositories read through grants alone: of targets, and of what else the server speaks to.
    pub(super) fn guarded(&self, port: u16) -> impl Iterator<Item = &str> {
        self.targets.iter().chain(&self.systems).filter(move |(_, at)| *at == port).map(|(host, _)| &**host)
    }

    /// The addresses that may be connected to, or the first that may not.
    pub(super) fn sieve(&self, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Option<IpAddr>> {
        let first = found.first().map(SocketAddr::ip);
        let allowed: Vec<SocketAddr> = found.into_iter().filter(|address| self.allow(address.ip())).collect();
        if allowed.is_empty() { Err(first) } else { Ok(allowed) }
    }
}

/// A host as a URL writes it, without the brackets of IPv6.
pub(super) fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether two texts name one host: as one address, or as one name.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    match (bare(a).parse(), bare(b).parse()) {
        (Ok(a), Ok(b)) => is_one_place(a, b),
        (Err(_), Err(_)) => a.trim_end_matches('.').eq_ignore_ascii_case(b.trim_end_matches('.')),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    }
}

/// Whether two addresses lead to one listener: what listens on all of this machine answers at each of its loopback addresses.
pub(super) fn is_one_place(a: IpAddr, b: IpAddr) -> bool {
    let (a, b) = (meant(a), meant(b));
    a == b || a.is_loopback() && b.is_loopback()
}

impl Network {
    fn holds(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => same(u32::from(base).into(), u32::from(address).into(), 32, self.bits),
            (IpAddr::V6(base), IpAddr::V6(address)) => same(base.into(), address.into(), 128, self.bits),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    fn includes(&self, other: &Network) -> bool {
        self.bits <= other.bits && self.holds(other.base)
    }
}

/// Whether the first `bits` of two addresses of `width` bits are the same.
fn same(a: u128, b: u128, width: u32, bits: u8) -> bool {
    let rest = width - u32::from(bits);
    a.checked_shr(rest).unwrap_or(0) == b.checked_shr(rest).unwrap_or(0)
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(|_| format!("`{text}` is no network"))?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) => {
                bits.parse().ok().filter(|n| *n <= width && bits.chars().all(|c| c.is_ascii_digit())).ok_or_else(|| format!("`{text}` has no length from 0 to {width}"))?
            }
        };
        if meant(base) != base {
            return Err(format!("`{text}` is IPv4 written as IPv6"));
        }
        let network = Network { base, bits };
        let cut: u128 = match base {
            IpAddr::V4(v4) => u128::from(u32::from(v4)),
            IpAddr::V6(v6) => v6.into(),
        };
        // `10.1.2.3/8` is a slip: whoever wrote it meant one of two things.
        let rest = u32::from(width) - u32::from(bits);
        if rest > 0 && cut & (u128::MAX >> (128 - rest)) != 0 {
            return Err(format!("`{text}` has bits beyond its length"));
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::{Network, Networks};

    fn allows(networks: &[&str], address: &str) -> bool {
        let allowed: Vec<Network> = networks.iter().map(|text| text.parse().unwrap()).collect();
        Networks::new(allowed, Vec::new()).allow(address.parse().unwrap())
    }

    #[test]
    fn nothing_is_reached_unless_a_network_holds_it() {
        assert!(!allows(&[], "192.0.2.1"));
        assert!(allows(&["192.0.2.0/24"], "192.0.2.255"));
        assert!(!allows(&["192.0.2.0/24"], "192.0.3.0"));
        assert!(allows(&["2001:db8::/32"], "2001:db8::1"));
        assert!(!allows(&["0.0.0.0/0"], "2001:db8::1"));
    }

    #[test]
    fn loopback_link_and_metadata_need_their_own_name_whatever_is_open() {
        for address in ["127.0.0.1", "127.8.9.1", "::1", "169.254.169.254", "169.254.0.1", "fe80::1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"] {
            assert!(!allows(&["0.0.0.0/0", "::/0", "0.0.0.0/1", "100.0.0.0/8", "168.0.0.0/5", "169.0.0.0/8"], address), "{address}");
        }
        assert!(allows(&["127.0.0.0/8"], "127.0.0.1"));
        assert!(allows(&["127.0.0.1"], "127.0.0.1"));
        assert!(!allows(&["127.0.0.1"], "127.0.0.2"));
        assert!(allows(&["169.254.169.254/32"], "169.254.169.254"));
    }

    #[test]
    fn ipv4_inside_ipv6_is_judged_as_ipv4() {
        for address in ["::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"] {
            assert!(!allows(&["::/0", "0.0.0.0/0"], address), "{address}");
        }
        assert!(allows(&["192.0.2.0/24"], "::ffff:192.0.2.1"));
        assert!(!allows(&["::/0"], "::ffff:192.0.2.1"));
    }

    #[test]
    fn this_host_and_everybody_are_never_reached() {
        for address in ["0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "255.255.255.255", "ff02::1"] {
            assert!(!allows(&["0.0.0.0/0", "::/0", "127.0.0.0/8", "224.0.0.0/4", "ff00::/8"], address), "{address}");
        }
    }

    #[test]
    fn a_network_has_one_form() {
        for text in ["10.1.2.3/8", "10.0.0.0/33", "::/129", "10.0.0.0/+8", "10.0/8", "localhost", "::ffff:10.0.0.0/104", "", "10.0.0.0/"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert_eq!("10.0.0.0/8".parse::<Network>().unwrap().to_string(), "10.0.0.0/8");
        assert_eq!("2001:db8::1".parse::<Network>().unwrap().to_string(), "2001:db8::1/128");
    }
}
