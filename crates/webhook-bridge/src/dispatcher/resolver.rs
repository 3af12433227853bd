//! How names are resolved: all addresses of a name, as a name server gives them, for as long as it says and no longer.
//!
//! Names are fully qualified, so no search domain of this machine is tried. An answer is used for a minute at most, so a
//! name that moves is followed, and that there is none is believed for ten seconds.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::read_system_conf;
use tokio::time::timeout;

use crate::error::{Error, ErrorKind, Result};

/// The longest a name may take, and each question to a server of it.
const DEADLINE: Duration = Duration::from_secs(5);
const QUESTION: Duration = Duration::from_secs(2);
/// For how long an answer is used at most, and that there is none.
const KNOWN: Duration = Duration::from_secs(60);
const UNKNOWN: Duration = Duration::from_secs(10);

/// Resolves names.
#[derive(Clone)]
pub(super) struct Resolver(TokioResolver);

impl Resolver {
    /// A resolver that asks these servers; without any, those of this system.
    pub(super) fn new(servers: &[SocketAddr]) -> Result<Self> {
        let (config, options) = if servers.is_empty() { system() } else { asking(servers) };
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = limited(options);
        let failed = |cause| Error::new(ErrorKind::Internal, "names cannot be resolved").with_source(cause);
        Ok(Self(builder.build().map_err(failed)?))
    }

    /// All addresses of a host, which may be one itself; or why there are none.
    pub(super) async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, &'static str> {
        if let Ok(ip) = host.parse() {
            return Ok(vec![ip]);
        }
        // The dot at the end makes it fully qualified.
        let name = format!("{}.", host.trim_end_matches('.'));
        match timeout(DEADLINE, self.0.lookup_ip(name)).await {
            Ok(Ok(found)) => Some(found.iter().collect::<Vec<_>>())
                .filter(|found| !found.is_empty())
                .ok_or("the name has no address"),
            Ok(Err(error)) => Err(explain(&error)),
            Err(_) => Err("the name was not resolved in time"),
        }
    }
}

/// Why there is no address, in words that stay.
fn explain(error: &NetError) -> &'static str {
    match error {
        error if error.is_nx_domain() => "there is no such name",
        error if error.is_no_records_found() => "the name has no address",
        NetError::Timeout => "the name was not resolved in time",
        _ => "the name was not resolved",
    }
}

/// As this system resolves names; where it does not say how, by the server on this machine.
fn system() -> (ResolverConfig, ResolverOpts) {
    read_system_conf().unwrap_or_else(|error| {
        tracing::warn!(%error, "this system has no readable /etc/resolv.conf");
        asking(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 53))])
    })
}

fn asking(servers: &[SocketAddr]) -> (ResolverConfig, ResolverOpts) {
    let server = |address: &SocketAddr| {
        let mut server = NameServerConfig::udp_and_tcp(address.ip());
        let at = |connection: &mut ConnectionConfig| connection.port = address.port();
        server.connections.iter_mut().for_each(at);
        server
    };
    let servers = servers.iter().map(server).collect();
    (ResolverConfig::from_parts(None, Vec::new(), servers), ResolverOpts::default())
}

fn limited(mut options: ResolverOpts) -> ResolverOpts {
    options.timeout = QUESTION;
    options.attempts = 1;
    // Both families: what is left out would not be judged.
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.positive_min_ttl = None;
    options.positive_max_ttl = Some(KNOWN);
    options.negative_min_ttl = None;
    options.negative_max_ttl = Some(UNKNOWN);
    options.try_tcp_on_error = true;
    options
}

#[cfg(test)]
mod tests {
    use hickory_resolver::TtlConfig;
    use hickory_resolver::proto::rr::RecordType;

    use super::*;

    /// By the resolver's own reading of its options; that it does as it reads is seen with a name server.
    #[test]
    fn whatever_a_server_says_an_answer_is_used_a_minute_at_most_and_that_there_is_none_ten_seconds() {
        let seconds =
            |range: std::ops::RangeInclusive<Duration>| (range.start().as_secs(), range.end().as_secs());
        for options in [system().1, asking(&[]).1] {
            let limited = TtlConfig::from_opts(&limited(options));
            for of in [RecordType::A, RecordType::AAAA, RecordType::CNAME] {
                assert_eq!(seconds(limited.positive_response_ttl_bounds(of)), (0, 60), "{of}");
                assert_eq!(seconds(limited.negative_response_ttl_bounds(of)), (0, 10), "{of}");
            }
        }
    }
}
