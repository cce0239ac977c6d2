use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use testkit::signers::{Order, key_pairs, sign_with_jose, sign_with_pyjwt};

fn part(token: &str, index: usize) -> Value {
    let text = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

fn orders() -> Vec<Order> {
    let claims = json!({"sub": "anna", "iat": 1_700_000_000, "xti": {"token": "ü"}});
    let pairs = key_pairs(&["RS256", "ES256", "EdDSA"]);
    let mut orders = vec![Order::new("HS256", "a secret of at least 32 bytes length", claims.clone())];
    orders.extend(pairs.iter().map(|pair| Order::new(&pair.alg, &pair.private_pem, claims.clone())));
    orders.into_iter().map(|order| order.header("kid", "key-7")).collect()
}

fn check(orders: &[Order], tokens: &[String]) {
    assert_eq!(tokens.len(), orders.len());
    for (order, token) in orders.iter().zip(tokens) {
        let header = part(token, 0);
        assert_eq!((&header["alg"], &header["kid"]), (&json!(order.alg), &json!("key-7")));
        assert_eq!(part(token, 1), order.claims);
    }
}

#[test]
fn pyjwt_and_jose_sign_the_same_orders() {
    let orders = orders();
    let (python, node) = (sign_with_pyjwt(&orders), sign_with_jose(&orders));
    check(&orders, &python);
    check(&orders, &node);
    // HMAC and RSA have one signature for one text; where both libraries write the same text, they agree.
    let text = |token: &str| token.rsplit_once('.').unwrap().0.to_owned();
    for (one, other) in python.iter().zip(&node).take(2) {
        assert_eq!(text(one) == text(other), one == other);
    }
}

#[test]
fn key_pairs_are_fresh_and_of_the_kind_that_was_asked_for() {
    let pairs = key_pairs(&["RS256", "ES256", "EdDSA", "ES256"]);
    let kinds: Vec<_> = pairs.iter().map(|pair| pair.public_jwk["kty"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["RSA", "EC", "OKP", "EC"]);
    assert_ne!(pairs[1].private_pem, pairs[3].private_pem);
    assert!(!format!("{:?}", pairs[0]).contains("PRIVATE"));
}

#[test]
#[should_panic(expected = "sign_token.py")]
fn a_signer_that_refuses_ends_the_test() {
    let _ = sign_with_pyjwt(&[Order::new("RS256", "not a key", json!({}))]);
}
