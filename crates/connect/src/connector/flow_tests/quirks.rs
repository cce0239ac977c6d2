use super::*;
use crate::connector::{Kind, Way, shipped};
use crate::dialog::Choice;
use kernel::Slug;

fn real(name: &str) -> std::sync::Arc<Definition> {
    shipped().find(&Slug::parse(name).unwrap()).unwrap()
}

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

#[test]
fn hubspot_portal_by_a_request_after_connecting() {
    let hubspot = real("hubspot");
    let credential = Credential { access: Some(SecretText::new("at-1")), ..Credential::default() };
    let request = step_request(&hubspot, 0, credential.variables(Some(&app()), None)).unwrap().unwrap();
    assert_eq!(request.url.as_str(), "https://api.hubapi.com/account-info/v3/details");
    assert_eq!(request.header("Authorization"), Some("Bearer at-1"));
    let StepOutcome::Done(captured) =
        read_step_answer(&hubspot, 0, json(r#"{"portalId":62515}"#), None, NOW).unwrap()
    else {
        panic!()
    };
    assert_eq!(captured.values.get("portal_id"), Some("62515"));
    assert!(step_request(&hubspot, 1, credential.variables(None, None)).is_none());
}

#[test]
fn salesforce_login_host_and_instance() {
    let salesforce = real("salesforce");
    for (typed, host) in [
        ("login", "login.salesforce.com"),
        ("test", "test.salesforce.com"),
        ("https://acme--dev.sandbox.my.salesforce.com/", "acme--dev.sandbox.my.salesforce.com"),
    ] {
        let inputs =
            salesforce.check_inputs(&BTreeMap::from([("login".to_owned(), typed.to_owned())])).unwrap();
        assert_eq!(page(&salesforce, &inputs).host_str(), Some(host));
        assert_eq!(token(&salesforce, &inputs, &Values::new()).url.host_str(), Some(host));
    }
    for typed in ["evil.example/", "login.evil", "login@evil.example"] {
        assert!(
            salesforce.check_inputs(&BTreeMap::from([("login".to_owned(), typed.to_owned())])).is_err(),
            "{typed}"
        );
    }
    let credential =
        answered(&salesforce, r#"{"access_token":"a","instance_url":"https://acme.my.salesforce.com"}"#)
            .unwrap();
    assert_eq!(credential.expires, None);
    let request = verify_request(&salesforce, credential.variables(None, None)).unwrap().unwrap();
    assert_eq!(request.url.as_str(), "https://acme.my.salesforce.com/services/oauth2/userinfo");
    let evil =
        answered(&salesforce, r#"{"access_token":"a","instance_url":"https://evil.example"}"#).unwrap();
    let refused = verify_request(&salesforce, evil.variables(None, None)).unwrap().unwrap_err();
    assert!(refused.detail.contains("not among the hosts"), "{}", refused.detail);
}

#[test]
fn shopify() {
    let shopify = define(
        r#"
        [auth]
        kind = "oauth2"
        [[inputs]]
        key = "shop"
        label = "Shop"
        format = "subdomain"
        suffix = ".myshopify.com"
        [authorize]
        url = "https://{inputs.shop}.myshopify.com/admin/oauth/authorize"
        scope = { separator = ",", default = ["read_products", "read_orders"] }
        pkce = "off"
        signature = { param = "hmac" }
        [token]
        url = "https://{inputs.shop}.myshopify.com/admin/oauth/access_token"
        [api]
        base_url = "https://{inputs.shop}.myshopify.com/admin/api"
        hosts = ["{inputs.shop}.myshopify.com"]
        headers = { X-Shopify-Access-Token = "{token.access}" }
        [webhook.verify]
        scheme = "hmac"
        header = "X-Shopify-Hmac-Sha256"
        encoding = "base64"
        secret_from = "client_secret"
        "#,
    );
    let inputs = values(&[("shop", "acme")]);
    assert_eq!(page(&shopify, &inputs).host_str(), Some("acme.myshopify.com"));
    let credential = Credential { access: Some(SecretText::new("at-1")), inputs, ..Credential::default() };
    let call = |url: &str| {
        let request = OutgoingRequest {
            method: crate::connector::Method::Get,
            url: Url::parse(url).unwrap(),
            headers: Vec::new(),
            body: None,
        };
        with_credential(&shopify, credential.variables(None, None), request)
    };
    assert_eq!(
        call("https://acme.myshopify.com/admin/api/x").unwrap().header("x-shopify-access-token"),
        Some("at-1")
    );
    assert!(call("https://other.myshopify.com/admin/api/x").is_err(), "another shop is another tenant");

    let pairs = |hmac: &str| {
        [
            ("code", "c-1"),
            ("shop", "acme.myshopify.com"),
            ("state", "s-1"),
            ("timestamp", "1337178173"),
            ("hmac", hmac),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"secret-1");
    let mac = aws_lc_rs::hmac::sign(&key, b"code=c-1&shop=acme.myshopify.com&state=s-1&timestamp=1337178173");
    let hex: String = mac.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(check_callback(&shopify, &app(), &pairs(&hex)), Ok(()));
    let wrong = hex.replace(hex.chars().next().unwrap(), "e");
    assert!(check_callback(&shopify, &app(), &pairs(if wrong == hex { "00" } else { &wrong })).is_err());
    assert!(check_callback(&shopify, &app(), &pairs(&hex)[..4]).is_err());
}

#[test]
fn quickbooks_company_only_in_the_callback() {
    let quickbooks = define(
        r#"
        [auth]
        kind = "oauth2"
        [authorize]
        url = "https://appcenter.intuit.com/connect/oauth2"
        [token]
        url = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"
        client_auth = "basic"
        [capture]
        callback = { realmId = "company_id" }
        [api]
        base_url = "https://quickbooks.api.intuit.com/v3/company/{capture.company_id}"
        "#,
    );
    let callback = [("code".to_owned(), "c".to_owned()), ("realmId".to_owned(), "4620".to_owned())];
    assert_eq!(captures_from_callback(&quickbooks, &callback).unwrap().get("company_id"), Some("4620"));
    let missing = captures_from_callback(&quickbooks, &callback[..1]).unwrap_err();
    assert!(missing.detail.contains("realmId"));
}

#[test]
fn xero_tenants_are_chosen() {
    let xero = define(
        r#"
        [auth]
        kind = "oauth2"
        [authorize]
        url = "https://login.xero.com/identity/connect/authorize"
        [token]
        url = "https://identity.xero.com/connect/token"
        client_auth = "basic"
        [[after]]
        request = { url = "https://api.xero.com/connections" }
        save = { "/0/tenantId" = "tenant_id", "/0/tenantName" = "tenant_name" }
        choose = { value = "/tenantId", label = "/tenantName" }
        [api]
        base_url = "https://api.xero.com"
        headers = { Authorization = "Bearer {token.access}", xero-tenant-id = "{capture.tenant_id}" }
        "#,
    );
    let credential = Credential { access: Some(SecretText::new("at-1")), ..Credential::default() };
    let request = step_request(&xero, 0, credential.variables(None, None)).unwrap().unwrap();
    assert_eq!(
        (request.header("authorization"), request.header("xero-tenant-id")),
        (Some("Bearer at-1"), None)
    );
    let two = r#"[{"tenantId":"t-1","tenantName":"One"},{"tenantId":"t-2","tenantName":"Two"}]"#;
    let choice = |value: &str, label: &str| Choice { value: value.to_owned(), label: label.to_owned() };
    let offered = read_step_answer(&xero, 0, json(two), None, NOW).unwrap();
    assert_eq!(offered, StepOutcome::Choose(vec![choice("t-1", "One"), choice("t-2", "Two")]));
    let chosen = |answer: &str, value| match read_step_answer(&xero, 0, json(answer), value, NOW) {
        Ok(StepOutcome::Done(captured)) => captured.values.get("tenant_id").map(ToOwned::to_owned),
        other => panic!("{other:?}"),
    };
    assert_eq!(chosen(two, Some("t-2")).as_deref(), Some("t-2"));
    assert_eq!(
        chosen(r#"[{"tenantId":"t-1","tenantName":"One"}]"#, None).as_deref(),
        Some("t-1"),
        "the only one is taken"
    );
    let gone = read_step_answer(&xero, 0, json(two), Some("t-3"), NOW).unwrap_err();
    assert_eq!(gone.failure, Failure::StateMismatch);
    assert_eq!(
        read_step_answer(&xero, 0, json("[]"), None, NOW).unwrap_err().failure,
        Failure::MissingScopes
    );
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
fn zendesk_subdomain() {
    let zendesk = define(
        r#"
        [auth]
        kind = "oauth2"
        [[inputs]]
        key = "subdomain"
        label = "Subdomain"
        format = "subdomain"
        suffix = ".zendesk.com"
        [authorize]
        url = "https://{inputs.subdomain}.zendesk.com/oauth/authorizations/new"
        [token]
        url = "https://{inputs.subdomain}.zendesk.com/oauth/tokens"
        body = "json"
        "#,
    );
    let inputs = values(&[("subdomain", "acme")]);
    assert_eq!(page(&zendesk, &inputs).host_str(), Some("acme.zendesk.com"));
    let evil =
        authorize_url(&zendesk, &app(), &values(&[("subdomain", "evil.example/")]), "s", None, REDIRECT);
    assert_eq!(evil.unwrap_err().failure, Failure::ServerError);
    assert!(
        authorize_url(&zendesk, &app(), &Values::new(), "s", None, REDIRECT).is_err(),
        "without the input there is no address"
    );
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
fn zoho_data_centre() {
    let zoho = define(
        r#"
        [auth]
        kind = "oauth2"
        [authorize]
        url = "https://accounts.zoho.com/oauth/v2/auth"
        [token]
        url = "{capture.accounts|default:https://accounts.zoho.com}/oauth/v2/token"
        [capture]
        callback = { "accounts-server?" = "accounts", "location?" = "location" }
        token = { "/api_domain" = "base" }
        [api]
        base_url = "{capture.base}"
        hosts = ["accounts.zoho.com", "accounts.zoho.eu", "www.zohoapis.com", "www.zohoapis.eu"]
        "#,
    );
    let host = |captures: &Values| token(&zoho, &Values::new(), captures).url.host_str().unwrap().to_owned();
    assert_eq!(host(&Values::new()), "accounts.zoho.com");
    assert_eq!(host(&values(&[("accounts", "https://accounts.zoho.eu")])), "accounts.zoho.eu");
    let code = SecretText::new("c");
    let exchange = Exchange { code: &code, verifier: None, redirect_uri: REDIRECT };
    let evil = token_request(
        &zoho,
        &app(),
        &Values::new(),
        &values(&[("accounts", "https://accounts.zoho.eu.evil.example")]),
        exchange,
    );
    assert!(evil.is_err(), "a forged callback must not lead the client's secret elsewhere");
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
fn amazon_selling_partner() {
    let amazon = define(
        r#"
        [auth]
        kind = "oauth2"
        app = ["application_id"]
        [[inputs]]
        key = "region"
        label = "Region"
        enum = ["na", "eu", "fe"]
        [authorize]
        url = "https://sellercentral.amazon.com/apps/authorize/consent"
        params = { application_id = "{app.application_id}" }
        drop = ["client_id", "response_type", "scope"]
        code_param = "spapi_oauth_code"
        pkce = "off"
        [token]
        url = "https://api.amazon.com/auth/o2/token"
        [capture]
        callback = { selling_partner_id = "selling_partner_id" }
        [api]
        base_url = "https://sellingpartnerapi-{inputs.region}.amazon.com"
        hosts = ["sellingpartnerapi-{inputs.region}.amazon.com"]
        headers = { x-amz-access-token = "{token.access}" }
        "#,
    );
    let mut app = app();
    app.fields = values(&[("application_id", "amzn1.sp")]);
    let url = authorize_url(&amazon, &app, &values(&[("region", "eu")]), "s", None, REDIRECT).unwrap();
    assert_eq!(
        query(&url).keys().map(String::as_str).collect::<Vec<_>>(),
        ["application_id", "redirect_uri", "state"]
    );
    assert_eq!(amazon.authorize.unwrap().code_param, "spapi_oauth_code");
}

#[test]
fn microsoft_tenant_and_admin_consent() {
    let microsoft = define(
        r#"
        [auth]
        kind = "oauth2"
        [[inputs]]
        key = "directory"
        label = "Directory"
        default = "common"
        [authorize]
        url = "https://login.microsoftonline.com/{inputs.directory}/oauth2/v2.0/authorize"
        scope = { default = ["offline_access", "User.Read"], unlisted = ["offline_access"] }
        [token]
        url = "https://login.microsoftonline.com/{inputs.directory}/oauth2/v2.0/token"
        extract = { scope = "/scope" }
        "#,
    );
    let inputs = microsoft.check_inputs(&BTreeMap::new()).unwrap();
    assert_eq!(page(&microsoft, &inputs).path(), "/common/oauth2/v2.0/authorize");
    assert!(
        answered(&microsoft, r#"{"access_token":"a","scope":"User.Read"}"#).is_ok(),
        "offline_access is never listed"
    );
    let consent = define(
        r#"
        [auth]
        kind = "oauth2_cc"
        [authorize]
        url = "https://login.microsoftonline.com/organizations/v2.0/adminconsent"
        code_param = "tenant"
        [token]
        url = "https://login.microsoftonline.com/{capture.directory}/oauth2/v2.0/token"
        params = { scope = "https://graph.microsoft.com/.default" }
        [refresh]
        grant = "repeat"
        [capture]
        callback = { tenant = "directory" }
        "#,
    );
    let credential = Credential { captures: values(&[("directory", "d-1")]), ..Credential::default() };
    let request = refresh_request(&consent, &app(), &credential).unwrap();
    assert_eq!(request.url.path(), "/d-1/oauth2/v2.0/token");
    assert_eq!(
        (form(&request)["grant_type"].as_str(), form(&request)["scope"].as_str()),
        ("client_credentials", "https://graph.microsoft.com/.default")
    );
}

#[test]
fn jira_audience_and_cloud_id() {
    let jira = define(
        r#"
        [auth]
        kind = "oauth2"
        [authorize]
        url = "https://auth.atlassian.com/authorize"
        params = { audience = "api.atlassian.com", prompt = "consent" }
        [token]
        url = "https://auth.atlassian.com/oauth/token"
        body = "json"
        [[after]]
        request = { url = "https://api.atlassian.com/oauth/token/accessible-resources" }
        save = { "/0/id" = "cloud_id" }
        choose = { value = "/id", label = "/name" }
        [api]
        base_url = "https://api.atlassian.com/ex/jira/{capture.cloud_id}"
        headers = { Authorization = "Bearer {token.access}" }
        "#,
    );
    assert_eq!(query(&page(&jira, &Values::new()))["audience"], "api.atlassian.com");
    let StepOutcome::Done(captured) =
        read_step_answer(&jira, 0, json(r#"[{"id":"c-1","name":"acme"}]"#), None, NOW).unwrap()
    else {
        panic!()
    };
    assert_eq!(captured.values.get("cloud_id"), Some("c-1"));
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
