//! Which URLs are let in, and which addresses may be dialled for them.
//!
//! The input is a URL; its last bytes are also tried as addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use webhook_bridge::dispatcher::egress::Guard;
use webhook_bridge::model::EndpointUrl;

/// A URL that is let in means one thing to everybody who reads it, and nothing that is admitted is not global.
pub fn run(data: &[u8]) {
    addresses(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(url) = EndpointUrl::parse(text) else { return };
    let again = EndpointUrl::parse(url.as_str()).expect("what is normalised is let in");
    assert_eq!(
        (again.as_str(), again.port()),
        (url.as_str(), url.port()),
        "parsing it again changes nothing"
    );
    assert_eq!(url.written(), text);

    // What is dialled is read by the grammar of requests, what is judged by that of URLs.
    let host = url.as_url().host_str().expect("it has one");
    let uri: http::Uri = url.as_str().parse().expect("what is let in can be requested");
    assert_eq!((uri.host(), uri.scheme_str()), (Some(host), Some(url.as_url().scheme())));
    let standard = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    assert_eq!(uri.port_u16().unwrap_or(standard), url.port());
    assert!(uri.authority().is_some_and(|authority| !authority.as_str().contains('@')));
    judged(host.trim_start_matches('[').trim_end_matches(']'), url.port());
}

fn judged(host: &str, port: u16) {
    let guard = Guard::default();
    match host.parse::<IpAddr>() {
        Ok(ip) => {
            let verdict = guard.admit_host(host, &[SocketAddr::new(ip, port)]);
            assert!(verdict.is_err() || is_global(ip), "{host}");
        }
        Err(_) => {
            let public = [SocketAddr::from(([8, 8, 8, 8], 443))];
            let name = host.to_ascii_lowercase();
            let name = name.trim_end_matches('.');
            let verdict = guard.admit_host(host, &public);
            let zones = ["localhost", "local", "internal", "home.arpa"];
            let within = |zone: &&str| name == *zone || name.ends_with(&format!(".{zone}"));
            assert!(verdict.is_err() || !zones.iter().any(within), "{host}: a name of this network");
            assert!(verdict.is_err() || name.contains('.'), "{host}: a name without a domain");
            let mixed = [public[0], SocketAddr::from(([127, 0, 0, 1], 443))];
            assert!(guard.admit_host(host, &mixed).is_err(), "{host}: one refused address refuses all");
        }
    }
}

/// The last bytes as addresses of both families.
fn addresses(data: &[u8]) {
    let guard = Guard::default();
    if let Some(bytes) = data.last_chunk::<4>() {
        let ip = Ipv4Addr::from(*bytes);
        let admitted = guard.admit(SocketAddr::new(ip.into(), 443)).is_ok();
        assert!(!admitted || is_global(ip.into()), "{ip}");
        let [a, b, c, d] = ip.octets().map(u16::from);
        let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a << 8 | b, c << 8 | d);
        assert_eq!(
            guard.admit(SocketAddr::new(nat64.into(), 443)).is_ok(),
            admitted,
            "as the one inside: {nat64}"
        );
        for other in [ip.to_ipv6_mapped(), ip.to_ipv6_compatible()] {
            assert!(guard.admit(SocketAddr::new(other.into(), 443)).is_err(), "{other}");
        }
    }
    if let Some(bytes) = data.last_chunk::<16>() {
        let ip = Ipv6Addr::from(*bytes);
        let verdict = guard.admit(SocketAddr::new(ip.into(), 443));
        assert!(verdict.is_err() || is_global(ip.into()), "{ip}");
    }
}

/// By the special-purpose registries, written down another way than the guard's.
fn is_global(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_broadcast()
                || ip.is_documentation()
                || ip.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19)))
        }
        IpAddr::V6(ip) => {
            let parts = ip.segments();
            match parts {
                [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                    is_global(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)).into())
                }
                [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
                [0x2002, ..] => false,
                [0x3fff, second, ..] => second >= 0x1000,
                [first, ..] => (0x2000..0x4000).contains(&first),
            }
        }
    }
}
