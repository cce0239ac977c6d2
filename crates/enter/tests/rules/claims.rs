//! ID token, userinfo, access token.

use crate::oidc::{ISSUER, client};
use crate::people::{NOW, issuer, person};
use crate::session::{grant, session};
use enter::account::{PartnerUserId, Person};
use enter::ids::{AppId, PersonId};
use enter::oidc::claims::{
    Claim, ID_TOKEN_LIFETIME_S, Issue, Requested, access_token, at_hash, header, id_token, userinfo,
};
use enter::oidc::{Client, Grant, TokenKind};
use enter::session::{Session, SessionApp};
use kernel::jose::Algorithm;
use proptest::prelude::*;
use serde_json::{Value, json};

struct Told {
    client: Client,
    grant: Grant,
    person: Person,
    session: Session,
    entry: Option<SessionApp>,
    roles: Vec<String>,
}

fn told() -> Told {
    let session = session();
    let mut anna = person("P1", "anna", Some("anna@partner.example"));
    anna.id = session.person.clone();
    anna.family_name = Some("Ngô".to_owned());
    anna.locale = Some("vi".to_owned());
    let entry = SessionApp {
        session: session.id.clone(),
        app: AppId::parse("MP-1").unwrap(),
        context: grant(&session, Some("AG-1")).context(&session),
        back_url: Some("https://portal.partner.example/?a=1".to_owned()),
        back_url_text: Some("Zurück".to_owned()),
        entered: NOW,
    };
    Told {
        client: client("c1"),
        grant: grant(&session, Some("AG-1")),
        person: anna,
        session,
        entry: Some(entry),
        roles: vec!["member".to_owned()],
    }
}

impl Told {
    fn issue<T>(&self, make: impl FnOnce(&Issue<'_>) -> T) -> T {
        make(&Issue {
            issuer: &issuer(),
            client: &self.client,
            grant: &self.grant,
            person: &self.person,
            session: &self.session,
            entry: self.entry.as_ref(),
            roles: &self.roles,
            now: NOW,
        })
    }

    fn id_token(&self) -> Value {
        serde_json::from_str(&self.issue(|issue| id_token(issue, Some("n"), Some("at")))).unwrap()
    }

    fn userinfo(&self) -> Value {
        self.issue(userinfo)
    }

    fn scopes(mut self, scopes: &[&str]) -> Self {
        self.grant.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self
    }

    fn claims(mut self, claims: &Value) -> Self {
        self.grant.claims = claims.as_object().cloned();
        self
    }
}

#[test]
fn an_id_token_says_what_the_contract_has() {
    let told = told().scopes(&["openid", "email", "profile"]);
    let session = &told.session;
    assert_eq!(
        told.id_token(),
        json!({
            "iss": ISSUER,
            "sub": session.person,
            "aud": "c1",
            "iat": 1_700_000_000,
            "exp": 1_700_000_600,
            "auth_time": 1_700_000_000,
            "acr": "urn:vestibule:acr:partner",
            "amr": ["fed"],
            "nonce": "n",
            "at_hash": at_hash(Algorithm::Rs256, "at"),
            "partner_id": "P1",
            "namespace": "P1",
            "account_id": "AG-1",
            "roles": ["member"],
            "back_url": "https://portal.partner.example/?a=1",
            "back_url_text": "Zurück",
            "product_navbar_data_url": session.navbar_url(&issuer(), &told.client.app),
            "sid": session.id,
            "email": "anna@partner.example",
            "email_verified": false,
            "name": "Anna Ngô",
            "given_name": "Anna",
            "family_name": "Ngô",
            "locale": "vi",
        })
    );
    assert_eq!(ID_TOKEN_LIFETIME_S, 600);
    assert!(told.id_token().get("act").is_none());
}

#[test]
fn what_was_not_there_is_left_out() {
    let mut told = told();
    told.entry = None;
    told.grant.account = None;
    let token: Value = serde_json::from_str(&told.issue(|issue| id_token(issue, None, None))).unwrap();
    for name in ["nonce", "at_hash", "azp", "account_id", "back_url", "back_url_text", "act"] {
        assert!(token.get(name).is_none(), "{name}");
    }
    assert_eq!(token["roles"], json!(["member"]));
}

#[test]
fn a_refreshed_token_does_not_tell_a_later_sign_in_as_its_own() {
    let mut told = told();
    assert_eq!(told.id_token()["auth_time"], NOW.seconds());
    told.session.authenticated = NOW.plus_seconds(60);
    assert!(told.id_token().get("auth_time").is_none());
}

#[test]
fn an_impersonation_is_told_to_everybody() {
    let mut told = told();
    told.session.detail.impersonator = Some(PartnerUserId::parse("boss?>").unwrap());
    let act = json!({ "sub": "boss?>" });
    assert_eq!((&told.id_token()["act"], &told.userinfo()["act"]), (&act, &act));
    let token: Value = serde_json::from_str(&told.issue(|issue| access_token(issue, "tok-1"))).unwrap();
    assert_eq!(token["act"], act);
}

#[test]
fn scopes_and_the_claims_parameter_open_what_they_name() {
    let names = |value: &Value| -> Vec<String> {
        let known = ["email", "email_verified", "name", "given_name", "locale", "auth_time", "amr"];
        known.into_iter().filter(|name| value.get(name).is_some()).map(str::to_owned).collect()
    };
    assert_eq!(names(&told().scopes(&["openid"]).userinfo()), Vec::<String>::new());
    assert_eq!(names(&told().scopes(&["openid", "email"]).userinfo()), ["email", "email_verified"]);
    assert_eq!(names(&told().scopes(&["openid", "profile"]).userinfo()), ["name", "given_name", "locale"]);
    let asks = json!({
        "userinfo": { "given_name": { "essential": true }, "amr": null, "phone_number": null },
        "id_token": { "email": null },
    });
    let told = told().scopes(&["openid"]).claims(&asks);
    assert_eq!(names(&told.userinfo()), ["given_name", "amr"]);
    assert_eq!(names(&told.id_token()), ["email", "auth_time", "amr"]);
    let mut narrow = told;
    narrow.client.scopes = vec!["email".to_owned()];
    assert_eq!(names(&narrow.userinfo()), ["amr"], "a client gets by name no more than by scope");
}

#[test]
fn what_is_asked_for_by_name_counts_as_its_scope() {
    let asks =
        json!({ "id_token": { "email": null, "acr": null }, "userinfo": { "name": null, "picture": null } });
    let requested = Requested::read(asks.as_object());
    assert_eq!(requested.id_token, [Claim::Email, Claim::Acr]);
    assert_eq!(requested.scopes(), ["email", "openid", "profile"]);
    for odd in [json!({ "id_token": 7 }), json!({ "userinfo": null }), json!({ "id_token": { "sub": null } })]
    {
        let requested = Requested::read(odd.as_object());
        assert_eq!(requested, Requested::default(), "{odd}");
        assert!(requested.allows_subject(&PersonId::parse("U-1").unwrap()));
    }
}

#[test]
fn an_access_token_is_for_the_gateway_and_names_its_grant() {
    let told = told();
    let token: Value = serde_json::from_str(&told.issue(|issue| access_token(issue, "tok-1"))).unwrap();
    assert_eq!(
        token,
        json!({
            "iss": ISSUER, "sub": told.session.person, "aud": ISSUER, "iat": 1_700_000_000, "exp": 1_700_001_800,
            "jti": "tok-1", "client_id": "c1", "scope": "openid email", "grant": "grant-1", "partner_id": "P1",
            "account_id": "AG-1", "sid": told.session.id,
        })
    );
    let typ = |kind| header(kind, Algorithm::Es256, "key-1");
    assert_eq!(typ(TokenKind::AccessToken), json!({ "alg": "ES256", "typ": "at+jwt", "kid": "key-1" }));
    assert_eq!(typ(TokenKind::IdToken)["typ"], "JWT");
    assert_eq!(typ(TokenKind::LogoutToken)["typ"], "logout+jwt");
}

/// OpenID Connect Core, appendix A.3, has this pair; the other is SHA-512 by another program.
#[test]
fn at_hash_follows_the_algorithm_of_the_id_token() {
    let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        assert_eq!(at_hash(algorithm, token), "77QmUPtjPfzWtF2AnpK9RQ");
    }
    assert_eq!(at_hash(Algorithm::EdDsa, token), AT_HASH_SHA512);
}

const AT_HASH_SHA512: &str = "q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM";

proptest! {
    #[test]
    fn payloads_are_ascii_that_plain_base64_decodes(
        name in "\\PC{1,30}", text in "[ -~äß€😀]{1,30}", actor in "[ -~ü]{1,20}"
    ) {
        let mut told = told().scopes(&["openid", "profile", "email"]);
        told.person.given_name = Some(name.clone());
        told.entry.as_mut().unwrap().back_url_text = Some(text.clone());
        told.session.detail.impersonator = PartnerUserId::parse(&actor).ok();
        for payload in [
            told.issue(|issue| id_token(issue, Some(&text), Some(&name))),
            told.issue(|issue| access_token(issue, "tok-1")),
        ] {
            prop_assert!(payload.bytes().all(|b| b.is_ascii() && !matches!(b, b'>' | b'?' | b'~')), "{}", payload);
            let read: Value = serde_json::from_str(&payload).unwrap();
            prop_assert!(read["exp"].is_i64());
            if let Some(given) = read.get("given_name") {
                prop_assert_eq!(given, &json!(name));
                prop_assert_eq!(&read["back_url_text"], &json!(text));
            }
        }
    }
}
