use super::*;
use crate::allow::Allow;
use crate::client::Limits;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use kernel::TestClock;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

/// A key server whose answer the test sets.
#[derive(Debug)]
struct KeyServer {
    address: SafeUrl,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    answer: Mutex<(StatusCode, String)>,
    asked: AtomicUsize,
    gate: Semaphore,
}

async fn serve(State(shared): State<Arc<Shared>>) -> (StatusCode, String) {
    shared.asked.fetch_add(1, Ordering::SeqCst);
    let _passed = shared.gate.acquire().await.unwrap();
    shared.answer.lock().unwrap().clone()
}

impl KeyServer {
    async fn start(kids: &[&str]) -> Self {
        let shared = Arc::new(Shared {
            answer: Mutex::new((StatusCode::OK, set_of(kids))),
            asked: AtomicUsize::new(0),
            gate: Semaphore::new(64),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let routes = Router::new().route("/jwks.json", get(serve)).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address: SafeUrl::parse(&address).unwrap(), shared }
    }

    fn answers(&self, status: StatusCode, body: String) {
        *self.shared.answer.lock().unwrap() = (status, body);
    }

    fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    fn cache(&self) -> (Arc<JwksCache>, Arc<TestClock>) {
        let url = self.address.as_url();
        let port = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let client = Client::new(Limits::default(), Allow::parse(&[port]).unwrap()).unwrap();
        let clock = Arc::new(TestClock::at(Time::from_seconds(1_800_000_000)));
        (Arc::new(JwksCache::new(client, Arc::<TestClock>::clone(&clock))), clock)
    }
}

fn set_of(kids: &[&str]) -> String {
    let keys = kids.iter().map(|kid| json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": "AA", "y": "AA"}));
    json!({"keys": keys.collect::<Vec<_>>()}).to_string()
}

fn kid(found: Result<Option<PublishedKey>, JwksError>) -> Option<String> {
    found.unwrap().and_then(|key| key.kid)
}

#[tokio::test]
async fn a_set_is_read_once_in_ten_minutes() {
    let server = KeyServer::start(&["a", "b"]).await;
    let (cache, clock) = server.cache();
    for _ in 0..5 {
        assert_eq!(kid(cache.find(&server.address, Some("a"), "ES256").await).as_deref(), Some("a"));
        clock.advance_seconds(100);
    }
    assert_eq!(server.asked(), 1);
    clock.advance_seconds(101);
    server.answers(StatusCode::OK, set_of(&["b"]));
    // A key that was withdrawn is gone with the next reading.
    assert_eq!(kid(cache.find(&server.address, Some("a"), "ES256").await), None);
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn an_unknown_kid_is_looked_for_at_most_once_in_thirty_seconds() {
    let server = KeyServer::start(&["a"]).await;
    let (cache, clock) = server.cache();
    assert_eq!(kid(cache.find(&server.address, Some("a"), "ES256").await).as_deref(), Some("a"));
    server.answers(StatusCode::OK, set_of(&["a", "new"]));
    assert_eq!(kid(cache.find(&server.address, Some("new"), "ES256").await), None);
    clock.advance_seconds(30);
    assert_eq!(kid(cache.find(&server.address, Some("new"), "ES256").await).as_deref(), Some("new"));
    for n in 0..20 {
        assert_eq!(kid(cache.find(&server.address, Some(&format!("x{n}")), "ES256").await), None);
    }
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn a_set_outlives_its_server_for_a_day() {
    let server = KeyServer::start(&["a"]).await;
    let (cache, clock) = server.cache();
    assert!(cache.find(&server.address, Some("a"), "ES256").await.unwrap().is_some());
    server.answers(StatusCode::SERVICE_UNAVAILABLE, String::new());
    clock.advance_seconds(24 * 3600 - 1);
    for _ in 0..3 {
        assert_eq!(kid(cache.find(&server.address, Some("a"), "ES256").await).as_deref(), Some("a"));
    }
    assert_eq!(server.asked(), 2);
    assert_eq!(cache.find(&server.address, Some("b"), "ES256").await, Err(JwksError::Status(503)));
    clock.advance_seconds(30);
    assert_eq!(cache.find(&server.address, Some("a"), "ES256").await, Err(JwksError::Status(503)));
    assert_eq!(server.asked(), 3);
}

#[tokio::test]
async fn a_failure_is_remembered_for_thirty_seconds() {
    let server = KeyServer::start(&["a"]).await;
    let (cache, clock) = server.cache();
    server.answers(StatusCode::OK, "<html>sign in</html>".to_owned());
    for _ in 0..3 {
        assert_eq!(cache.find(&server.address, Some("a"), "ES256").await, Err(JwksError::NotAKeySet));
    }
    assert_eq!(server.asked(), 1);
    server.answers(StatusCode::OK, set_of(&["a"]));
    clock.advance_seconds(30);
    assert!(cache.find(&server.address, Some("a"), "ES256").await.unwrap().is_some());
}

#[tokio::test]
async fn many_who_ask_at_once_cause_one_fetch() {
    let server = KeyServer::start(&["a"]).await;
    let (cache, clock) = server.cache();
    let ask = || {
        let (cache, address) = (Arc::clone(&cache), server.address.clone());
        tokio::spawn(async move { kid(cache.find(&address, Some("a"), "ES256").await) })
    };
    for found in (0..50).map(|_| ask()).collect::<Vec<_>>() {
        assert_eq!(found.await.unwrap().as_deref(), Some("a"));
    }
    assert_eq!(server.asked(), 1);

    // An old set is used by everybody else while one of them fetches.
    clock.advance_seconds(601);
    let held = server.shared.gate.acquire_many(64).await.unwrap();
    let slow = ask();
    while server.asked() < 2 {
        tokio::task::yield_now().await;
    }
    for _ in 0..10 {
        assert_eq!(ask().await.unwrap().as_deref(), Some("a"));
    }
    assert!(!slow.is_finished());
    drop(held);
    assert_eq!(slow.await.unwrap().as_deref(), Some("a"));
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn lesson_23_a_key_set_at_an_inner_address_is_not_fetched() {
    let server = KeyServer::start(&["a"]).await;
    let client = Client::new(Limits::default(), Allow::nothing()).unwrap();
    let clock = Arc::new(TestClock::at(Time::from_seconds(0)));
    let error = JwksCache::new(client, clock).find(&server.address, Some("a"), "ES256").await.unwrap_err();
    assert_eq!(error.code(), "call_refused");
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn lesson_23_a_key_set_has_bounds() {
    let server = KeyServer::start(&["a"]).await;
    let (cache, clock) = server.cache();
    let many = (0..65).map(|n| n.to_string()).collect::<Vec<_>>();
    server.answers(StatusCode::OK, set_of(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!(cache.find(&server.address, Some("1"), "ES256").await, Err(JwksError::TooManyKeys));
    clock.advance_seconds(30);
    server.answers(StatusCode::OK, set_of(&["a", &"k".repeat(300_000)]));
    assert_eq!(cache.find(&server.address, Some("a"), "ES256").await.unwrap_err().code(), "call_too_large");
}

#[test]
fn only_public_signature_keys_are_taken() {
    let set = json!({"keys": [
        {"kty": "oct", "kid": "symmetric", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "encryption", "use": "enc", "n": "AQ", "e": "AQAB"},
        {"kty": "RSA", "kid": "rsa", "use": "sig", "alg": "RS256", "n": "AQ", "e": "AQAB", "d": "private", "p": "private"},
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "AA", "d": "private"},
        {"kid": "no type"}, "not an object", null,
        {"kty": "EC", "crv": "P-256", "kid": "k".repeat(257), "x": "AA", "y": "AA"}
    ]});
    let keys = parse_key_set(set.to_string().as_bytes()).unwrap();
    assert_eq!(keys.iter().filter_map(|key| key.kid.as_deref()).collect::<Vec<_>>(), ["rsa", "ed"]);
    assert!(keys.iter().all(|key| !key.jwk.contains("private")));
    assert!(
        keys[0].fits("RS256") && !keys[0].fits("RS512") && !keys[0].fits("ES256") && !keys[0].fits("HS256")
    );
    assert!(keys[1].fits("EdDSA") && !keys[1].fits("ES256"));
    for bad in ["", "[]", "{}", r#"{"keys": {}}"#, "<html>"] {
        assert_eq!(parse_key_set(bad.as_bytes()), Err(JwksError::NotAKeySet), "{bad}");
    }
}

#[test]
fn without_a_kid_a_set_must_leave_no_choice() {
    let known = |kids: &[&str]| Known {
        keys: parse_key_set(set_of(kids).as_bytes()).unwrap().into(),
        ..Known::default()
    };
    assert!(known(&["only"]).find(None, "ES256").is_some());
    assert!(known(&["one", "two"]).find(None, "ES256").is_none());
    assert!(known(&["only"]).find(None, "RS256").is_none());
}
