//! The egress guard: which addresses may be called. Pure; asked for every address, right before it is dialled.
//!
//! An address is refused unless it is global unicast, whatever spelling or DNS answer led to it. The ranges are those of
//! the IANA special-purpose registries.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::error::{Error, Result};

mod name;

/// Why a target is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The address or the name.
    pub target: Box<str>,
    /// The rule, in words that stay.
    pub rule: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.target, self.rule)
    }
}

/// A network and port that may be called although the guard would refuse it: `10.1.0.0/16:8443`, `[::1]/128:9000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    network: IpAddr,
    bits: u8,
    /// `None` is any port.
    port: Option<u16>,
}

/// What a bridge may call, and how it finds it.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    /// Decides about every address.
    pub guard: Guard,
    /// The servers that names are asked of; without any, those of this system.
    pub dns_servers: Vec<SocketAddr>,
}

impl From<Vec<Allowed>> for Egress {
    fn from(allowed: Vec<Allowed>) -> Self {
        Self { guard: Guard::new(allowed), ..Self::default() }
    }
}

/// The guard of one bridge: the rules, and what may be called all the same.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allowed: Vec<Allowed>,
    own: Option<Box<str>>,
}

impl Guard {
    /// A guard that lets these targets pass.
    pub fn new(allowed: Vec<Allowed>) -> Self {
        Self { allowed, own: None }
    }

    /// Sets the name by which the bridge itself is reached, which it does not call.
    #[must_use]
    pub fn own(self, name: Option<String>) -> Self {
        Self { own: name.map(Into::into), ..self }
    }

    /// Decides about an address.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn admit(&self, address: SocketAddr) -> Result<(), Refusal> {
        if self.allows(address) {
            return Ok(());
        }
        let rule = match address.ip() {
            IpAddr::V4(v4) => refusal_v4(v4),
            IpAddr::V6(v6) => refusal_v6(v6),
        };
        let rule = rule.or_else(|| refusal_port(address.port()));
        rule.map_or(Ok(()), |rule| Err(Refusal { target: address.to_string().into(), rule }))
    }

    /// Decides about a host and everything it stands for: one refused address refuses all of them.
    ///
    /// A name that also stands for a private address is somebody's attempt to get there; using the rest would tell so.
    /// A name that is refused is so without any address too, but not where all its addresses are allowed.
    ///
    /// # Errors
    /// The first refusal.
    pub fn admit_host(&self, host: &str, addresses: &[SocketAddr]) -> Result<(), Refusal> {
        let open = !addresses.is_empty() && addresses.iter().all(|address| self.allows(*address));
        match name::refusal(host, self.own.as_deref()) {
            Some(rule) if !open => Err(Refusal { target: host.into(), rule }),
            _ => addresses.iter().try_for_each(|&address| self.admit(address)),
        }
    }

    fn allows(&self, address: SocketAddr) -> bool {
        self.allowed.iter().any(|one| one.contains(address))
    }
}

/// A row: network, prefix length, why.
type V4 = (Ipv4Addr, u8, &'static str);
type V6 = (Ipv6Addr, u8, &'static str);

const REFUSED_V4: &[V4] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared with a carrier"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local, cloud metadata"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "AS112"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "AMT"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(192, 175, 48, 0), 24, "AS112"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved, broadcast"),
];

/// The prefix of NAT64: judged by the IPv4 address inside.
const NAT64: V6 = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, "");
const UNICAST: V6 = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3, "");

/// What is refused inside `2000::/3`; all outside of it is.
const REFUSED_V6: &[V6] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "protocol assignments: Teredo, benchmarking, ORCHID"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4"),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, "AS112"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
];

/// Services that are no webhook endpoint, behind ports that are not privileged.
const SERVICES: &[u16] = &[2375, 2376, 3306, 5432, 5672, 6379, 8500, 9092, 9200, 10250, 11211, 15672, 27017];

fn refusal_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = u128::from(address.to_bits()) << 96;
    let found = REFUSED_V4.iter().find(|(of, length, _)| same(bits, u128::from(of.to_bits()) << 96, *length));
    found.map(|(_, _, rule)| *rule)
}

fn refusal_v6(address: Ipv6Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    let within = |(of, length, _): &V6| same(bits, of.to_bits(), *length);
    if within(&NAT64) {
        let [.., a, b, c, d] = address.octets();
        return refusal_v4(Ipv4Addr::new(a, b, c, d));
    }
    if !within(&UNICAST) {
        return Some("not global unicast IPv6");
    }
    REFUSED_V6.iter().find(|row| within(row)).map(|(_, _, rule)| *rule)
}

fn refusal_port(port: u16) -> Option<&'static str> {
    match port {
        80 | 443 => None,
        0..1024 => Some("privileged port other than 80 and 443"),
        port if SERVICES.contains(&port) => Some("port of a known service"),
        _ => None,
    }
}

/// Tells whether two addresses, their bits left-aligned, are the same in the first ones.
fn same(one: u128, other: u128, length: u8) -> bool {
    length == 0 || (one ^ other) >> (128 - u32::from(length)) == 0
}

impl Allowed {
    fn contains(&self, address: SocketAddr) -> bool {
        if self.port.is_some_and(|port| port != address.port()) {
            return false;
        }
        match (self.network, address.ip()) {
            (IpAddr::V4(network), IpAddr::V4(of)) => {
                same(u128::from(of.to_bits()) << 96, u128::from(network.to_bits()) << 96, self.bits)
            }
            (IpAddr::V6(network), IpAddr::V6(of)) => same(of.to_bits(), network.to_bits(), self.bits),
            _ => false,
        }
    }
}

impl FromStr for Allowed {
    type Err = Error;

    /// Parses `network/bits:port`; without `:port` it is any port.
    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            Error::invalid(format!(
                "allowed target {text:?}: must be such as 127.0.0.1/32:9000 or [::1]/128:9000"
            ))
        };
        let (network, rest) = text.split_once('/').ok_or_else(invalid)?;
        let (bits, port) = rest.split_once(':').map_or((rest, None), |(bits, port)| (bits, Some(port)));
        let network: IpAddr =
            network.trim_start_matches('[').trim_end_matches(']').parse().map_err(|_| invalid())?;
        let bits: u8 = bits.parse().map_err(|_| invalid())?;
        let port = port.map(str::parse).transpose().map_err(|_| invalid())?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        if bits > most { Err(invalid()) } else { Ok(Self { network, bits, port }) }
    }
}

#[cfg(test)]
mod tests;
