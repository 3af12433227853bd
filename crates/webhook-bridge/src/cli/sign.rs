//! `sign`: a body as the bridge, or a provider, would send it.

use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use eventbus::Timestamp;
use serde_json::{Map, Value, json};
use url::Url;
use webhook_bridge::model::{Application, Payload, Secret};
use webhook_bridge::signing::{Delivery, FORMATS, Format, Rule, stripe_signature};

use super::failure::Failure;
use super::input;
use super::time::time;

/// Schemes of providers that no endpoint is signed by.
const OTHERS: &[&str] = &["stripe", "hmac"];

/// Sign a body as an endpoint's requests are signed, or as Stripe or any HMAC does
///
/// Prints the headers and the body that were signed, which is not always the one that was given: some formats have an envelope.
#[derive(Args)]
pub(super) struct Sign {
    /// standard, standard-v1a, payment-kit, blocklet, gstable, stripe, hmac
    scheme: String,
    /// The secret, or @file
    #[arg(long)]
    secret: String,
    /// Where the body is; standard input otherwise
    #[arg(long)]
    file: Option<PathBuf>,
    /// Where it would be sent, which some formats sign
    #[arg(long, default_value = "http://localhost/")]
    url: Url,
    /// The id of the event; what the body says otherwise
    #[arg(long)]
    id: Option<String>,
    /// When it is signed; now otherwise
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<String>,
    /// Who sends, for `blocklet`, as in the setting `application`
    #[arg(long, value_name = "JSON")]
    application: Option<String>,
    /// What is signed and where, for `hmac`, as in the configuration of a source
    #[arg(long, value_name = "JSON")]
    hmac: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Sign {
    pub(super) fn run(self) -> Result<String, Failure> {
        let secret = input::secret(&self.secret)?;
        let body = input::body(self.file.as_deref())?;
        let now = self.at.as_deref().and_then(|time| time.parse().ok()).unwrap_or_else(Timestamp::now);
        let (headers, body) = match self.scheme.as_str() {
            "stripe" => {
                let header = stripe_signature(&secret, now, &body);
                (vec![("stripe-signature".to_owned(), header)], body)
            }
            "hmac" => (self.rule()?.sign(&secret, now, &body), body),
            _ => self.format(secret, now, body)?,
        };
        let body = String::from_utf8_lossy(&body).into_owned();
        if self.json {
            let headers: Map<_, _> = headers.into_iter().map(|(name, value)| (name, value.into())).collect();
            return Ok(format!("{}\n", json!({ "headers": headers, "body": body })));
        }
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        Ok(format!("{headers}\n{}\n", body.trim_end_matches('\n')))
    }

    fn format(
        &self,
        secret: Secret,
        now: Timestamp,
        body: Bytes,
    ) -> Result<(Vec<(String, String)>, Bytes), Failure> {
        let unknown = |_| {
            let names: Vec<_> =
                FORMATS.iter().map(|format| format.name).chain(OTHERS.iter().copied()).collect();
            Failure::Usage(format!("{}: must be one of {}", self.scheme, names.join(", ")))
        };
        let format = Format::find(&self.scheme).map_err(unknown)?;
        let usage = |error| Failure::configuration(&error);
        let application = self.application.as_deref().map(input::json::<Application>).transpose()?;
        format.check(&secret).and_then(|()| format.target(&self.url)).map_err(usage)?;
        format.ready(application.as_ref()).map_err(|_| {
            Failure::Usage(
                "blocklet tells its receiver who sends: --application with did, pk, url, name".to_owned(),
            )
        })?;
        let event: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        let event_id = self.id.clone().unwrap_or_else(|| text("id"));
        if event_id.is_empty() {
            return Err(Failure::Usage("the body has no id: --id is needed".to_owned()));
        }
        let payload = Payload { event_id: event_id.clone(), event_type: text("type"), body };
        let delivery = Delivery {
            url: &self.url,
            id: &event_id,
            now,
            payload: &payload,
            secrets: &[secret],
            application: application.as_ref(),
        };
        let rendered = format.render(&delivery).map_err(usage)?;
        Ok((
            rendered.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            rendered.body,
        ))
    }

    fn rule(&self) -> Result<Rule, Failure> {
        input::rule(self.hmac.as_deref())
    }
}
