//! Where an account lives: its host, its region, its number, and who finds that out.

use super::*;

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
