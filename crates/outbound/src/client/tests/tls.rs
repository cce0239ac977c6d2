//! Over TLS.

use super::*;

struct Secure(TcpListener, tokio_rustls::TlsAcceptor);

impl axum::serve::Listener for Secure {
    type Io = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (socket, from) = self.0.accept().await.unwrap();
            if let Ok(secure) = self.1.accept(socket).await {
                return (secure, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// The port of a TLS server for `host`, and what a client that trusts it is made of.
async fn secure(host: &str, routes: Router) -> (u16, ClientConfig) {
    let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
    let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut server = server.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    server.alpn_protocols = vec![b"h2".to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let trusting =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let trusting = with_http(trusting.with_root_certificates(roots).with_no_client_auth());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let listener = Secure(listener, tokio_rustls::TlsAcceptor::from(Arc::new(server)));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (port, trusting)
}

#[tokio::test]
async fn https_is_verified_and_speaks_http_2() {
    let version = any(|request: Incoming| async move { format!("{:?}", request.version()) });
    let (port, trusting) = secure("a.localhost", Router::new().fallback(version)).await;
    let allow = || Allow::parse(&[format!("127.0.0.1:{port}")]).unwrap();
    let url = |host: &str| Url::parse(&format!("https://{host}:{port}/")).unwrap();
    let client = Client::with_tls(limits(), allow(), Arc::new(SystemNames), &trusting).unwrap();
    let answer = client.send(Request::get(url("a.localhost"))).await.unwrap();
    assert_eq!(&*answer.body, b"HTTP/2.0");
    let tls = |host: &str| CallError::Unreachable { host: format!("{host}:{port}"), why: Unreached::Tls };
    // Another name than the certificate's, and a certificate that nobody vouches for.
    assert_eq!(client.send(Request::get(url("b.localhost"))).await.unwrap_err(), tls("b.localhost"));
    let ordinary = Client::new(limits(), allow()).unwrap();
    assert_eq!(ordinary.send(Request::get(url("a.localhost"))).await.unwrap_err(), tls("a.localhost"));
}

#[tokio::test]
async fn lesson_23_headers_over_http_2_are_bounded() {
    let flood = any(|| async {
        let mut headers = HeaderMap::new();
        for n in 0..200 {
            let name = header::HeaderName::from_bytes(format!("x-{n}").as_bytes()).unwrap();
            headers.insert(name, "y".repeat(1000).parse().unwrap());
        }
        headers
    });
    let (port, trusting) = secure("a.localhost", Router::new().fallback(flood)).await;
    let allow = Allow::parse(&[format!("a.localhost:{port}")]).unwrap();
    let client = Client::with_tls(limits(), allow, Arc::new(SystemNames), &trusting).unwrap();
    let url = Url::parse(&format!("https://a.localhost:{port}/")).unwrap();
    assert!(client.send(Request::get(url)).await.is_err());
}

#[tokio::test]
async fn tls_against_a_plain_server_is_told_apart() {
    let server = Server::start(hello()).await;
    let url = Url::parse(&format!("https://{}/", server.address)).unwrap();
    let error = client_for(&server).send(Request::get(url)).await.unwrap_err();
    assert_eq!(error, CallError::Unreachable { host: server.address.to_string(), why: Unreached::Tls });
}
