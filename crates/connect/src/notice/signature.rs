//! Signing after Standard Webhooks: `webhook-signature: v1,{base64 of HMAC-SHA256}`.

use super::secret::EndpointSecret;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::Time;

/// The header's value: one signature for each secret, with a blank between two. What is signed is
/// `{id}.{seconds since 1970}.{body}`.
pub fn sign<'a>(
    secrets: impl IntoIterator<Item = &'a EndpointSecret>,
    id: &str,
    at: Time,
    body: &[u8],
) -> String {
    let head = format!("{id}.{}.", at.seconds());
    let signature = |secret: &EndpointSecret| {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.key()));
        context.update(head.as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign().as_ref()))
    };
    secrets.into_iter().map(signature).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SeededChance;

    #[test]
    fn the_vector_of_the_standards_own_libraries() {
        let secret = EndpointSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let at = Time::from_seconds(1_614_265_330);
        let signed = sign([&secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_sign_side_by_side() {
        let chance = SeededChance::new(1);
        let (new, old) = (EndpointSecret::new(&chance), EndpointSecret::new(&chance));
        let at = Time::from_micros(1_999_999);
        let both = sign([&new, &old], "msg_1", at, b"{}");
        let alone = [sign([&new], "msg_1", at, b"{}"), sign([&old], "msg_1", at, b"{}")];
        assert_eq!(both, alone.join(" "));
        assert_ne!(sign([&new], "msg_2", at, b"{}"), sign([&new], "msg_1", at, b"{}"));
    }
}
