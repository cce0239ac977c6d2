//! Header, choice of key and signature.

use crate::sign::{Es256, NOW, SECRET, encode, hmac_token, hs256, proven, record, sealed, secret, verify};
use connect::refusal::{Code, Refusal};
use connect::signing_key::{Algorithm, Material, SigningKey, check_jwk};
use connect::token::{GET_BYTES, POST_BYTES, SharedSecret, VerifyingKey, candidates, peek};
use kernel::SafeUrl;
use proptest::prelude::*;
use serde_json::json;

fn code_of<T: std::fmt::Debug>(result: Result<T, Refusal>) -> Code {
    result.unwrap_err().code
}

fn peek_header(header: &str) -> Result<connect::token::Peek, Refusal> {
    peek(&hmac_token(header, "{}", SECRET), GET_BYTES)
}

#[test]
fn the_published_headers_are_taken() {
    for header in [
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"typ":"jwt","alg":"HS256"}"#,
        r#"{"alg":"HS256","kid":"k","x5t":"ignored"}"#,
    ] {
        assert!(peek_header(header).is_ok(), "{header}");
    }
}

#[test]
fn every_other_header_is_refused_with_its_code() {
    use Code::{TokenAlgorithm, TokenMalformed};
    for (header, code) in [
        (r#"{"typ":"JWT"}"#, TokenMalformed),
        (r#"{"alg":null}"#, TokenMalformed),
        (r#"{"alg":["HS256"]}"#, TokenMalformed),
        (r#"{"alg":"HS256","alg":"none"}"#, TokenMalformed),
        (r#"{"alg":"HS256","typ":"at+jwt"}"#, TokenMalformed),
        (r#"{"alg":"HS256","typ":1}"#, TokenMalformed),
        (r#"{"alg":"HS256","kid":""}"#, TokenMalformed),
        (r#"{"alg":"HS256","kid":7}"#, TokenMalformed),
        (r#"{"alg":"HS256","b64":false}"#, TokenMalformed),
        (r#"{"alg":"HS256","zip":"DEF"}"#, TokenMalformed),
        (r#"["HS256"]"#, TokenMalformed),
        ("", TokenMalformed),
        ("{", TokenMalformed),
        (r#"{"alg":"RS512"}"#, TokenAlgorithm),
        (r#"{"alg":"hs256"}"#, TokenAlgorithm),
    ] {
        assert_eq!(code_of(peek_header(header)), code, "{header}");
    }
    let long = json!({ "alg": "HS256", "kid": "k".repeat(129) }).to_string();
    assert_eq!(code_of(peek_header(&long)), TokenMalformed);
}

#[test]
fn a_text_of_another_shape_is_refused() {
    assert_eq!(code_of(peek("", GET_BYTES)), Code::TokenMissing);
    let good = hs256(&json!({}));
    let [header, payload, signature]: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    for bad in [
        "x".to_owned(),
        "..".to_owned(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{good}.x"),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{header}.{payload}.{signature}."),
        format!("{header}..{signature}+"),
        "ä.ö.ü".to_owned(),
        format!("{header}.{payload}.{}", signature.replace('_', "/").replace('-', "+") + "//"),
    ] {
        assert_eq!(code_of(peek(&bad, GET_BYTES)), Code::TokenMalformed, "{bad}");
    }
}

#[test]
fn the_size_is_limited_before_anything_is_read() {
    for limit in [GET_BYTES, POST_BYTES] {
        assert_eq!(code_of(peek(&"a".repeat(limit + 1), limit)), Code::TokenMalformed);
        let refusal = peek(&"a".repeat(limit + 1), limit).unwrap_err();
        assert_eq!(refusal.seen, json!({ "bytes": limit + 1 }));
    }
    let fits = hs256(&json!({ "meta": "m".repeat(5_000) }));
    assert!(fits.len() < GET_BYTES && peek(&fits, GET_BYTES).is_ok());
    let large = hs256(&json!({ "meta": "m".repeat(40_000) }));
    assert!(peek(&large, GET_BYTES).is_err() && peek(&large, POST_BYTES).is_ok());
}

#[test]
fn signatures_by_others_verify() {
    // RFC 7515, appendix A.3 (ES256) and RFC 8037, appendix A.4 (EdDSA); RS256 and EdDSA by OpenSSL.
    let es256 = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let es256_jwk = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    let eddsa = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let eddsa_jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let (rs256_openssl, eddsa_openssl) = (include_str!("keys/rs256.jwt"), include_str!("keys/eddsa.jwt"));
    for (text, algorithm, key) in [
        (es256, Algorithm::Es256, es256_jwk),
        (eddsa, Algorithm::EdDsa, eddsa_jwk),
        (rs256_openssl, Algorithm::Rs256, include_str!("keys/rsa-2048.pem")),
        (eddsa_openssl, Algorithm::EdDsa, include_str!("keys/ed25519.pem")),
    ] {
        let key = VerifyingKey::Jwk(check_jwk(algorithm, key).unwrap());
        assert!(verify(text, algorithm, &key).is_ok(), "{text}");
        let cut = text.rsplit_once('.').unwrap().0;
        let other = format!("{cut}.{}", encode([1; 64]));
        assert_eq!(code_of(verify(&other, algorithm, &key)), Code::TokenSignature);
    }
}

#[test]
fn a_signature_counts_only_under_its_own_key() {
    let token = hs256(&json!({ "jti": "1" }));
    assert!(verify(&token, Algorithm::Hs256, &secret()).is_ok());
    let other = VerifyingKey::Secret(SharedSecret::new(b"fedcba9876543210fedcba9876543210"));
    assert_eq!(code_of(verify(&token, Algorithm::Hs256, &other)), Code::TokenSignature);
    let (mine, theirs) = (Es256::new(), Es256::new());
    let token = mine.token("{}");
    assert!(verify(&token, Algorithm::Es256, &VerifyingKey::Jwk(mine.jwk())).is_ok());
    assert_eq!(
        code_of(verify(&token, Algorithm::Es256, &VerifyingKey::Jwk(theirs.jwk()))),
        Code::TokenSignature
    );
}

#[test]
fn a_short_secret_never_verifies() {
    for short in [&b""[..], b"secret", &[7; 31]] {
        let token = hmac_token(r#"{"alg":"HS256"}"#, "{}", short);
        let key = VerifyingKey::Secret(SharedSecret::new(short));
        assert_eq!(code_of(verify(&token, Algorithm::Hs256, &key)), Code::TokenSignature);
    }
}

fn kid_token(kid: &str) -> connect::token::Peek {
    peek_header(&json!({ "alg": "HS256", "kid": kid }).to_string()).unwrap()
}

fn by_url(number: u64, algorithm: Algorithm) -> SigningKey {
    record(number, algorithm, Material::JwksUrl(SafeUrl::parse("https://acme.example/jwks").unwrap()))
}

#[test]
fn a_kid_means_exactly_that_key() {
    let keys = [record(1, Algorithm::Hs256, sealed()), record(2, Algorithm::Hs256, sealed())];
    for key in &keys {
        let found = candidates(&kid_token(key.id.as_str()), &keys, NOW).unwrap();
        assert_eq!(found, [key]);
    }
    let without = peek_header(r#"{"alg":"HS256"}"#).unwrap();
    assert_eq!(candidates(&without, &keys, NOW).unwrap().len(), 2);
}

#[test]
fn a_revoked_or_retired_key_is_refused_with_the_reason() {
    let mut keys = [record(1, Algorithm::Hs256, sealed()), record(2, Algorithm::Hs256, sealed())];
    keys[0].retires = Some(NOW.plus_seconds(10));
    keys[1].revoked = Some(NOW);
    let token = kid_token(keys[0].id.as_str());
    assert_eq!(candidates(&token, &keys, NOW).unwrap().len(), 1);
    let late = candidates(&token, &keys, NOW.plus_seconds(10)).unwrap_err();
    assert!(late.code == Code::TokenSignature && late.message.contains("replaced"), "{late:?}");
    let revoked = candidates(&kid_token(keys[1].id.as_str()), &keys, NOW).unwrap_err();
    assert!(revoked.code == Code::TokenSignature && revoked.message.contains("revoked"), "{revoked:?}");
    let without = peek_header(r#"{"alg":"HS256"}"#).unwrap();
    assert_eq!(candidates(&without, &keys, NOW).unwrap(), [&keys[0]]);
    assert_eq!(code_of(candidates(&without, &keys, NOW.plus_seconds(10))), Code::TokenSignature);
    assert_eq!(code_of(candidates(&without, &[], NOW)), Code::TokenSignature);
}

#[test]
fn another_kid_is_looked_up_in_published_sets_only() {
    let inline = record(1, Algorithm::Hs256, sealed());
    let published = by_url(2, Algorithm::Es256);
    let header = |alg: &str| peek_header(&json!({ "alg": alg, "kid": "theirs-1" }).to_string()).unwrap();
    let keys = [inline.clone(), published.clone()];
    assert_eq!(candidates(&header("ES256"), &keys, NOW).unwrap(), [&published]);
    assert_eq!(code_of(candidates(&header("RS256"), &keys, NOW)), Code::TokenAlgorithm);
    assert_eq!(code_of(candidates(&header("HS256"), &[inline], NOW)), Code::TokenSignature);
    let without = peek_header(r#"{"alg":"ES256"}"#).unwrap();
    let refusal = candidates(&without, &keys, NOW).unwrap_err();
    assert!(refusal.code == Code::TokenSignature && refusal.message.contains("no `kid`"), "{refusal:?}");
}

#[test]
fn a_published_key_is_checked_like_a_registered_one() {
    let key = Es256::new();
    let token = key.token("{}");
    let plain: serde_json::Value = serde_json::from_str(&key.jwk()).unwrap();
    let with = |name: &str, value: serde_json::Value| {
        let mut jwk = plain.clone();
        jwk[name] = value;
        verify(&token, Algorithm::Es256, &VerifyingKey::Jwk(jwk.to_string()))
    };
    assert!(with("kid", json!("theirs-1")).is_ok() && with("use", json!("sig")).is_ok());
    for (name, value) in [
        ("d", json!("AA")),
        ("k", json!("AA")),
        ("use", json!("enc")),
        ("alg", json!("RS256")),
        ("kty", json!("oct")),
        ("crv", json!("P-384")),
        ("key_ops", json!(["sign"])),
    ] {
        assert_eq!(code_of(with(name, value)), Code::TokenSignature, "{name}");
    }
}

#[test]
fn lesson_16_a_key_of_another_organization_is_unknown() {
    let (ours, theirs) = (Es256::new(), Es256::new());
    let keys = [record(1, Algorithm::Es256, Material::PublicJwk(ours.jwk()))];
    let other = record(2, Algorithm::Es256, Material::PublicJwk(theirs.jwk()));
    // Their kid with their good signature, and our kid with their signature.
    let refusal = candidates(&kid_token(other.id.as_str()), &keys, NOW).unwrap_err();
    assert_eq!(refusal.code, Code::TokenSignature);
    let header = json!({ "alg": "ES256", "kid": keys[0].id.as_str() }).to_string();
    let token = theirs.token_with(&header, "{}");
    let found = candidates(&peek(&token, GET_BYTES).unwrap(), &keys, NOW).unwrap();
    assert_eq!(found, [&keys[0]]);
    assert_eq!(
        code_of(verify(&token, Algorithm::Es256, &VerifyingKey::Jwk(ours.jwk()))),
        Code::TokenSignature
    );
    assert!(verify(&token, Algorithm::Es256, &VerifyingKey::Jwk(theirs.jwk())).is_ok());
}

#[test]
fn lesson_17_no_algorithm_in_any_spelling() {
    for alg in ["none", "None", "NONE", "nOnE", "", " HS256", "HS256\u{0}", "HS384", "PS256", "ES256K", "dir"]
    {
        let header = json!({ "alg": alg }).to_string();
        assert_eq!(code_of(peek_header(&header)), Code::TokenAlgorithm, "{alg:?}");
        let unsigned = format!("{}.{}.", encode(&header), encode("{}"));
        assert_eq!(code_of(peek(&unsigned, GET_BYTES)), Code::TokenAlgorithm, "{alg:?}");
    }
}

#[test]
fn lesson_17_a_public_key_is_no_shared_secret() {
    let pem = include_str!("keys/rsa-2048.pem");
    let jwk = check_jwk(Algorithm::Rs256, pem).unwrap();
    for secret in [pem, pem.trim(), jwk.as_str()] {
        let token = hmac_token(r#"{"alg":"HS256"}"#, "{}", secret.as_bytes());
        // At the choice of keys, at the record's algorithm, and at the kind of key: three times refused.
        let keys = [record(1, Algorithm::Rs256, Material::PublicJwk(jwk.clone()))];
        assert_eq!(code_of(candidates(&peek(&token, GET_BYTES).unwrap(), &keys, NOW)), Code::TokenAlgorithm);
        let key = VerifyingKey::Jwk(jwk.clone());
        assert_eq!(code_of(verify(&token, Algorithm::Rs256, &key)), Code::TokenAlgorithm);
        assert_eq!(code_of(verify(&token, Algorithm::Hs256, &key)), Code::TokenAlgorithm);
    }
    let kid = record(1, Algorithm::Rs256, Material::PublicJwk(jwk));
    assert_eq!(
        code_of(candidates(&kid_token(kid.id.as_str()), std::slice::from_ref(&kid), NOW)),
        Code::TokenAlgorithm
    );
}

#[test]
fn lesson_17_a_key_that_comes_with_the_token_is_refused() {
    for name in ["jwk", "jku", "x5u", "x5c"] {
        for value in [
            json!({ "kty": "oct", "k": "AA" }),
            json!("https://evil.example/keys"),
            json!(["MII"]),
            json!(null),
        ] {
            let header = json!({ "alg": "HS256", name: value }).to_string();
            assert_eq!(code_of(peek_header(&header)), Code::TokenAlgorithm, "{header}");
        }
    }
    for value in [json!(["exp"]), json!([]), json!(null)] {
        let header = json!({ "alg": "HS256", "crit": value }).to_string();
        assert_eq!(code_of(peek_header(&header)), Code::TokenMalformed, "{header}");
    }
}

#[test]
fn lesson_17_a_hostile_kid_is_only_an_unknown_kid() {
    let keys = [record(1, Algorithm::Hs256, sealed())];
    let mine = keys[0].id.to_string();
    for kid in [
        "../../../dev/null",
        "' UNION SELECT 'x' --",
        "/dev/null",
        "file:///etc/passwd",
        "https://evil.example/jwks",
        "key_",
        "\u{0}",
        "%00",
        &mine.to_uppercase(),
        &format!("{mine} "),
        &format!("{mine}\u{0}"),
    ] {
        let refusal = candidates(&kid_token(kid), &keys, NOW).unwrap_err();
        assert_eq!(refusal.code, Code::TokenSignature, "{kid:?}");
        assert!(!refusal.seen["kid"].as_str().unwrap().contains('\u{0}'));
    }
}

#[test]
fn lesson_17_ecdsa_zeros_prove_nothing() {
    let key = Es256::new();
    let token = key.token("{}");
    let signed = token.rsplit_once('.').unwrap().0;
    let half = [[0; 32], [1; 32]].concat();
    let other_half = [[1; 32], [0; 32]].concat();
    for signature in
        [vec![0; 64], half, other_half, vec![0; 1], vec![0; 63], vec![0; 65], vec![0x30, 6, 2, 1, 0, 2, 1, 0]]
    {
        let forged = format!("{signed}.{}", encode(&signature));
        let refused = verify(&forged, Algorithm::Es256, &VerifyingKey::Jwk(key.jwk()));
        assert_eq!(code_of(refused), Code::TokenSignature, "{signature:?}");
    }
}

#[test]
fn lesson_18_every_proper_prefix_is_refused() {
    let key = Es256::new();
    let cases = [
        (hs256(&json!({ "jti": "1", "sub": "anna" })), Algorithm::Hs256, secret()),
        (key.token(r#"{"jti":"1"}"#), Algorithm::Es256, VerifyingKey::Jwk(key.jwk())),
        (
            include_str!("keys/rs256.jwt").to_owned(),
            Algorithm::Rs256,
            VerifyingKey::Jwk(check_jwk(Algorithm::Rs256, include_str!("keys/rsa-2048.pem")).unwrap()),
        ),
    ];
    for (token, algorithm, key) in cases {
        assert!(verify(&token, algorithm, &key).is_ok());
        for end in 0..token.len() {
            assert!(verify(&token[..end], algorithm, &key).is_err(), "{end}");
        }
    }
}

#[test]
fn lesson_18_every_other_character_in_the_last_place_is_refused() {
    // The last character of base64url carries bits that a careless decoder drops.
    let key = Es256::new();
    for (token, algorithm, key) in [
        (hs256(&json!({ "sub": "anna" })), Algorithm::Hs256, secret()),
        (key.token("{}"), Algorithm::Es256, VerifyingKey::Jwk(key.jwk())),
        (
            include_str!("keys/eddsa.jwt").to_owned(),
            Algorithm::EdDsa,
            VerifyingKey::Jwk(include_str!("keys/ed25519.pem").to_owned()),
        ),
    ] {
        for part_end in [token.find('.').unwrap() - 1, token.rfind('.').unwrap() - 1, token.len() - 1] {
            for other in (0x21u8..0x7f).filter(|byte| *byte != token.as_bytes()[part_end]) {
                let mut changed = token.clone().into_bytes();
                changed[part_end] = other;
                let changed = String::from_utf8(changed).unwrap();
                assert!(verify(&changed, algorithm, &key).is_err(), "{part_end} {}", char::from(other));
            }
        }
    }
}

proptest! {
    #[test]
    fn lesson_18_every_change_of_one_byte_is_refused(at: prop::sample::Index, other in 0u8..128) {
        let token = hs256(&json!({ "iat": 1_700_000_000, "jti": "1", "sub": "anna@example.com", "xti": { "token": "t" } }));
        let at = at.index(token.len());
        let mut changed = token.into_bytes();
        prop_assume!(changed[at] != other);
        changed[at] = other;
        prop_assert!(verify(&String::from_utf8(changed).unwrap(), Algorithm::Hs256, &secret()).is_err());
    }

    #[test]
    fn lesson_18_nothing_may_be_added(at: prop::sample::Index, added in "[!-~]{1,3}") {
        let mut token = hs256(&json!({ "sub": "anna" }));
        let at = at.index(token.len() + 1);
        token.insert_str(at, &added);
        prop_assert!(verify(&token, Algorithm::Hs256, &secret()).is_err());
    }

    #[test]
    fn any_text_is_refused_without_panic(text in "\\PC{0,200}") {
        prop_assert!(peek(&text, GET_BYTES).is_err());
    }

    #[test]
    fn what_was_signed_comes_out(text in "[ -~]{0,200}") {
        prop_assert_eq!(format!("{:?}", proven(&text)), format!("Verified({} bytes)", text.len()));
    }
}
