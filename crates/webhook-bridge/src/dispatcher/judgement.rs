//! What the guard says of a URL, address by address: for whoever asks why it is refused.

use std::net::SocketAddr;

use super::egress::Egress;
use super::resolver::Resolver;
use crate::error::Result;
use crate::model::EndpointUrl;

/// What the guard says of a URL at present, by the same decision as for every attempt.
#[derive(Debug)]
#[non_exhaustive]
pub struct Judgement {
    /// The addresses of its host, each with the rule that refuses it.
    pub addresses: Vec<(SocketAddr, Option<&'static str>)>,
    /// Why none of them is called.
    pub refusal: Option<String>,
    /// Why there are no addresses.
    pub unresolved: Option<&'static str>,
}

impl Judgement {
    /// Asks the name servers and the guard.
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) when names cannot be resolved on this system.
    pub async fn of(url: &EndpointUrl, egress: &Egress) -> Result<Self> {
        let host = url.as_url().host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let resolved = Resolver::new(&egress.dns_servers)?.resolve(host).await;
        let at = |ip: &std::net::IpAddr| SocketAddr::new(*ip, url.port());
        let found: Vec<_> = resolved.iter().flatten().map(at).collect();
        let refusal = egress.guard.admit_host(host, &found).err().map(|refusal| refusal.to_string());
        let judged = |address| (address, egress.guard.admit(address).err().map(|refusal| refusal.rule));
        Ok(Self { addresses: found.into_iter().map(judged).collect(), refusal, unresolved: resolved.err() })
    }
}
