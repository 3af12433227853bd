//! Who asks: a component of the application, which signs its requests.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use eventbus::Timestamp;
use serde_json::{Map, Value};

use super::Refusal;
use crate::api::Api;
use crate::api::body::{parse, read};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Mode;
use crate::signing::{Call, parse_query};

/// A request whose signature is right.
#[derive(Debug)]
pub(super) struct Signed {
    /// The mode it is about: the client always names one, by default live.
    pub(super) mode: Mode,
    pub(super) query: Map<String, Value>,
    pub(super) body: Bytes,
}

impl FromRequest<Api> for Signed {
    type Rejection = Refusal;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Refusal> {
        let (method, uri, headers) =
            (request.method().clone(), request.uri().clone(), request.headers().clone());
        let nobody = || Error::new(ErrorKind::Unauthorized, "no key of an application is configured");
        let key = api.app_key.as_ref().ok_or_else(nobody)?;
        let body = read(request, api).await?;
        let query = parse_query(uri.query().unwrap_or_default())?;
        let call = Call {
            method: &method,
            path: uri.path(),
            query: &query,
            body: &Value::Object(parse(&body)?),
            headers: &headers,
            now: Timestamp::now().as_millis().div_euclid(1000),
        };
        key.verify(&call)?;
        Ok(Self { mode: mode(&query)?, query, body })
    }
}

fn mode(query: &Map<String, Value>) -> Result<Mode> {
    match query.get("livemode").map(Value::as_str) {
        None | Some(Some("true")) => Ok(Mode::Live),
        Some(Some("false")) => Ok(Mode::Test),
        Some(_) => Err(Error::invalid("livemode: must be true or false")),
    }
}
