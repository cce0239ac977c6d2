//! `sso.v1` as gRPC on the port and path of JSON: by a client in Rust whose messages are written by hand, as clients in
//! the field have them, and by Python's grpcio with stubs from the published description.

use super::oidc::scene::{SANDBOX, Scene};
use super::robot::Robot;
use axum::http::uri::PathAndQuery;
use axum::http::{Request, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use serde_json::{Value, json};
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use testkit::on_both;
use testkit::world::World;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use url::Url;
use vestibule::listener::{Ended, Listening, serve};

mod field {
    //! What clients in the field send and read.

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Account {
        #[prost(string, tag = "1")]
        pub(super) account_id: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Partner {
        #[prost(string, tag = "1")]
        pub(super) partner_id: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Empty {}

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(super) enum Kind {
        #[prost(message, tag = "1")]
        Account(Account),
        #[prost(message, tag = "2")]
        Partner(Partner),
        #[prost(message, tag = "3")]
        SuperAdmin(Empty),
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Context {
        #[prost(oneof = "Kind", tags = "1, 2, 3")]
        pub(super) kind: Option<Kind>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct GetEntryUrlWithCode {
        #[prost(string, tag = "1")]
        pub(super) service_provider_id: String,
        #[prost(string, tag = "2")]
        pub(super) session_id: String,
        #[prost(string, tag = "3")]
        pub(super) user_id: String,
        #[prost(string, tag = "4")]
        pub(super) email: String,
        #[prost(message, optional, tag = "5")]
        pub(super) context: Option<Context>,
        #[prost(string, tag = "6")]
        pub(super) next_url: String,
        /// Of a client that is newer than the gateway.
        #[prost(string, tag = "4000")]
        pub(super) unknown: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Answer {
        #[prost(string, tag = "1")]
        pub(super) url: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Logout {
        #[prost(string, tag = "1")]
        pub(super) session_id: String,
        #[prost(string, tag = "2")]
        pub(super) user_id: String,
    }
}

use field::{Account, Answer, Context, Empty, GetEntryUrlWithCode, Kind, Logout, Partner};

/// The world's service behind the program's own listener, which speaks HTTP/2 also without TLS.
struct Served {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    ended: tokio::task::JoinHandle<Ended>,
}

impl Served {
    async fn start(world: &World, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = web::router(web::Web::new(Arc::clone(world.service()), None, false));
        let (stop, stopped) = oneshot::channel::<()>();
        let ten = Duration::from_secs(10);
        let how = Listening { header_read: ten, stop: ten, connections: 100, tls };
        let service = Arc::clone(world.service());
        let ended = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
                service.stopping.begin();
            };
            serve(listener, router, &how, stop, pending()).await
        });
        Self { address, stop: Some(stop), ended }
    }

    async fn calls<M, A>(
        &self,
        world: &World,
        method: &'static str,
        message: M,
        metadata: &[(&'static str, &str)],
    ) -> Result<A, Status>
    where
        M: prost::Message + Default + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut request = tonic::Request::new(message);
        for (name, value) in metadata {
            request.metadata_mut().insert(*name, value.parse().unwrap());
        }
        let path = PathAndQuery::from_static(method);
        let mut client = client(self.address, world.url(SANDBOX).parse().unwrap()).await;
        let answered = client.unary(request, path, ProstCodec::<M, A>::default()).await;
        answered.map(tonic::Response::into_inner)
    }
}

/// A client on a connection of its own, without TLS, that names this host.
async fn client(
    address: SocketAddr,
    origin: Uri,
) -> tonic::client::Grpc<
    impl tonic::client::GrpcService<tonic::body::Body, ResponseBody = hyper::body::Incoming, Error = hyper::Error>,
> {
    let stream = TcpStream::connect(address).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let service = tower::service_fn(move |request: Request<tonic::body::Body>| {
        let mut sender = sender.clone();
        async move { sender.send_request(request).await }
    });
    let mut client = tonic::client::Grpc::with_origin(service, origin);
    client.ready().await.unwrap();
    client
}

const WITH_CODE: &str = "/sso.v1.IdentityProvider/GetEntryURLWithCode";

fn entry(robot: &Robot, kind: Kind) -> GetEntryUrlWithCode {
    GetEntryUrlWithCode {
        service_provider_id: robot.scene.app.id.to_string(),
        session_id: "s-1".to_owned(),
        user_id: "berta-2".to_owned(),
        context: Some(Context { kind: Some(kind) }),
        unknown: "from tomorrow".to_owned(),
        ..GetEntryUrlWithCode::default()
    }
}

fn account(robot: &Robot) -> Kind {
    Kind::Account(Account { account_id: robot.scene.account.to_string() })
}

/// One line of the Python client's output for each call.
fn by_python(order: &Value) -> Vec<Value> {
    let output = testkit::python::run("grpc_partner.py", [""; 0], &order.to_string());
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn authority(world: &World) -> String {
    world.url(SANDBOX).trim_start_matches("http://").to_owned()
}

/// A certificate for `name` from an authority of its own: the server's configuration, and the authority as PEM.
fn certified(name: &str) -> (Arc<ServerConfig>, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // A name of its own, or the certificates of its making would seem to have signed themselves.
    params.distinguished_name.push(DnType::CommonName, "an authority");
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let signed = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&own, &issuer).unwrap();
    let private = rustls::pki_types::PrivateKeyDer::try_from(own.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config =
        config.with_no_client_auth().with_single_cert(vec![signed.der().clone()], private).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (Arc::new(config), authority)
}

on_both! {
    async fn a_client_of_the_field_enters_by_grpc(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let served = Served::start(&world, None).await;
        let bearer = format!("Bearer {}", robot.token().await);
        let proven = [("authorization", bearer.as_str())];
        let answer: Answer = served.calls(&world, WITH_CODE, entry(&robot, account(&robot)), &proven).await.unwrap();
        let url = Url::parse(&answer.url).unwrap();
        assert!(answer.url.starts_with(&format!("{}/enter?code=vst_ec_", scene.url())), "{}", answer.url);
        assert_eq!(url.query_pairs().count(), 1);
        assert_eq!(world.count("entry_codes").await, 1);
        let transfer = "/sso.v1.ServiceProvider/GetSessionTransferURL";
        // The first two fields of the message are those of the entry's.
        let context = Context { kind: Some(Kind::Partner(Partner { partner_id: scene.partner.id.to_string() })) };
        let answer: Answer = served.calls(&world, transfer, TransferRequest {
            service_provider_id: scene.app.id.to_string(),
            context: Some(context),
        }, &proven).await.unwrap();
        assert!(answer.url.starts_with("https://portal.example/sso?serviceProviderId="), "{}", answer.url);
        let ending = Logout { user_id: "anna-1".to_owned(), session_id: String::new() };
        let Empty {} = served.calls(&world, "/sso.v1.IdentityProvider/Logout", ending, &proven).await.unwrap();
        assert_eq!(world.count("sessions WHERE ended_at IS NULL").await, 0);
    }

    async fn errors_are_the_numbers_and_messages_of_json(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let served = Served::start(&world, None).await;
        let bearer = format!("Bearer {}", robot.token().await);
        let proven = [("authorization", bearer.as_str())];
        let good = entry(&robot, account(&robot));
        let with = |change: fn(&mut GetEntryUrlWithCode)| {
            let mut message = good.clone();
            change(&mut message);
            message
        };
        for (about, message, code, field) in [
            ("no app", with(|message| message.service_provider_id.clear()), Code::InvalidArgument, "service_provider_id"),
            ("no user", with(|message| message.user_id.clear()), Code::InvalidArgument, "user_id"),
            ("no context", with(|message| message.context = None), Code::InvalidArgument, "context"),
            ("an empty context", with(|message| message.context = Some(Context::default())), Code::InvalidArgument, "context"),
            ("nobody's app", with(|message| message.service_provider_id = "MP-X".to_owned()), Code::NotFound, "service_provider_id"),
            ("super admin", entry(&robot, Kind::SuperAdmin(Empty {})), Code::PermissionDenied, "context"),
            ("another partner", entry(&robot, Kind::Partner(Partner { partner_id: "PT-X".to_owned() })), Code::PermissionDenied, "context.partner.partner_id"),
            ("another's account", entry(&robot, Kind::Account(Account { account_id: "AG-X".to_owned() })), Code::NotFound, "context.account.account_id"),
        ] {
            let refused = served.calls::<_, Answer>(&world, WITH_CODE, message, &proven).await.unwrap_err();
            assert_eq!(refused.code(), code, "{about}: {refused}");
            assert!(refused.message().starts_with(&format!("{field}: ")), "{about}: {refused}");
        }
        let unproven = served.calls::<_, Answer>(&world, WITH_CODE, good.clone(), &[]).await.unwrap_err();
        assert_eq!(unproven.code(), Code::Unauthenticated);
        let unknown = served.calls::<_, Answer>(&world, "/sso.v1.IdentityProvider/GetEverything", good.clone(), &proven).await;
        assert_eq!(unknown.unwrap_err().code(), Code::Unimplemented);
        let late = [proven[0], ("grpc-timeout", "0m")];
        let refused = served.calls::<_, Answer>(&world, WITH_CODE, good.clone(), &late).await.unwrap_err();
        assert_eq!(refused.code(), Code::DeadlineExceeded);
        let huge = with(|message| message.next_url = "x".repeat(1 << 20));
        let refused = served.calls::<_, Answer>(&world, WITH_CODE, huge, &proven).await.unwrap_err();
        assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
        assert_eq!(world.count("entry_codes").await, 0);
    }

    async fn grpcio_calls_reflects_and_asks_for_health(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let served = Served::start(&world, None).await;
        let message = json!({
            "serviceProviderId": scene.app.id,
            "userId": "berta-2",
            "context": { "account": { "accountId": scene.account } },
        });
        let call = |service: &str, method: &str, message: &Value| json!({ "service": service, "method": method, "message": message });
        let mut without = call("IdentityProvider", "GetEntryURLWithCode", &message);
        without["token"] = Value::Null;
        let order = json!({
            "target": served.address.to_string(),
            "authority": authority(&world),
            "token": robot.token().await,
            "calls": [
                call("IdentityProvider", "GetEntryURLWithCode", &message),
                call("IdentityProvider", "GetEntryURL", &json!({ "serviceProviderId": scene.app.id, "context": message["context"], "path": "/x" })),
                call("IdentityProvider", "GetMultiEntryURL", &json!({ "serviceProviderIds": [scene.app.id], "context": message["context"] })),
                call("IdentityProvider", "GetEntryURLWithCode", &json!({ "serviceProviderId": scene.app.id, "userId": "b", "context": { "superAdmin": {} } })),
                call("ServiceProviderAdmin", "ListServiceProviders", &json!({})),
                without,
                { "service": "health", "message": "" },
                { "service": "health", "message": "sso.v1.IdentityProvider" },
                { "service": "health", "message": "sso.v1.Nobody" },
                { "service": "reflection" },
                call("IdentityProvider", "Logout", &json!({ "userId": "anna-1" })),
            ],
        });
        let said = tokio::task::spawn_blocking(move || by_python(&order)).await.unwrap();
        assert!(said[0]["answer"]["entryUrl"].as_str().unwrap().starts_with(&format!("{}/enter?code=", scene.url())), "{said:?}");
        assert_eq!(said[1]["answer"]["entryUrl"], "https://app.example/x");
        assert_eq!(said[2]["answer"]["entryUrls"].as_array().unwrap().len(), 1);
        let code = |at: usize| said[at]["code"].as_i64().unwrap_or_else(|| panic!("{}", said[at]));
        assert_eq!((code(3), code(4), code(5)), (7, 7, 16));
        assert_eq!((&said[6]["answer"]["serving"], &said[7]["answer"]["serving"]), (&json!(true), &json!(true)));
        assert_eq!(code(8), 5);
        let methods = said[9]["answer"].as_object().unwrap();
        assert_eq!(methods.len(), 4);
        assert_eq!(methods["sso.v1.IdentityProvider"]["Logout"], "sso.v1.LogoutRequest");
        assert_eq!(said[10]["answer"], json!({}));
    }

    async fn grpcio_speaks_over_tls(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let (tls, ca) = certified("sandbox.localhost");
        let served = Served::start(&world, Some(tls)).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, ca).unwrap();
        let order = json!({
            "target": served.address.to_string(),
            "authority": authority(&world),
            "ca": file,
            "token": robot.token().await,
            "calls": [{ "service": "IdentityProvider", "method": "Logout", "message": { "userId": "anna-1" } }],
        });
        let said = tokio::task::spawn_blocking(move || by_python(&order)).await.unwrap();
        assert_eq!(said, [json!({ "answer": {} })]);
        assert_eq!(world.count("sessions WHERE ended_at IS NULL").await, 0);
    }

    async fn grpc_is_refused_where_it_cannot_be_spoken(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let answer = robot
            .asks(&robot.token().await, "IdentityProvider/GetEntryURL", &robot.entry())
            .header("content-type", "application/grpc")
            .await;
        let (code, status, message) = super::robot::refused(&answer);
        assert_eq!((code, status), (3, 400));
        assert!(message.contains("HTTP/2"), "{message}");
        let served = Served::start(&world, None).await;
        let bearer = format!("Bearer {}", robot.token().await);
        let stranger = World::on(testkit::world::Engine::Sqlite).await;
        let proven = [("authorization", bearer.as_str())];
        let refused = served.calls::<_, Answer>(&stranger, WITH_CODE, entry(&robot, account(&robot)), &proven).await;
        assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument, "a host that is none of ours");
    }

    async fn those_who_watch_are_told_of_the_stop(world: World) {
        let mut served = Served::start(&world, None).await;
        let path = PathAndQuery::from_static("/grpc.health.v1.Health/Watch");
        let request = tonic::Request::new(HealthCheck { service: "sso.v1.IdentityProvider".to_owned() });
        let mut client = client(served.address, world.url(SANDBOX).parse().unwrap()).await;
        let watched = client.server_streaming(request, path, ProstCodec::<HealthCheck, Health>::default()).await;
        let mut watched = watched.unwrap().into_inner();
        assert_eq!(watched.message().await.unwrap(), Some(Health { status: 1 }), "serving");
        served.stop.take().unwrap().send(()).unwrap();
        assert_eq!(watched.message().await.unwrap(), Some(Health { status: 2 }), "not any more");
        assert_eq!(watched.message().await.unwrap(), None);
        drop((watched, client));
        assert_eq!(served.ended.await.unwrap(), Ended::InOrder);
    }
}

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheck {
    #[prost(string, tag = "1")]
    service: String,
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Health {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `GetSessionTransferURLRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct TransferRequest {
    #[prost(string, tag = "1")]
    service_provider_id: String,
    #[prost(message, optional, tag = "2")]
    context: Option<Context>,
}
