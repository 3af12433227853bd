//! URLs select transports: one built in, others installed by their crates.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;

use crate::error::{Error, Result};
use crate::local::{LocalConfig, LocalTransport};
use crate::transport::Transport;

/// Makes a transport of a URL with its scheme.
pub type Connector = fn(url: String) -> BoxFuture<'static, Result<Arc<dyn Transport>>>;

static INSTALLED: Mutex<Vec<(&'static str, Connector)>> = Mutex::new(Vec::new());

/// Lets [`EventBus::connect`](super::EventBus::connect) know a scheme. The crates of other transports call it in their
/// `install()`; installing a scheme again replaces it.
pub fn install(scheme: &'static str, connector: Connector) {
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    installed.retain(|(known, _)| *known != scheme);
    installed.push((scheme, connector));
}

pub(super) async fn transport(url: &str) -> Result<Arc<dyn Transport>> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(Error::invalid(format!("URL must begin with a scheme; known: {}", known())));
    };
    if scheme == "local" {
        return Ok(Arc::new(LocalTransport::new(LocalConfig::parse(rest)?)?));
    }
    let found = {
        let installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        installed.iter().find(|(known, _)| *known == scheme).map(|(_, connector)| *connector)
    };
    match found {
        Some(connector) => connector(url.to_owned()).await,
        None => Err(Error::invalid(format!(
            "URL scheme {scheme:?} is not known; known: {}. Other transports are crates whose install() must be called",
            known()
        ))),
    }
}

fn known() -> String {
    let installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut schemes = vec!["local"];
    schemes.extend(installed.iter().map(|(scheme, _)| *scheme));
    schemes.join(", ")
}
