//! What may be registered as a signing key.

use crate::sign::{Es256, encode};
use connect::signing_key::{Algorithm, KeyRefused, check_jwk, check_secret};
use serde_json::{Value, json};

const RSA: &str = include_str!("keys/rsa-2048.pem");
const P256: &str = include_str!("keys/p-256.pem");
const ED25519: &str = include_str!("keys/ed25519.pem");

fn canonical(algorithm: Algorithm, text: &str) -> Value {
    serde_json::from_str(&check_jwk(algorithm, text).unwrap()).unwrap()
}

#[test]
fn a_pem_and_its_jwk_are_the_same_key() {
    for (algorithm, pem) in [(Algorithm::Rs256, RSA), (Algorithm::Es256, P256), (Algorithm::EdDsa, ED25519)] {
        let jwk = check_jwk(algorithm, pem).unwrap();
        assert_eq!(check_jwk(algorithm, &jwk).unwrap(), jwk);
        let windows = pem.replace('\n', "\r\n");
        assert_eq!(check_jwk(algorithm, &windows).unwrap(), jwk);
    }
}

#[test]
fn only_the_key_itself_is_kept() {
    let mut jwk = canonical(Algorithm::Es256, P256);
    let plain = jwk.clone();
    for (name, value) in [
        ("kid", json!("k")),
        ("use", json!("sig")),
        ("alg", json!("ES256")),
        ("key_ops", json!(["verify"])),
        ("x5c", json!([])),
    ] {
        jwk[name] = value;
    }
    assert_eq!(canonical(Algorithm::Es256, &jwk.to_string()), plain);
}

#[test]
fn a_leading_zero_of_a_modulus_is_dropped() {
    let mut jwk = canonical(Algorithm::Rs256, RSA);
    let plain = jwk.clone();
    jwk["e"] = json!("AAEAAQ");
    assert_eq!(canonical(Algorithm::Rs256, &jwk.to_string()), plain);
}

#[test]
fn private_keys_are_refused_not_trimmed() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        for (algorithm, pem) in
            [(Algorithm::Rs256, RSA), (Algorithm::Es256, P256), (Algorithm::EdDsa, ED25519)]
        {
            let mut jwk = canonical(algorithm, pem);
            jwk[member] = json!("AQ");
            assert_eq!(check_jwk(algorithm, &jwk.to_string()), Err(KeyRefused::Private(member)));
        }
    }
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----";
    assert_eq!(check_jwk(Algorithm::EdDsa, pem), Err(KeyRefused::Form));
}

#[test]
fn a_key_must_fit_its_algorithm() {
    let texts = [(Algorithm::Rs256, RSA), (Algorithm::Es256, P256), (Algorithm::EdDsa, ED25519)];
    for (right, pem) in texts {
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| *algorithm != right) {
            assert!(check_jwk(algorithm, pem).is_err());
            assert!(check_jwk(algorithm, &check_jwk(right, pem).unwrap()).is_err());
        }
    }
    assert_eq!(check_jwk(Algorithm::Es256, include_str!("keys/p-384.pem")), Err(KeyRefused::Form));
}

#[test]
fn members_that_contradict_are_refused() {
    let jwk = canonical(Algorithm::Es256, P256);
    for (name, value) in [
        ("alg", json!("ES384")),
        ("alg", json!(null)),
        ("crv", json!("P-384")),
        ("crv", json!("secp256k1")),
        ("kty", json!("RSA")),
        ("use", json!("enc")),
        ("use", json!(null)),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!([])),
        ("key_ops", json!("verify")),
        ("x", json!("")),
        ("x", json!("AA")),
        ("x", json!(1)),
        ("y", json!("####")),
    ] {
        let mut changed = jwk.clone();
        changed[name] = value;
        assert!(check_jwk(Algorithm::Es256, &changed.to_string()).is_err(), "{changed}");
    }
    for bad in ["", "{}", "[]", "{", "\"x\"", r#"{"kty":"EC","kty":"EC"}"#] {
        assert!(check_jwk(Algorithm::Es256, bad).is_err(), "{bad}");
    }
}

#[test]
fn weak_keys_are_refused() {
    let small = check_jwk(Algorithm::Rs256, include_str!("keys/rsa-1024.pem"));
    assert_eq!(small, Err(KeyRefused::RsaSize(1024)));
    let mut jwk = canonical(Algorithm::Rs256, RSA);
    for exponent in [&[1u8][..], &[2], &[0], &[], &[1, 0, 0], &[1, 0, 0, 0, 1]] {
        jwk["e"] = json!(encode(exponent));
        assert_eq!(
            check_jwk(Algorithm::Rs256, &jwk.to_string()),
            Err(KeyRefused::RsaExponent),
            "{exponent:?}"
        );
    }
    let off_curve = json!({ "kty": "EC", "crv": "P-256", "x": encode([1; 32]), "y": encode([1; 32]) });
    assert_eq!(check_jwk(Algorithm::Es256, &off_curve.to_string()), Err(KeyRefused::Point));
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut signed_identity = identity;
    signed_identity[31] = 0x80;
    for point in [[0; 32], identity, signed_identity] {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(point) });
        assert_eq!(check_jwk(Algorithm::EdDsa, &jwk.to_string()), Err(KeyRefused::Point), "{point:?}");
    }
    assert!(check_jwk(Algorithm::Es256, &Es256::new().jwk()).is_ok());
}

#[test]
fn secrets_have_32_bytes_at_least() {
    assert_eq!(check_secret(b""), Err(KeyRefused::SecretShort(0)));
    assert_eq!(check_secret(&b"0123456789abcdef0123456789abcdef"[..31]), Err(KeyRefused::SecretShort(31)));
    assert_eq!(check_secret(b"0123456789abcdef0123456789abcdef"), Ok(()));
    assert_eq!(check_secret(&[b'a'; 64]), Err(KeyRefused::SecretShort(1)));
}

#[test]
fn every_broken_pem_is_refused_without_panic() {
    for pem in [RSA, P256, ED25519] {
        for end in 0..pem.trim_end().len() {
            for algorithm in Algorithm::ALL {
                assert!(check_jwk(algorithm, &pem[..end]).is_err());
            }
        }
    }
}
