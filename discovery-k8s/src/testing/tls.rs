//! Certificates for tests: an authority made on the spot, and a serving certificate that can be
//! swapped while the server runs.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::ScriptError;

/// A certificate authority of a test's own.
pub struct TestAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl TestAuthority {
    /// Makes one with this common name.
    ///
    /// # Errors
    ///
    /// [`ScriptError::Certificate`] if the machine has no randomness to give.
    pub fn new(name: &str) -> Result<Self, ScriptError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Self { issuer })
    }

    /// Its certificate as PEM, as in a `ca.crt`.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Its certificate as DER, as in [`kube::Config::root_cert`].
    pub fn der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    fn serving_key(&self) -> Result<CertifiedKey, ScriptError> {
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut params = CertificateParams::new(names)?;
        params
            .extended_key_usages
            .push(ExtendedKeyUsagePurpose::ServerAuth);
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let chain = vec![certificate.der().clone()];
        CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(ScriptError::Tls)
    }
}

impl fmt::Debug for TestAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestAuthority").finish_non_exhaustive()
    }
}

/// The certificate that new handshakes are given.
#[derive(Debug)]
pub(super) struct Serving(RwLock<Arc<CertifiedKey>>);

impl Serving {
    pub(super) fn new(authority: &TestAuthority) -> Result<Arc<Self>, ScriptError> {
        let key = authority.serving_key()?;
        Ok(Arc::new(Self(RwLock::new(Arc::new(key)))))
    }

    pub(super) fn swap(&self, authority: &TestAuthority) -> Result<(), ScriptError> {
        let key = Arc::new(authority.serving_key()?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }

    pub(super) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, ScriptError> {
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(ScriptError::Tls)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self));
        // A resumed session would skip the certificate, and with it the swap.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let key = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&key))
    }
}
