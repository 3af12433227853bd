//! TLS to endpoints: 1.2 at least, whom the bridge trusts, and what a handshake that failed is called.

use std::path::Path;
use std::sync::Arc;
use std::{fmt, io};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::error::{Error, ErrorKind, Result};

/// Authorities that are trusted beside those Mozilla trusts.
#[derive(Clone, Default)]
pub struct Roots(Vec<CertificateDer<'static>>);

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.0.len())
    }
}

impl Roots {
    /// Reads certificates from a file of PEM.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) for a file that has none, or one that cannot be trusted.
    pub fn read(path: &Path) -> Result<Self> {
        let invalid = |why: String| Error::invalid(format!("{}: {why}", path.display()));
        let text = std::fs::read(path).map_err(|cause| invalid(cause.to_string()))?;
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let roots = read.map_err(|_| invalid("it is no PEM".into()))?;
        if roots.is_empty() {
            return Err(invalid("there is no certificate in it".into()));
        }
        let mut store = RootCertStore::empty();
        let trusted = roots.iter().try_for_each(|root| store.add(root.clone()));
        trusted.map_err(|cause| invalid(format!("a certificate is of no use: {cause}")))?;
        Ok(Self(roots))
    }
}

/// What secures connections: it trusts these and the roots Mozilla trusts.
pub(super) fn connector(roots: &Roots) -> Result<TlsConnector> {
    let failed = |cause| Error::new(ErrorKind::Internal, "TLS cannot be set up").with_source(cause);
    let mut trusted = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.0.iter().try_for_each(|root| trusted.add(root.clone())).map_err(failed)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(failed)?.with_root_certificates(trusted).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Why a handshake failed: a stable word for filters, and what rustls says.
pub(super) fn explain(error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    format!("{}: {error}", cause.map_or("handshake", word))
}

fn word(error: &rustls::Error) -> &'static str {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        UnknownIssuer,
    };
    match error {
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => "certificate_expired",
        rustls::Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. }) => {
            "certificate_not_yet_valid"
        }
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            "certificate_name"
        }
        rustls::Error::InvalidCertificate(UnknownIssuer) => "certificate_issuer",
        rustls::Error::InvalidCertificate(_) => "certificate",
        rustls::Error::PeerIncompatible(_) => "protocol",
        _ => "handshake",
    }
}
