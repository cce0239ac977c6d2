//! Consent, revocation, introspection, access checks.

use crate::oidc::{ISSUER, asked, client, public};
use crate::people::{NOW, account, app, partner, person};
use crate::session::{grant, session};
use enter::account::{Account, PartnerUserId};
use enter::app::App;
use enter::ids::{AccountId, AppId, ClientId, GrantId, PartnerId};
use enter::oidc::access_check::{AccessCheck, AskedAccount, access_check, asked_account};
use enter::oidc::claims::Requested;
use enter::oidc::consent::{Consent, missing, remember};
use enter::oidc::revocation::{AccessToken, Asked, Found, MayNotAsk, Revocation, introspect, revoke};
use enter::oidc::{AuthorizationCode, Client, Grant, GrantRefused, RefreshState, RefreshToken, Standing};
use kernel::{Plain, SeededChance, Time};
use serde_json::json;

fn consent(scopes: &[&str]) -> Consent {
    Consent {
        person: session().person,
        client: ClientId::parse("c1").unwrap(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        given: NOW,
    }
}

fn to_consent(
    parameters: &[(&str, &str)],
    app: &App,
    client: &Client,
    known: Option<&Consent>,
) -> Vec<String> {
    let request = asked(parameters, client).unwrap();
    missing(&request, &Requested::read(request.claims.as_ref()), app, client, known)
}

#[test]
fn consent_is_asked_for_what_is_new_and_not_pre_approved() {
    let (app, own) = (app("MP-1"), client("c1"));
    let all = [("scope", "openid email profile")];
    assert_eq!(to_consent(&all, &app, &own, None), ["email", "profile"]);
    assert_eq!(to_consent(&all, &app, &own, Some(&consent(&["email"]))), ["profile"]);
    assert!(to_consent(&all, &app, &own, Some(&consent(&["profile", "email"]))).is_empty());
    assert!(to_consent(&[("scope", "openid")], &app, &own, None).is_empty());
    let trusted = App { pre_approved_scopes: vec!["email".to_owned()], ..app };
    assert_eq!(to_consent(&all, &trusted, &own, None), ["profile"]);
}

#[test]
fn the_claims_parameter_is_no_way_around_consent() {
    let app = app("MP-1");
    let by_name = [("scope", "openid"), ("claims", r#"{"userinfo":{"email":null,"name":null}}"#)];
    assert_eq!(to_consent(&by_name, &app, &client("c1"), None), ["email", "profile"]);
    let narrow = Client { scopes: vec!["email".to_owned()], ..client("c1") };
    assert_eq!(to_consent(&by_name, &app, &narrow, None), ["email"]);
}

#[test]
fn consent_is_remembered_and_grows_but_not_by_an_impersonator() {
    let (session, client) = (session(), client("c1"));
    let profile = ["profile".to_owned()];
    let first = remember(&session, &client, &profile, None, NOW).unwrap();
    assert_eq!(first.scopes, ["profile"]);
    let later = NOW.plus_seconds(9);
    let both = remember(&session, &client, &["email".to_owned()], Some(first), later).unwrap();
    assert_eq!(
        (both.scopes.as_slice(), both.given),
        (["profile", "email"].map(str::to_owned).as_slice(), later)
    );
    let foreign = Consent { client: ClientId::parse("c2").unwrap(), ..consent(&["email"]) };
    assert_eq!(remember(&session, &client, &profile, Some(foreign), NOW).unwrap().scopes, ["profile"]);
    let mut acting = session;
    acting.detail.impersonator = PartnerUserId::parse("boss").ok();
    assert_eq!(remember(&acting, &client, &profile, None, NOW), None);
}

struct Tokens {
    client: ClientId,
    grant: GrantId,
    partner: PartnerId,
}

fn tokens() -> Tokens {
    Tokens {
        client: ClientId::parse("c1").unwrap(),
        grant: GrantId::parse("grant-1").unwrap(),
        partner: PartnerId::parse("P1").unwrap(),
    }
}

impl Tokens {
    fn access(&self) -> AccessToken<'_> {
        let Self { client, grant, partner } = self;
        AccessToken { jti: "tok-1", client, grant, partner, issued: NOW, expires: NOW.plus_seconds(1800) }
    }

    fn refresh(&self, state: RefreshState) -> RefreshToken {
        let (client, grant) = (self.client.clone(), self.grant.clone());
        let hash = Plain::presented("r").hashed();
        RefreshToken { hash, client, grant, expires: NOW.plus_seconds(3600), state }
    }
}

#[test]
fn lesson_7_a_client_revokes_its_own_tokens_and_learns_nothing_of_others() {
    let tokens = tokens();
    let refresh = tokens.refresh(RefreshState::Live);
    let until = NOW.plus_seconds(1800);
    for own in [client("c1"), public("c1")] {
        assert_eq!(revoke(&own, Found::Refresh(&refresh)), Revocation::Grant(tokens.grant.clone()));
        let one = Revocation::Token { jti: "tok-1".to_owned(), until };
        assert_eq!(revoke(&own, Found::Access(tokens.access())), one);
        assert_eq!(revoke(&own, Found::Nothing), Revocation::Nothing);
        assert_eq!(revoke(&own, Found::OtherKind), Revocation::Unsupported, "lesson 8");
    }
    let other = client("c2");
    assert_eq!(revoke(&other, Found::Refresh(&refresh)), Revocation::Nothing);
    assert_eq!(revoke(&other, Found::Access(tokens.access())), Revocation::Nothing);
    // A refresh token that was used already still names its family.
    let used = tokens.refresh(RefreshState::Revoked);
    assert_eq!(revoke(&client("c1"), Found::Refresh(&used)), Revocation::Grant(tokens.grant));
}

#[test]
fn introspection_tells_an_app_of_its_own_tokens_and_nobody_else() {
    let (tokens, session) = (tokens(), session());
    let grant = grant(&session, Some("AG-1"));
    let own = AppId::parse("MP-1").unwrap();
    let good = Asked { found: Found::Access(tokens.access()), app: &own, grant: &grant, stands: true };
    let ask = |client: &Client, asked: Option<Asked<'_>>, now: Time| {
        introspect(client, asked, ISSUER, now).unwrap()
    };
    let told = json!({
        "active": true, "iss": ISSUER, "sub": session.person, "client_id": "c1", "scope": "openid email",
        "sid": session.id, "token_type": "Bearer", "aud": ISSUER, "jti": "tok-1", "partner_id": "P1",
        "account_id": "AG-1", "iat": NOW.seconds(), "exp": NOW.seconds() + 1800,
    });
    assert_eq!(ask(&client("c1"), Some(good), NOW), told);
    assert_eq!(ask(&client("c-backend-of-the-same-app"), Some(good), NOW), told);
    assert_eq!(introspect(&public("c1"), Some(good), ISSUER, NOW), Err(MayNotAsk));

    let live = tokens.refresh(RefreshState::Live);
    let answer = ask(&client("c1"), Some(Asked { found: Found::Refresh(&live), ..good }), NOW);
    assert_eq!((&answer["active"], &answer["exp"]), (&json!(true), &json!(NOW.seconds() + 3600)));

    let inactive = json!({ "active": false });
    let stranger = AppId::parse("MP-2").unwrap();
    let other_grant = Grant { id: GrantId::parse("grant-2").unwrap(), ..grant.clone() };
    let rotated =
        tokens.refresh(RefreshState::Rotated { at: NOW, successor: Plain::presented("s").hashed() });
    let late = NOW.plus_seconds(1800);
    for (asked, now) in [
        (None, NOW),
        (Some(Asked { app: &stranger, ..good }), NOW),
        (Some(Asked { stands: false, ..good }), NOW),
        (Some(Asked { grant: &other_grant, ..good }), NOW),
        (Some(Asked { found: Found::OtherKind, ..good }), NOW),
        (Some(Asked { found: Found::Nothing, ..good }), NOW),
        (Some(Asked { found: Found::Refresh(&rotated), ..good }), NOW),
        (Some(Asked { found: Found::Refresh(&live), ..good }), NOW.plus_seconds(3600)),
        (Some(good), late),
    ] {
        assert_eq!(ask(&client("c1"), asked, now), inactive, "{asked:?}");
    }
}

#[test]
fn an_access_check_tells_apart_who_what_and_whether() {
    let session = session();
    let (grant, client, app, partner) =
        (grant(&session, Some("AG-1")), client("c1"), app("MP-1"), partner("P1"));
    let mut anna = person("P1", "anna", None);
    anna.id = session.person.clone();
    let standing = Standing {
        grant: &grant,
        client: &client,
        app: &app,
        partner: &partner,
        person: &anna,
        session: &session,
        account_live: false,
        active: false,
        roles: None,
    };
    let (id, roles) = (AccountId::parse("AG-7").unwrap(), ["member".to_owned()]);
    let seventh = account("AG-7", "P1");
    let good = AskedAccount { id: &id, account: Some(&seventh), roles: Some(&roles), active: true };
    let status = |asked: Option<AskedAccount<'_>>| access_check(&standing, asked, NOW).status();
    // The token's own account may be closed meanwhile; the question is about another one.
    assert_eq!(status(Some(good)), 200);
    assert_eq!(status(Some(AskedAccount { roles: None, ..good })), 403);
    assert_eq!(status(Some(AskedAccount { active: false, ..good })), 403);
    let off = Account { disabled: Some(NOW), ..account("AG-7", "P1") };
    assert_eq!(status(Some(AskedAccount { account: Some(&off), ..good })), 403);
    assert_eq!(status(Some(AskedAccount { account: None, ..good })), 404);
    let foreign = account("AG-7", "P2");
    assert_eq!(status(Some(AskedAccount { account: Some(&foreign), ..good })), 404);
    assert_eq!(status(Some(AskedAccount { account: Some(&account("AG-8", "P1")), ..good })), 404);
    assert_eq!(status(None), 404);
    let ended = session.clone().end(NOW);
    let over = Standing { session: &ended, ..standing };
    let answer = access_check(&over, Some(good), NOW);
    assert_eq!((answer, answer.status()), (AccessCheck::Token(GrantRefused::Session), 401));

    assert_eq!(asked_account(Some("AG-7"), &standing), Some(id));
    assert_eq!(asked_account(None, &standing).unwrap().as_str(), "AG-1");
    assert_eq!(asked_account(Some(""), &standing).unwrap().as_str(), "AG-1");
    assert_eq!(asked_account(Some("../AG-7"), &standing), None);
}

#[test]
fn a_code_and_a_refresh_token_name_their_row_and_nothing_else_does() {
    let chance = SeededChance::new(3);
    let (grant, later) = (GrantId::new(NOW, &chance), GrantId::new(NOW.plus_seconds(1), &chance));
    assert!(grant < later, "ids sort by time");
    let code = AuthorizationCode::text(&grant, &chance);
    assert_eq!(AuthorizationCode::grant_of(code.reveal()), Some(grant.clone()));
    assert_eq!(code.reveal().len(), "vst_ac_".len() + GrantId::SELECTOR + 43);
    for number in [1, 2, 1_000_000] {
        let token = RefreshToken::text(&grant, number, &chance);
        assert_eq!(RefreshToken::place_of(token.reveal()), Some((grant.clone(), number)));
        assert_eq!(AuthorizationCode::grant_of(token.reveal()), None, "another kind");
        assert_eq!(RefreshToken::place_of(code.reveal()), None, "another kind");
    }
    let selector = grant.selector();
    let strange = [
        "".to_owned(),
        selector.to_owned(),
        format!("{selector}+1-x"),
        format!("{selector}-1-x"),
        format!("{selector}1x-x"),
        format!("{selector}9999999999999999-x"),
        "ä".repeat(30),
        format!("{}'1-x", &selector[1..]),
    ];
    for text in strange {
        assert_eq!(RefreshToken::place_of(&format!("vst_rt_{text}")), None, "{text}");
    }
    for text in ["", "short", &"ä".repeat(30), &"'".repeat(30)] {
        assert_eq!(AuthorizationCode::grant_of(&format!("vst_ac_{text}")), None, "{text}");
    }
}
