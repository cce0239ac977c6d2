//! The server's own certificate, for those who run without a proxy in front. It is read again while the
//! program runs, because certificates are renewed every few weeks.

use crate::settings::Tls;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// Why the certificate cannot be used. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum TlsRefused {
    #[error("{path} cannot be read as {what} in PEM: {cause}")]
    Pem { path: PathBuf, what: &'static str, cause: rustls::pki_types::pem::Error },
    #[error("{0} holds no certificate")]
    Empty(PathBuf),
    #[error(
        "the key in {private_key} does not belong to the certificate in {certificate}, or is of an unknown kind"
    )]
    Pair { certificate: PathBuf, private_key: PathBuf },
    #[error("TLS cannot be set up: {0}")]
    Config(#[from] rustls::Error),
}

/// The certificate that new connections get.
#[derive(Debug)]
pub struct Certificates {
    files: Tls,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Reads both files. Blocks on the file system.
    ///
    /// # Errors
    /// [`TlsRefused`], also where key and certificate do not belong together.
    pub fn read(files: &Tls) -> Result<Arc<Self>, TlsRefused> {
        let current = RwLock::new(Arc::new(pair(files)?));
        Ok(Arc::new(Self { files: files.clone(), current }))
    }

    /// Reads both files again and says whether the certificate is another one. Open connections keep theirs.
    /// Blocks on the file system.
    ///
    /// # Errors
    /// [`TlsRefused`]; the certificate in use then stays in use.
    pub fn reread(&self) -> Result<bool, TlsRefused> {
        let fresh = pair(&self.files)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let changed = current.cert != fresh.cert;
        *current = Arc::new(fresh);
        Ok(changed)
    }

    /// TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1, with this certificate.
    ///
    /// # Errors
    /// [`TlsRefused::Config`]
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsRefused> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = config.with_no_client_auth().with_cert_resolver(Arc::<Self>::clone(self));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn pair(files: &Tls) -> Result<CertifiedKey, TlsRefused> {
    let Tls { certificate, private_key } = files;
    let pem = |path: &Path, what| {
        let path = path.to_owned();
        move |cause| TlsRefused::Pem { path, what, cause }
    };
    let chain = CertificateDer::pem_file_iter(certificate).map_err(pem(certificate, "a certificate"))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(pem(certificate, "a certificate"))?;
    if chain.is_empty() {
        return Err(TlsRefused::Empty(certificate.clone()));
    }
    let key = PrivateKeyDer::from_pem_file(private_key).map_err(pem(private_key, "a private key"))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map_err(|_| TlsRefused::Pair { certificate: certificate.clone(), private_key: private_key.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};
    use std::fs;

    struct Made {
        _folder: tempfile::TempDir,
        files: Tls,
    }

    impl Made {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let files = Tls {
                certificate: folder.path().join("certificate.pem"),
                private_key: folder.path().join("key.pem"),
            };
            Self { _folder: folder, files }
        }

        /// Writes a new pair and gives the certificate.
        fn renew(&self) -> CertificateDer<'static> {
            let made = rcgen::generate_simple_self_signed(["connect.example.com".to_owned()]).unwrap();
            fs::write(&self.files.certificate, made.cert.pem()).unwrap();
            fs::write(&self.files.private_key, made.signing_key.serialize_pem()).unwrap();
            made.cert.der().clone()
        }
    }

    /// Whether a client that trusts only this certificate comes to terms with the server.
    fn meets(config: &Arc<ServerConfig>, trusted: &CertificateDer<'static>) -> Result<(), rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let client =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let client = client.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("connect.example.com").unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
        let mut server = ServerConnection::new(Arc::clone(config)).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets()?;
            let mut wire = Vec::new();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        Ok(())
    }

    #[test]
    fn a_renewed_certificate_is_taken_up_without_a_stop() {
        let made = Made::new();
        let first = made.renew();
        let certificates = Certificates::read(&made.files).unwrap();
        let config = certificates.server_config().unwrap();
        assert!(meets(&config, &first).is_ok());
        assert!(!certificates.reread().unwrap());
        let second = made.renew();
        assert!(meets(&config, &first).is_ok());
        assert!(certificates.reread().unwrap());
        assert!(meets(&config, &second).is_ok());
        assert!(meets(&config, &first).is_err());
    }

    #[test]
    fn a_broken_renewal_leaves_the_old_certificate() {
        let made = Made::new();
        let first = made.renew();
        let certificates = Certificates::read(&made.files).unwrap();
        let config = certificates.server_config().unwrap();
        let other = Made::new();
        other.renew();
        fs::copy(&other.files.private_key, &made.files.private_key).unwrap();
        assert!(matches!(certificates.reread(), Err(TlsRefused::Pair { .. })));
        fs::write(&made.files.certificate, "").unwrap();
        assert!(matches!(certificates.reread(), Err(TlsRefused::Empty(_))));
        fs::remove_file(&made.files.certificate).unwrap();
        assert!(matches!(certificates.reread(), Err(TlsRefused::Pem { .. })));
        assert!(meets(&config, &first).is_ok());
    }
}
