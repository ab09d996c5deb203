//! TLS of both gateways: the certificate that new connections are shown.

use std::sync::Arc;

use serde::Deserialize;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Certificate and key, both as PEM.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, followed by those that lead from it to one that clients know.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl std::fmt::Debug for Tls {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// What connections are served with.
    ///
    /// # Errors
    /// Says what is wrong, without showing the key.
    pub fn server(&self) -> Result<Arc<ServerConfig>, String> {
        let certificates = CertificateDer::pem_slice_iter(self.certificate.as_bytes());
        let certificates: Vec<CertificateDer<'static>> = certificates
            .collect::<Result<_, _>>()
            .map_err(|_| "tls: the certificate is no PEM".to_owned())?;
        if certificates.is_empty() {
            return Err("tls: the certificate file has none".to_owned());
        }
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())
            .map_err(|_| "tls: the key file has no private key in PEM".to_owned())?;
        let wrong = |error: tokio_rustls::rustls::Error| format!("tls: {error}");
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(wrong)?;
        Ok(Arc::new(server))
    }
}
