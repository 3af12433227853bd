//! One attempt: one POST through the guard, within its deadline, never sent twice.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eventbus::Timestamp;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};

use super::answer::{HEAD, HEADERS, read};
use super::connector::{ConnectError, Connector};
use super::egress::Egress;
use super::tls::Roots;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::Metrics;
use crate::model::{
    Answer, Application, Attempt, EndpointUrl, Leased, NewEndpoint, Outcome, Prepared, Target, Trouble,
};
use crate::retry::{self, Case};
use crate::signing::{Delivery, Format, webhook_id};
use crate::trace;
use crate::vault::Vault;

/// How long a connection that is not used is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Sends deliveries.
#[derive(Clone)]
pub struct Sender {
    client: Client<Connector, Full<Bytes>>,
    connector: Connector,
    vault: Arc<Vault>,
    application: Option<Arc<Application>>,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

/// What an exchange gave: outcome and what is kept of the answer.
type Exchange = (Outcome, Answer);

impl Sender {
    /// A sender that calls what the guard admits.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) when TLS or the resolver cannot be set up.
    pub fn new(egress: impl Into<Egress>, vault: Arc<Vault>) -> Result<Self> {
        let connector = Connector::new(egress.into())?;
        Ok(Self { client: client(&connector), connector, vault, application: None, metrics: Arc::default() })
    }

    /// Trusts these authorities too.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) when TLS cannot be set up.
    pub fn trusting(self, roots: &Roots) -> Result<Self> {
        let connector = self.connector.trusting(roots)?;
        Ok(Self { client: client(&connector), connector, ..self })
    }

    /// Sets who sends, for formats that say so.
    #[must_use]
    pub fn application(self, application: Option<Application>) -> Self {
        Self { application: application.map(Arc::new), ..self }
    }

    /// Says whether what a format needs is configured.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), naming the setting.
    pub fn ready(&self, format: &Format) -> Result<()> {
        format.ready(self.application.as_deref())
    }

    /// Notes what it does here.
    #[must_use]
    pub fn metered(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics, ..self }
    }

    /// Where it notes what it does.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Says whether the guard admits a URL at present, by the same decision as every attempt. A name that is not
    /// resolved is no refusal: it may be tomorrow.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), naming the rule.
    pub async fn vet(&self, url: &EndpointUrl) -> Result<()> {
        let host = url.as_url().host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        match self.connector.vet(host, url.port()).await {
            Err(error) if error.trouble == Trouble::Blocked => {
                error.rule.into_iter().for_each(|rule| self.metrics.refused(rule));
                Err(Error::invalid(format!("url: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// Makes the attempt and decides what follows.
    pub async fn attempt(&self, leased: &Leased) -> Attempt {
        let (started_at, began) = (Timestamp::now(), Instant::now());
        let _under_way = UnderWay::begin(&self.metrics);
        let (outcome, answer) = match self.request(leased, started_at) {
            Ok(request) => self.exchange(request, began + leased.target.timeout).await,
            Err(error) => failed(Trouble::Internal, error.to_string()),
        };
        let now = Timestamp::now();
        let next = retry::decide(&Case {
            schedule: &leased.target.schedule,
            attempt: leased.attempt.saturating_sub(leased.earlier),
            faults: leased.faults,
            outcome: &outcome,
            expires_at: leased.expires_at,
            now,
            random: rand::random(),
        });
        Attempt {
            delivery: leased.key,
            lease: leased.lease,
            number: leased.attempt,
            started_at,
            duration: began.elapsed(),
            outcome,
            answer,
            next,
        }
    }

    /// What an attempt sends that begins at this time, without sending it: URL, headers of the bridge, and body.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) when a stored secret cannot be opened.
    pub async fn preview(
        &self,
        leased: &Leased,
        at: Timestamp,
    ) -> Result<(String, Vec<(String, String)>, Bytes)> {
        let (head, body) = self.request(leased, at)?.into_parts();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(never) => match never {},
        };
        Ok((leased.target.url.as_str().to_owned(), headers.collect(), body))
    }

    fn request(&self, leased: &Leased, now: Timestamp) -> Result<Request<Full<Bytes>>> {
        let target = &leased.target;
        let Prepared { uri, secrets } = match target.prepared.get() {
            Some(prepared) => prepared,
            None => {
                let fresh = self.prepare(target)?;
                target.prepared.get_or_init(|| fresh)
            }
        };
        let rendered = Format::find(&target.format)?.render(&Delivery {
            url: target.url.as_url(),
            id: &webhook_id(&leased.payload),
            now,
            payload: &leased.payload,
            secrets,
            application: self.application.as_deref(),
        })?;
        let mut request = Request::new(Full::new(rendered.body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers(leased, rendered.headers)?;
        Ok(request)
    }

    fn prepare(&self, target: &Target) -> Result<Prepared> {
        let unusable = |cause| Error::new(ErrorKind::Internal, "a stored URL is no URI").with_source(cause);
        let secrets = target.secrets.iter().map(|sealed| self.vault.open_secret(sealed));
        Ok(Prepared {
            uri: target.url.as_str().parse().map_err(unusable)?,
            secrets: secrets.collect::<Result<_>>()?,
        })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, deadline: Instant) -> Exchange {
        match timeout_at(deadline, self.client.request(request)).await {
            Ok(Ok(response)) => read(response, deadline).await,
            Ok(Err(error)) => {
                let cause = cause(&error);
                cause.and_then(|cause| cause.rule).into_iter().for_each(|rule| self.metrics.refused(rule));
                let unspoken = || (Trouble::Reset, error.source().unwrap_or(&error).to_string());
                let (trouble, note) =
                    cause.map_or_else(unspoken, |cause| (cause.trouble, cause.note.clone()));
                failed(trouble, note)
            }
            Err(_) => failed(Trouble::Timeout, "no answer in time".into()),
        }
    }
}

/// A pool of connections that are made so.
fn client(connector: &Connector) -> Client<Connector, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(NewEndpoint::MOST_IN_FLIGHT as usize)
        .http1_max_buf_size(HEAD)
        .http1_max_headers(HEADERS)
        // Only what was never written is sent again: a pooled connection that closed before the request began.
        .retry_canceled_requests(true)
        .build(connector.clone())
}

fn headers(leased: &Leased, signed: Vec<(&'static str, String)>) -> Result<HeaderMap> {
    const AGENT: HeaderValue =
        HeaderValue::from_static(concat!("webhook-bridge/", env!("CARGO_PKG_VERSION")));
    // Room for all of them, and for what the client adds.
    let mut headers = HeaderMap::with_capacity(16);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, AGENT);
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(HeaderName::from_static("webhook-attempt"), HeaderValue::from(leased.attempt));
    headers.insert(HeaderName::from_static("webhook-sequence"), HeaderValue::from(leased.key.sequence));
    let traced = leased.trace.iter().flat_map(trace::headers);
    for (name, value) in traced.chain(signed) {
        let unusable = |cause| Error::new(ErrorKind::Internal, "a header cannot be sent").with_source(cause);
        headers.insert(HeaderName::from_static(name), HeaderValue::try_from(value).map_err(unusable)?);
    }
    Ok(headers)
}

fn failed(trouble: Trouble, note: String) -> Exchange {
    (Outcome::Failed(trouble), Answer { body: Bytes::new(), note: Some(note) })
}

/// Why no connection was made, if that is it; all else is what hyper says of one.
fn cause(error: &legacy::Error) -> Option<&ConnectError> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(connect) = error.downcast_ref::<ConnectError>() {
            return Some(connect);
        }
        cause = error.source();
    }
    None
}

/// A request that is under way, however it ends.
struct UnderWay<'a>(&'a Metrics);

impl<'a> UnderWay<'a> {
    fn begin(metrics: &'a Metrics) -> Self {
        metrics.requests_under_way.inc();
        Self(metrics)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.requests_under_way.dec();
    }
}
