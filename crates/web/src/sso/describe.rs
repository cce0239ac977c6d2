//! The published description of the messages, and by it the way between their two encodings.

use enter::sso::Method;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::LazyLock;

/// As `build.rs` compiled it from `sdk/proto`.
pub(super) const DESCRIPTION: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sso.v1.bin"));

struct Messages {
    request: MessageDescriptor,
    answer: MessageDescriptor,
}

/// Of every method; a test holds the description against the methods.
static MESSAGES: LazyLock<HashMap<Method, Messages>> = LazyLock::new(|| {
    let Ok(pool) = DescriptorPool::decode(DESCRIPTION) else { return HashMap::new() };
    let messages = Method::ALL.into_iter().filter_map(|method| {
        let (service, name) = method.path().strip_prefix('/')?.split_once('/')?;
        let service = pool.get_service_by_name(service)?;
        let described = service.methods().find(|described| described.name() == name)?;
        Some((method, Messages { request: described.input(), answer: described.output() }))
    });
    messages.collect()
});

/// A request's message with the names of the description; what is not set is left out. `None` where the bytes are no
/// such message.
pub(super) fn read(method: Method, message: &[u8]) -> Option<Value> {
    let described = MESSAGES.get(&method)?.request.clone();
    let message = DynamicMessage::decode(described, message).ok()?;
    let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(true);
    message.serialize_with_options(serde_json::value::Serializer, &options).ok()
}

/// An answer's message from its JSON; `None` where the two do not agree, which a test rules out.
pub(super) fn write(method: Method, answer: &Value) -> Option<Vec<u8>> {
    let described = MESSAGES.get(&method)?.answer.clone();
    Some(DynamicMessage::deserialize(described, answer).ok()?.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_reflect::Kind;
    use serde_json::json;

    #[test]
    fn every_method_is_described_and_every_description_is_a_method() {
        let pool = DescriptorPool::decode(DESCRIPTION).unwrap();
        let described: Vec<String> = pool
            .services()
            .flat_map(|service| {
                let name = service.full_name().to_owned();
                service.methods().map(move |method| format!("/{name}/{}", method.name())).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(described.len(), Method::ALL.len());
        for path in described {
            let method =
                Method::of_path(&path).unwrap_or_else(|| panic!("{path} is described and not offered"));
            assert!(MESSAGES.contains_key(&method), "{path}");
        }
    }

    #[test]
    fn numbers_of_clients_in_the_field_stay() {
        let pool = DescriptorPool::decode(DESCRIPTION).unwrap();
        let number = |message: &str, field: &str| {
            let message = pool.get_message_by_name(&format!("sso.v1.{message}")).unwrap();
            message.get_field_by_name(field).unwrap().number()
        };
        let with_code = [
            "service_provider_id",
            "session_id",
            "user_id",
            "email",
            "context",
            "next_url",
            "back_url",
            "back_url_text",
            "federated_identity_provider",
            "impersonator_user_id",
        ];
        for (at, field) in (1..).zip(with_code) {
            assert_eq!(number("GetEntryURLWithCodeRequest", field), at, "{field}");
        }
        for (message, field, at) in [
            ("ServiceContext", "account", 1),
            ("ServiceContext", "partner", 2),
            ("ServiceContext", "super_admin", 3),
            ("ServiceContext.Account", "account_id", 1),
            ("ServiceContext.Partner", "partner_id", 1),
            ("GetEntryURLRequest", "service_provider_id", 1),
            ("GetEntryURLRequest", "context", 2),
            ("GetEntryURLResponse", "entry_url", 1),
            ("GetEntryURLWithCodeResponse", "entry_url", 1),
            ("LogoutRequest", "session_id", 1),
            ("LogoutRequest", "user_id", 2),
            ("GetSessionTransferURLRequest", "service_provider_id", 1),
            ("GetSessionTransferURLRequest", "context", 2),
            ("GetSessionTransferURLResponse", "session_transfer_url", 1),
        ] {
            assert_eq!(number(message, field), at, "{message}.{field}");
        }
    }

    #[test]
    fn a_message_says_the_same_in_both_encodings() {
        let method = Method::GetEntryUrlWithCode;
        let described = MESSAGES[&method].request.clone();
        let context = json!({ "account": { "account_id": "AG-1" } });
        let sent = json!({ "service_provider_id": "MP-1", "user_id": "ü", "context": context });
        let bytes = DynamicMessage::deserialize(described, &sent).unwrap().encode_to_vec();
        assert_eq!(read(method, &bytes).unwrap(), sent);
        assert_eq!(read(method, b"\xff\xff"), None);
        let empty = json!({ "super_admin": {} });
        let described = MESSAGES[&method].request.get_field_by_name("context").unwrap();
        let Kind::Message(described) = described.kind() else { panic!("a message") };
        let bytes = DynamicMessage::deserialize(described, &empty).unwrap().encode_to_vec();
        assert_eq!(bytes, [0x1a, 0]);
        assert_eq!(write(method, &json!({ "entryUrl": "https://a.example/" })).unwrap().first(), Some(&0x0a));
        assert_eq!(write(Method::Logout, &json!({})).unwrap(), Vec::<u8>::new());
    }
}
