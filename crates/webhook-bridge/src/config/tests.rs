//! One name and one form per setting, wherever it comes from.

use super::*;
use crate::{ErrorKind, Result};

fn file(text: &str) -> Result<Config> {
    let mut config = Config::new();
    config.read_toml("bridge.toml", text).map(|()| config)
}

fn variables(variables: &[(&str, &str)]) -> Result<Config> {
    let mut config = Config::new();
    let variables: Vec<_> =
        variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    config.read_variables(&variables).map(|()| config)
}

const FILE: &str = r#"
listen = "0.0.0.0:80"
data = "/srv/bridge"
bus = "redis://app:hidden@10.0.0.1/0"
group = "staging"
subscribe = false
allow_targets = ["127.0.0.1/32:3000", "10.0.0.0/8"]
retention_days = [9, 10, 11]
unsent_seconds = 20
drain_seconds = 30
dashboard = "https"
log = "warn"
log_format = "json"
[application]
did = "did:abt:z1"
pk = "0x00"
url = "https://shop.example.com"
name = "Shop"
"#;

#[test]
fn a_file_and_the_environment_say_the_same_with_the_same_names() {
    let variables = variables(&[
        ("WEBHOOK_BRIDGE_LISTEN", "0.0.0.0:80"),
        ("WEBHOOK_BRIDGE_DATA", "/srv/bridge"),
        ("WEBHOOK_BRIDGE_BUS", "redis://app:hidden@10.0.0.1/0"),
        ("WEBHOOK_BRIDGE_GROUP", "staging"),
        ("WEBHOOK_BRIDGE_SUBSCRIBE", "false"),
        ("WEBHOOK_BRIDGE_ALLOW_TARGETS", "127.0.0.1/32:3000, 10.0.0.0/8"),
        ("WEBHOOK_BRIDGE_RETENTION_DAYS", "9, 10,11"),
        ("WEBHOOK_BRIDGE_UNSENT_SECONDS", "20"),
        ("WEBHOOK_BRIDGE_DRAIN_SECONDS", "30"),
        ("WEBHOOK_BRIDGE_DASHBOARD", "https"),
        ("WEBHOOK_BRIDGE_LOG", "warn"),
        ("WEBHOOK_BRIDGE_LOG_FORMAT", "json"),
        (
            "WEBHOOK_BRIDGE_APPLICATION",
            r#"{"did":"did:abt:z1","pk":"0x00","url":"https://shop.example.com","name":"Shop"}"#,
        ),
        ("WEBHOOK_BRIDGE_KEY", "of the command line"),
    ]);
    let (file, variables) = (file(FILE).unwrap(), variables.unwrap());
    assert_eq!(format!("{file:?}"), format!("{variables:?}"));
    assert_eq!((file.drain, file.log_format), (Duration::from_secs(30), LogFormat::Json));
    assert_eq!(file.retention, Retention::days(9, 10, 11).unwrap());
}

#[test]
fn an_error_names_where_it_stands_and_the_rule() {
    for (text, expected) in [
        ("\nlisten = \"here\"", "bridge.toml, line 2: listen: must be an address such as 127.0.0.1:8440"),
        (
            "drain_seconds = 0",
            "bridge.toml, line 1: drain_seconds: must be a whole number of seconds, from 1",
        ),
        (
            "listen = 1.5",
            "bridge.toml, line 1: listen: must be a text, a whole number, true, false or a list",
        ),
        ("subscribe = \"no\"", "bridge.toml, line 1: subscribe: must be true or false"),
        ("log_format = \"xml\"", "bridge.toml, line 1: log_format: must be text or json"),
    ] {
        let error = file(text).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Invalid, expected));
    }
    assert!(
        file("listne = \"\"").unwrap_err().to_string().contains("line 1: listne: there is no such setting")
    );
    assert!(file("listen = ").unwrap_err().to_string().starts_with("bridge.toml: "));
    let unknown = variables(&[("WEBHOOK_BRIDGE_LISTNE", "")]).unwrap_err().to_string();
    assert!(unknown.starts_with("WEBHOOK_BRIDGE_LISTNE: there is no such setting"), "{unknown}");
    let broken = variables(&[("WEBHOOK_BRIDGE_ALLOW_TARGETS", "127.0.0.1")]).unwrap_err().to_string();
    assert!(broken.starts_with("WEBHOOK_BRIDGE_ALLOW_TARGETS: "), "{broken}");
}

#[test]
fn secrets_are_hidden() {
    let key = "5ee5".repeat(16);
    let mut config = file(FILE).unwrap();
    config.read_toml("bridge.toml", &format!("app_key = \"0x{key}\"")).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("hidden") && shown.contains("redis://…@10.0.0.1/0"), "{shown}");
}

#[test]
fn how_long_is_kept_is_three_numbers_of_days() {
    let read = |text: &str| variables(&[("WEBHOOK_BRIDGE_RETENTION_DAYS", text)]);
    assert_eq!(read("30,30,90").unwrap().retention, Retention::default());
    for text in ["", "30", "30,30", "30,30,90,1", "30,x,90", "8,30,90", "30,8,90", "91,30,90", "30,91,90"] {
        assert_eq!(read(text).unwrap_err().kind(), ErrorKind::Invalid, "{text:?}");
    }
}

#[test]
fn name_servers_are_addresses_at_their_own_port_or_53() {
    let read = |text: &str| variables(&[("WEBHOOK_BRIDGE_DNS_SERVERS", text)]);
    let servers = read("9.9.9.9, 127.0.0.1:5353,2620:fe::fe,[::1]:54").unwrap().dns_servers;
    let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["9.9.9.9:53", "127.0.0.1:5353", "[2620:fe::fe]:53", "[::1]:54"]);
    for text in ["dns.example", "9.9.9.9:x", "9.9.9"] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn the_page_lists_every_setting() {
    let page = include_str!("../../README.md");
    let rows: Vec<_> = page.lines().skip_while(|line| *line != "| setting | what |").skip(2).collect();
    let expected = SETTINGS.iter().map(|setting| format!("| `{}` | {} |", setting.name, setting.help));
    assert_eq!(rows[..SETTINGS.len()], expected.collect::<Vec<_>>());
    assert_eq!(rows[SETTINGS.len()], "");
}
