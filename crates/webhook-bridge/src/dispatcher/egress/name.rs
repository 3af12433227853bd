//! Names that are refused, whatever a resolver answers.

use std::net::IpAddr;

/// Zones of this machine and network.
const WITHIN: &[&str] = &["localhost", "local", "internal", "home.arpa"];

/// Letters of other alphabets that are read as Latin ones.
const ALIKE: &[(&str, char)] = &[
    ("аɑα", 'a'),
    ("ЬƄ", 'b'),
    ("сϲⅽ", 'c'),
    ("ԁⅾ", 'd'),
    ("еєҽ", 'e'),
    ("ɡց", 'g'),
    ("һհ", 'h'),
    ("іıίⅰɩ", 'i'),
    ("јϳ", 'j'),
    ("κк", 'k'),
    ("ӏⅼ", 'l'),
    ("ⅿм", 'm'),
    ("ոп", 'n'),
    ("оοօσ", 'o'),
    ("рρ", 'p'),
    ("ԛզ", 'q'),
    ("гᴦ", 'r'),
    ("ѕꜱ", 's'),
    ("тτ", 't'),
    ("υսս", 'u'),
    ("νѵⅴ", 'v'),
    ("ԝѡա", 'w'),
    ("хχⅹ", 'x'),
    ("уγү", 'y'),
    ("ᴢʐ", 'z'),
];

/// The rule that refuses a name; `own` is the bridge's.
pub(super) fn refusal(host: &str, own: Option<&str>) -> Option<&'static str> {
    let host = plain(host);
    if host.parse::<IpAddr>().is_ok() {
        return None;
    }
    let within =
        |zone: &str| host.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if WITHIN.iter().any(|zone| within(zone)) {
        return Some("a name of this machine or network");
    }
    match own.map(plain) {
        Some(own) if own == host => return Some("the bridge's own name"),
        Some(own) if seen(&own) == seen(&host) => return Some("a name that looks like the bridge's own"),
        _ => {}
    }
    (!host.contains('.')).then_some("a name without a domain")
}

/// In the one spelling that is compared.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// A name as people read it: in Latin letters, without accents.
fn seen(name: &str) -> String {
    let (text, _) = idna::domain_to_unicode(name);
    let latin = |letter: char| {
        let found = ALIKE.iter().find(|(others, _)| others.contains(letter));
        found.map_or(letter, |(_, latin)| *latin)
    };
    text.chars().map(latin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name as it stands in a parsed URL.
    fn host(name: &str) -> String {
        url::Url::parse(&format!("https://{name}/")).unwrap().host_str().unwrap().to_owned()
    }

    #[test]
    fn its_own_name_is_refused_in_every_spelling_and_to_the_eye() {
        let own = Some("hooks.shop.example");
        for name in
            ["hooks.shop.example", "HOOKS.Shop.example.", "hooks。shop.example", "ｈｏｏｋｓ.shop.example"]
        {
            assert_eq!(refusal(&host(name), own), Some("the bridge's own name"), "{name}");
        }
        for name in ["hооks.shop.example", "hooks.ѕhop.example", "һοоκѕ.ѕһοр.еxаmрӏе"] {
            assert_eq!(refusal(&host(name), own), Some("a name that looks like the bridge's own"), "{name}");
        }
        for name in ["shop.example", "a.hooks.shop.example", "hooks.shop.example.org", "höoks.shop.example"]
        {
            assert_eq!(refusal(&host(name), own), None, "{name}");
            assert_eq!(refusal(&host(name), None), None, "{name}");
        }
    }
}
