//! What the parent window is told (contract `connect.md`, section 4).

use kernel::{Brand, Environment, Origin};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// One `postMessage`: the browser delivers it only to a parent of exactly this origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Post {
    #[serde(rename = "targetOrigin")]
    pub target_origin: String,
    pub data: Value,
}

/// Where messages are sent: each registered origin in turn.
///
/// Decision: `*` only in a sandbox with no origin registered, so that a first try needs no set-up; in production
/// none registered means nobody is told. The trade is that in such a sandbox any parent sees the message, which
/// therefore goes without `webhook_url` ([`success`]).
pub fn targets(environment: Environment, origins: &[Origin]) -> Vec<String> {
    match (environment, origins) {
        (Environment::Sandbox, []) => vec![ANYONE.to_owned()],
        _ => origins.iter().map(|origin| origin.as_str().to_owned()).collect(),
    }
}

const ANYONE: &str = "*";

/// The same data to each of `targets`.
pub fn posts(targets: &[String], data: &Value) -> Vec<Post> {
    targets.iter().map(|target| Post { target_origin: target.clone(), data: data.clone() }).collect()
}

/// `{brand}-success`. `tenant` is the v1 shape; `webhook_url` is a secret and left out where anyone may listen.
pub fn success(brand: &Brand, targets: &[String], webhook_url: &str, tenant: Value) -> Value {
    let mut data = Map::new();
    data.insert("message".to_owned(), Value::from(named(brand, "success")));
    if !targets.iter().any(|target| target == ANYONE) {
        data.insert("webhook_url".to_owned(), Value::from(webhook_url));
    }
    data.insert("tenant".to_owned(), tenant);
    Value::Object(data)
}

/// `{brand}-error`. `code` is stable; `detail` is for people and holds no secret.
pub fn error(brand: &Brand, code: &str, detail: &str) -> Value {
    json!({ "message": named(brand, "error"), "code": code, "detail": detail })
}

/// `{brand}-install-cancel`.
pub fn install_cancel(brand: &Brand) -> Value {
    json!({ "message": named(brand, "install-cancel") })
}

/// `{brand}-save-sync`. `tenant` is the v1 shape.
pub fn save_sync(brand: &Brand, tenant: Value) -> Value {
    let mut data = Map::new();
    data.insert("message".to_owned(), Value::from(named(brand, "save-sync")));
    data.insert("tenant".to_owned(), tenant);
    Value::Object(data)
}

/// `{brand}-content-height-change`: only its name, because the height is measured in the page.
pub fn content_height_change(brand: &Brand) -> String {
    named(brand, "content-height-change")
}

fn named(brand: &Brand, event: &str) -> String {
    format!("{}-{event}", brand.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(list: &[&str]) -> Vec<Origin> {
        list.iter().map(|text| Origin::parse(text).unwrap()).collect()
    }

    #[test]
    fn nobody_is_anyone_in_production() {
        let both = origins(&["https://a.example", "https://b.example"]);
        for environment in Environment::ALL {
            assert_eq!(targets(environment, &both), ["https://a.example", "https://b.example"]);
        }
        assert!(targets(Environment::Production, &[]).is_empty());
        assert_eq!(targets(Environment::Sandbox, &[]), ["*"]);
    }

    #[test]
    fn the_webhook_url_never_goes_to_anyone() {
        let brand = Brand::default();
        let told = |targets: &[String]| {
            success(&brand, targets, "https://g.example/v1/webhooks/s", json!({ "id": 1 }))
        };
        assert_eq!(told(&["*".into()]), json!({ "message": "vestibule-success", "tenant": { "id": 1 } }));
        assert_eq!(told(&["https://a.example".into()])["webhook_url"], "https://g.example/v1/webhooks/s");
    }

    #[test]
    fn the_published_names_come_out_byte_for_byte() {
        let pandium = Brand::parse("pandium").unwrap();
        let told = success(&pandium, &["https://a.example".into()], "u", Value::Null);
        assert_eq!(told.to_string(), r#"{"message":"pandium-success","webhook_url":"u","tenant":null}"#);
        assert_eq!(
            error(&pandium, "user_denied", "d").to_string(),
            r#"{"message":"pandium-error","code":"user_denied","detail":"d"}"#
        );
        assert_eq!(install_cancel(&pandium).to_string(), r#"{"message":"pandium-install-cancel"}"#);
        assert_eq!(
            save_sync(&pandium, json!(1)).to_string(),
            r#"{"message":"pandium-save-sync","tenant":1}"#
        );
        assert_eq!(content_height_change(&pandium), "pandium-content-height-change");
        let post = serde_json::to_value(posts(&["https://a.example".into()], &json!(1))).unwrap();
        assert_eq!(post, json!([{ "targetOrigin": "https://a.example", "data": 1 }]));
    }
}
