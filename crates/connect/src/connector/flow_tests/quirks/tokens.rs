//! How tokens are asked for, come, are exchanged and go on.

use super::*;

#[test]
fn slack() {
    let slack = real("slack");
    let mut asked = app();
    asked.scopes = Some(vec!["chat:write".to_owned(), "users:read".to_owned()]);
    asked.user_scopes = Some(vec!["search:read".to_owned(), "files:read".to_owned()]);
    let url = authorize_url(&slack, &asked, &Values::new(), "s", Some("challenge"), REDIRECT).unwrap();
    assert_eq!(query(&url)["scope"], "chat:write,users:read");
    assert_eq!(query(&url)["user_scope"], "search:read,files:read");
    assert!(!query(&url).contains_key("code_challenge"), "no PKCE");
    let both = r#"{"ok":true,"access_token":"xoxb","scope":"chat:write,users:read,channels:read","team":{"id":"T1"},"authed_user":{"id":"U1","access_token":"xoxp"}}"#;
    let credential = answered(&slack, both).unwrap();
    assert_eq!(
        (access(&credential), credential.captures.get("user_token"), credential.captures.get("team_id")),
        ("xoxb", Some("xoxp"), Some("T1"))
    );
    let mut only_person = app();
    only_person.scopes = Some(Vec::new());
    let answer = json(r#"{"ok":true,"team":{"id":"T1"},"authed_user":{"id":"U1","access_token":"xoxp"}}"#);
    let credential = read_token_answer(&slack, &slack.scopes_for(&only_person), answer, NOW).unwrap();
    assert_eq!(access(&credential), "xoxp");
    let refused = answered(&slack, r#"{"ok":false,"error":"invalid_code"}"#).unwrap_err();
    assert_eq!(refused.code.as_deref(), Some("invalid_code"));
}

const GOOGLE: &str = r#"
    [auth]
    kind = "oauth2"
    [authorize]
    url = "https://accounts.google.com/o/oauth2/v2/auth"
    params = { access_type = "offline", prompt = "consent" }
    issuer = "https://accounts.google.com"
    [authorize.scope]
    default = ["openid", "email", "https://www.googleapis.com/auth/calendar.readonly"]
    aliases = { email = "https://www.googleapis.com/auth/userinfo.email" }
    [token]
    url = "https://oauth2.googleapis.com/token"
    extract = { scope = "/scope" }
"#;

#[test]
fn google_offline_access_and_fewer_scopes() {
    let google = define(GOOGLE);
    let asked = query(&page(&google, &Values::new()));
    assert_eq!(
        (asked["access_type"].as_str(), asked["prompt"].as_str(), asked["code_challenge_method"].as_str()),
        ("offline", "consent", "S256")
    );
    let all = r#"{"access_token":"a","scope":"openid https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/calendar.readonly"}"#;
    assert_eq!(answered(&google, all).unwrap().scopes.len(), 3);
    let fewer = answered(
        &google,
        r#"{"access_token":"a","scope":"openid https://www.googleapis.com/auth/userinfo.email"}"#,
    )
    .unwrap_err();
    assert_eq!(fewer.failure, Failure::MissingScopes);
    assert!(
        fewer.detail.contains("calendar.readonly") && !fewer.detail.contains("email"),
        "{}",
        fewer.detail
    );
    let from =
        |issuer: &str| check_callback(&google, &app(), &[("iss".to_owned(), issuer.to_owned())]).is_ok();
    assert!(from("https://accounts.google.com") && !from("https://accounts.google.com.evil.example"));
}

#[test]
fn github_app_is_declared() {
    let github = define(
        r#"
        [auth]
        kind = "builtin:github_app"
        app = ["name", "private_key"]
        [authorize]
        url = "https://github.com/apps/{app.name}/installations/new"
        [capture]
        callback = { installation_id = "installation_id" }
        [api]
        base_url = "https://api.github.com"
        "#,
    );
    assert_eq!((github.kind, github.way()), (Kind::GithubApp, Way::NotYet("builtin:github_app")));
}

#[test]
fn netsuite_token_based_authentication_is_declared() {
    let netsuite = define(
        r#"
        [auth]
        kind = "builtin:tba"
        [[inputs]]
        key = "account"
        label = "Account id"
        [api]
        base_url = "https://{inputs.account|lower}.suitetalk.api.netsuite.com"
        hosts = ["*.suitetalk.api.netsuite.com"]
        "#,
    );
    assert_eq!(netsuite.way(), Way::NotYet("builtin:tba"));
}

#[test]
fn stripe_connect() {
    let stripe = define(
        r#"
        [auth]
        kind = "oauth2"
        [authorize]
        url = "https://connect.stripe.com/oauth/authorize"
        pkce = "off"
        [token]
        url = "https://connect.stripe.com/oauth/token"
        client_auth = "basic_key_only"
        [capture]
        token = { "/stripe_user_id" = "account" }
        "#,
    );
    let request = token(&stripe, &Values::new(), &Values::new());
    assert_eq!(request.header("authorization"), Some("Basic c2VjcmV0LTE6"));
    assert!(!form(&request).contains_key("client_secret"));
    let credential = answered(&stripe, r#"{"access_token":"sk","stripe_user_id":"acct_1"}"#).unwrap();
    assert_eq!(credential.captures.get("account"), Some("acct_1"));
}

#[test]
fn notion() {
    let notion = real("notion");
    assert_eq!(query(&page(&notion, &Values::new()))["owner"], "user");
    let request = token(&notion, &Values::new(), &Values::new());
    assert_eq!(request.header("authorization"), Some("Basic aWQtMTpzZWNyZXQtMQ=="));
    assert_eq!(request.header("notion-version"), Some("2022-06-28"));
    let sent: serde_json::Value = serde_json::from_str(body(&request)).unwrap();
    assert_eq!(sent["grant_type"], "authorization_code");
    assert_eq!(sent.get("client_secret"), None);
}

#[test]
fn x_pkce_basic_and_rotation() {
    let x = define(
        r#"
        [auth]
        kind = "oauth2"
        [authorize]
        url = "https://x.com/i/oauth2/authorize"
        scope = { default = ["users.read", "tweet.read", "offline.access"] }
        pkce = "s256"
        [token]
        url = "https://api.x.com/2/oauth2/token"
        client_auth = "basic"
        [refresh]
        rotates = true
        "#,
    );
    assert_eq!(query(&page(&x, &Values::new()))["code_challenge"], "challenge-1");
    let request = token(&x, &Values::new(), &Values::new());
    assert_eq!(form(&request)["code_verifier"], "verifier-1");
    assert!(!form(&request).contains_key("client_secret"));
    let before = answered(&x, r#"{"access_token":"a-1","refresh_token":"r-1","expires_in":7200}"#).unwrap();
    let after = read_refresh_answer(
        &x,
        &before,
        json(r#"{"access_token":"a-2","refresh_token":"r-2","expires_in":7200}"#),
        NOW,
    )
    .unwrap();
    assert_eq!((access(&after), after.refresh.as_ref().unwrap().reveal()), ("a-2", "r-2"));
    assert!(x.refresh.unwrap().rotates);
}

#[test]
fn tiktok_client_key_and_nesting() {
    let tiktok = define(
        r#"
        [auth]
        kind = "oauth2"
        [authorize]
        url = "https://www.tiktok.com/v2/auth/authorize/"
        rename = { client_id = "client_key" }
        scope = { separator = "," }
        [token]
        url = "https://open.tiktokapis.com/v2/oauth/token/"
        rename = { client_id = "client_key" }
        [token.extract]
        access = ["/data/access_token", "/access_token"]
        refresh = ["/data/refresh_token", "/refresh_token"]
        expires_in = ["/data/expires_in", "/expires_in"]
        error = ["/data/error_code", "/error"]
        "#,
    );
    let asked = query(&page(&tiktok, &Values::new()));
    assert!(asked.contains_key("client_key") && !asked.contains_key("client_id"));
    let sent = form(&token(&tiktok, &Values::new(), &Values::new()));
    assert_eq!((sent["client_key"].as_str(), sent.contains_key("client_id")), ("id-1", false));
    let credential = answered(
        &tiktok,
        r#"{"data":{"access_token":"a","error_code":0,"expires_in":86400},"message":"success"}"#,
    )
    .unwrap();
    assert_eq!((access(&credential), credential.expires), ("a", Some(NOW.plus_seconds(86_400))));
    let refused =
        answered(&tiktok, r#"{"data":{"error_code":10007,"description":"code expired"},"message":"error"}"#)
            .unwrap_err();
    assert_eq!(refused.code.as_deref(), Some("10007"));
}

#[test]
fn meta_exchanges_short_for_long_and_extends_with_the_token_itself() {
    let meta = define(
        r#"
        [auth]
        kind = "oauth2"
        [authorize]
        url = "https://www.facebook.com/v21.0/dialog/oauth"
        scope = { separator = "," }
        [token]
        url = "https://graph.facebook.com/v21.0/oauth/access_token"
        method = "GET"
        body = "query"
        [refresh]
        grant = "access_token"
        params = { grant_type = "fb_exchange_token", fb_exchange_token = "{token.access}" }
        [[after]]
        request = { method = "POST", url = "https://graph.facebook.com/v21.0/oauth/access_token", form = { grant_type = "fb_exchange_token", client_id = "{app.client_id}", client_secret = "{app.client_secret}", fb_exchange_token = "{token.access}" } }
        save = { "/access_token" = "token.access", "/expires_in?" = "token.expires_in" }
        "#,
    );
    let request = token(&meta, &Values::new(), &Values::new());
    assert_eq!(
        (request.method.as_str(), query(&request.url)["client_secret"].as_str(), request.body.is_none()),
        ("GET", "secret-1", true)
    );
    let mut credential = answered(&meta, r#"{"access_token":"short","expires_in":3600}"#).unwrap();
    let StepOutcome::Done(captured) =
        read_step_answer(&meta, 0, json(r#"{"access_token":"long","expires_in":5184000}"#), None, NOW)
            .unwrap()
    else {
        panic!()
    };
    captured.put_into(&mut credential);
    assert_eq!((access(&credential), credential.expires), ("long", Some(NOW.plus_seconds(5_184_000))));
    let renewed = refresh_request(&meta, &app(), &credential).unwrap();
    let sent = query(&renewed.url);
    assert_eq!(
        (sent["grant_type"].as_str(), sent["fb_exchange_token"].as_str(), sent.contains_key("refresh_token")),
        ("fb_exchange_token", "long", false)
    );
}

#[test]
fn adp_mutual_tls_is_declared() {
    let adp = define(
        "[auth]\nkind = \"oauth2\"\n[authorize]\nurl = \"https://accounts.adp.com/auth/oauth/v2/authorize\"\n\
         [token]\nurl = \"https://accounts.adp.com/auth/oauth/v2/token\"\nclient_auth = \"mtls\"\n",
    );
    assert_eq!(adp.way(), Way::NotYet("client_auth mtls"));
    let code = SecretText::new("c");
    let refused = token_request(
        &adp,
        &app(),
        &Values::new(),
        &Values::new(),
        Exchange { code: &code, verifier: None, redirect_uri: REDIRECT },
    );
    assert!(refused.unwrap_err().detail.contains("not executed yet"));
}

#[test]
fn exact_online_rotates_late() {
    let exact = define(
        "[auth]\nkind = \"oauth2\"\n[authorize]\nurl = \"https://start.exactonline.nl/api/oauth2/auth\"\n\
         [token]\nurl = \"https://start.exactonline.nl/api/oauth2/token\"\n[refresh]\nrotates = true\nlead_s = 25\n",
    );
    let refresh = exact.refresh.as_ref().unwrap();
    assert_eq!((refresh.rotates, refresh.lead_s), (true, 25));
    let credential =
        answered(&exact, r#"{"access_token":"a","refresh_token":"r-1","expires_in":"600"}"#).unwrap();
    assert_eq!(credential.expires, Some(NOW.plus_seconds(600)), "a number as text");
    assert_eq!(form(&refresh_request(&exact, &app(), &credential).unwrap())["refresh_token"], "r-1");
}

#[test]
fn monday_rejects_response_type() {
    let monday = define(
        "[auth]\nkind = \"oauth2\"\n[authorize]\nurl = \"https://auth.monday.com/oauth2/authorize\"\ndrop = [\"response_type\"]\n\
         [token]\nurl = \"https://auth.monday.com/oauth2/token\"\n",
    );
    assert!(!query(&page(&monday, &Values::new())).contains_key("response_type"));
}

#[test]
fn a_step_registers_the_tenants_webhook() {
    let acme = define(
        r#"
        [auth]
        kind = "api_key"
        [[inputs]]
        key = "key"
        label = "Key"
        secret = true
        [[after]]
        request = { method = "POST", url = "https://api.acme.example/hooks", body = { url = "{webhook.url}", events = ["*"] } }
        ok = [201]
        save = { "/secret" = "webhook_secret" }
        [api]
        base_url = "https://api.acme.example"
        headers = { X-Api-Key = "{inputs.key}" }
        [webhook.verify]
        scheme = "token"
        header = "X-Token"
        secret_from = "tenant"
        "#,
    );
    let inputs = values(&[("key", "k-1")]);
    let variables = Variables {
        inputs: Some(&inputs),
        webhook_url: Some("https://gateway.example/v1/webhooks/w"),
        ..Variables::default()
    };
    let request = step_request(&acme, 0, variables).unwrap().unwrap();
    assert_eq!(body(&request), r#"{"url":"https://gateway.example/v1/webhooks/w","events":["*"]}"#);
    assert_eq!(
        (request.header("x-api-key"), request.header("content-type")),
        (Some("k-1"), Some("application/json"))
    );
    assert!(!format!("{request:?}").contains("k-1"));
    let wrong_status = read_step_answer(&acme, 0, json(r#"{"secret":"s"}"#), None, NOW);
    assert!(wrong_status.is_err(), "200 is not 201");
}
