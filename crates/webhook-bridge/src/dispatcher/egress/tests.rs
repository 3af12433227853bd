//! The table of the guard: what is refused, and the neighbours that are not.

use super::*;

fn verdict(ip: &str) -> Result<(), Refusal> {
    Guard::default().admit(SocketAddr::new(ip.parse().unwrap(), 443))
}

/// The ends of each refused range, or one inside.
const REFUSED_IPV4: &[&str] = &[
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
];

/// The same, and spellings of IPv4 addresses.
const REFUSED_IPV6: &[&str] = &[
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "::5efe:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "64:ff9b:0:0:0:1:808:808",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "2620:4f:8000::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];

#[test]
fn addresses_that_are_not_global_unicast_are_refused() {
    for ip in [REFUSED_IPV4, REFUSED_IPV6].concat() {
        assert!(verdict(ip).is_err(), "{ip}");
    }
}

#[test]
fn their_global_neighbours_are_admitted() {
    for ip in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "64:ff9b::8.8.8.8",
        "2001:200::1",
        "2001:db7:ffff::1",
        "2001:db9::1",
        "2003::1",
        "2606:4700::1111",
        "3ffe::1",
        "3fff:1000::1",
    ] {
        assert_eq!(verdict(ip), Ok(()), "{ip}");
    }
}

#[test]
fn ports_of_other_services_are_refused() {
    let at = |port| Guard::default().admit(SocketAddr::new("8.8.8.8".parse().unwrap(), port));
    for port in [0, 21, 22, 25, 81, 442, 1023, 2375, 3306, 5432, 5672, 6379, 9200, 11211, 27017] {
        assert!(at(port).is_err(), "{port}");
    }
    for port in [80, 443, 1024, 3000, 8080, 8443, 65535] {
        assert_eq!(at(port), Ok(()), "{port}");
    }
}

#[test]
fn one_refused_address_refuses_the_whole_answer() {
    let addresses = ["8.8.8.8:443", "127.0.0.1:443"].map(|text| text.parse().unwrap());
    let refusal = Guard::default().admit_host("a.example", &addresses).unwrap_err();
    assert_eq!(refusal.to_string(), "127.0.0.1:443: loopback");
}

#[test]
fn names_of_this_network_are_refused_whatever_they_stand_for() {
    let address = ["8.8.8.8:443".parse().unwrap()];
    for name in [
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "nas.local",
        "metadata.google.internal",
        "db",
        "x.home.arpa",
    ] {
        for addresses in [&address[..], &[]] {
            assert_eq!(&*Guard::default().admit_host(name, addresses).unwrap_err().target, name);
        }
    }
    for name in ["example.com", "notlocal.example", "my-internal.example.com", "8.8.8.8"] {
        assert_eq!(Guard::default().admit_host(name, &address), Ok(()), "{name}");
    }
}

#[test]
fn a_name_of_this_machine_may_be_called_where_its_addresses_are_allowed() {
    let addresses = ["127.0.0.1:9000", "[::1]:9000"].map(|text| text.parse().unwrap());
    let allowed = ["127.0.0.1/32:9000", "[::1]/128:9000"].map(|text| text.parse().unwrap());
    assert_eq!(Guard::new(allowed.to_vec()).admit_host("localhost", &addresses), Ok(()));
    assert!(Guard::new(allowed[..1].to_vec()).admit_host("localhost", &addresses).is_err());
}

#[test]
fn an_allowed_target_is_a_network_and_a_port_and_nothing_beside() {
    let allowed = ["127.0.0.1/32:9000", "10.1.0.0/16", "[::1]/128:9000"].map(|text| text.parse().unwrap());
    let guard = Guard::new(allowed.to_vec());
    for admitted in ["127.0.0.1:9000", "10.1.255.1:6379", "[::1]:9000"] {
        assert_eq!(guard.admit(admitted.parse().unwrap()), Ok(()), "{admitted}");
    }
    for refused in
        ["127.0.0.1:9001", "127.0.0.2:9000", "10.2.0.1:443", "[::1]:9001", "[::ffff:127.0.0.1]:9000"]
    {
        assert!(guard.admit(refused.parse().unwrap()).is_err(), "{refused}");
    }
}

#[test]
fn what_is_no_target_is_refused() {
    for text in ["", "127.0.0.1", "127.0.0.1/33", "::1/129", "x/8", "10.0.0.0/8:http", "10.0.0.0/8:65536"] {
        assert!(text.parse::<Allowed>().is_err(), "{text:?}");
    }
}
