//! Where a PostgreSQL server is and how the way to it is protected.

use super::DbError;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::net::IpAddr;
use std::sync::Arc;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

pub(super) struct Target {
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: Option<MakeRustlsConnect>,
}

/// Reads a `postgres://` URL.
///
/// Decision: a server that is not on this machine is reached only by TLS with its certificate and its name
/// verified, whatever `sslmode` says; a mode that verifies less is refused. Attack: somebody between the two
/// machines who answers in the server's place and reads every tenant. Trade: a server with a certificate of its
/// own needs `sslrootcert=/path/to/ca.pem` in the URL. Without it the machine's own certificate store counts,
/// because that is where a company puts its own authority.
pub(super) fn target(url: &str) -> Result<Target, DbError> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut root, mut mode, mut kept) = (None, None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslrootcert", path)) => root = Some(path.to_owned()),
            Some(("sslmode", word)) => mode = Some(word.to_owned()),
            _ => kept.push(pair),
        }
    }
    let bare = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    // The driver's message may repeat the URL and so the password.
    let mut config: tokio_postgres::Config = bare
        .parse()
        .map_err(|_| setup("the database URL is not one that PostgreSQL's drivers understand"))?;
    if config.get_application_name().is_none() {
        config.application_name("vestibule");
    }
    let local = !config.get_hosts().is_empty() && config.get_hosts().iter().all(is_local);
    match (local, mode.as_deref()) {
        (true, None | Some("disable" | "prefer")) => {
            config.ssl_mode(SslMode::Disable);
            Ok(Target { config, tls: None })
        }
        (_, None | Some("require" | "verify-full")) => {
            config.ssl_mode(SslMode::Require);
            Ok(Target { config, tls: Some(connector(root.as_deref())?) })
        }
        _ => Err(setup("sslmode must be verify-full for a PostgreSQL server that is not on this machine")),
    }
}

fn setup(text: &str) -> DbError {
    DbError::Setup(text.to_owned())
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn connector(root: Option<&str>) -> Result<MakeRustlsConnect, DbError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = root {
        let unreadable = |_| setup("the file named by sslrootcert cannot be read as PEM certificates");
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            let added = roots.add(certificate.map_err(unreadable)?);
            added
                .map_err(|_| setup("the file named by sslrootcert holds a certificate that is not usable"))?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if roots.is_empty() {
        return Err(setup("no certificate authority is known; name one by sslrootcert in the database URL"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| DbError::Setup(error.to_string()))?;
    Ok(MakeRustlsConnect::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_is_reached_by_verified_tls_only() {
        for local in
            ["postgres://a@localhost/b", "postgres://a@127.0.0.1/b?sslmode=disable", "postgres://a@[::1]/b"]
        {
            assert!(target(local).unwrap().tls.is_none(), "{local}");
        }
        for weak in ["disable", "prefer", "allow", "verify-ca", "nonsense"] {
            let url = format!("postgres://a@db.example/b?sslmode={weak}");
            assert!(matches!(target(&url), Err(DbError::Setup(_))), "{weak}");
        }
        assert!(target("postgres://a@localhost,db.example/b?sslmode=disable").is_err());
        assert!(target("postgres://a@db.example/b?sslrootcert=/does/not/exist").is_err());
    }

    #[test]
    fn a_wrong_url_does_not_repeat_its_password() {
        let Err(error) = target("postgres://anna:hunter2@localhost:notaport/b") else { panic!("accepted") };
        assert!(!error.to_string().contains("hunter2"));
    }
}
