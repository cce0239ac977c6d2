//! The authorize request as a stranger may write it.

use super::visit::{Visit, account};
use kernel::Environment;
use reqwest::Method;
use testkit::enter_partner::Ordered;
use testkit::on_both;
use testkit::surfer::Surfer;
use testkit::world::{Answer, World};

/// A good request of the app's, as pairs.
async fn request(world: &World, visit: &Visit) -> Vec<(String, String)> {
    let login = visit.app.login(&[("account_id", "AG-1")]).parse().unwrap();
    let answer = Surfer::new(world).step(&Method::GET, &login, &[]).await;
    answer.location_url().query_pairs().into_owned().collect()
}

fn with(request: &[(String, String)], name: &str, value: &str) -> String {
    let kept =
        request.iter().filter(|(key, _)| key != name).map(|(key, value)| (key.as_str(), value.as_str()));
    let pairs = kept.chain([(name, value)]);
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

async fn asks(world: &World, query: &str) -> Answer {
    world.person().get(&format!("/oauth2/auth?{query}")).await
}

/// Sixty ways in which an address differs from the registered `http://127.0.0.1:PORT/callback`.
fn mutations(registered: &str) -> Vec<String> {
    let rest = registered.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let (name, port) = host.split_once(':').unwrap();
    let mut all: Vec<String> = [
        format!("https://{rest}"),
        format!("HTTP://{rest}"),
        format!("http:{rest}"),
        format!("http:/{rest}"),
        format!("http:///{rest}"),
        format!("//{rest}"),
        rest.to_owned(),
        format!("/{path}"),
        format!("javascript:alert(1)//{rest}"),
        format!("data:text/html,{rest}"),
        format!("http://user@{rest}"),
        format!("http://user:pass@{rest}"),
        format!("http://{name}@evil.example/{path}"),
        format!("http://{host}@evil.example/{path}"),
        format!("http://{name}:80@evil.example/{path}"),
        format!("http://evil.example#@{rest}"),
        format!("http://evil.example\\@{rest}"),
        format!("http://evil.example?@{rest}"),
        format!("http://{name}.evil.example:{port}/{path}"),
        format!("http://evil{host}/{path}"),
        format!("http://{name}.:{port}/{path}"),
        format!("http://{name}/{path}"),
        format!("http://{name}:1/{path}"),
        format!("http://{name}:{port}0/{path}"),
        format!("http://{name}:0{port}/{path}"),
        format!("http://localhost:{port}/{path}"),
        format!("http://[::1]:{port}/{path}"),
        format!("http://0x7f.1:{port}/{path}"),
        format!("http://127.1:{port}/{path}"),
        format!("http://2130706433:{port}/{path}"),
        format!("http://{host}\u{3002}evil.example/{path}"),
    ]
    .into();
    for tail in [
        "/",
        "/x",
        "x",
        "?",
        "?x=1",
        "#",
        "#x",
        "%20",
        "%00",
        "%0d%0aLocation:%20x",
        ";x",
        ".",
        "..",
        "/..",
        "/../callback",
        "/..%2f",
        "/%2e%2e/callback",
        "%2f",
        "%252f",
        "\\",
        "\t",
        " ",
        "*",
        "%23",
        "/./",
    ] {
        all.push(format!("{registered}{tail}"));
    }
    for other in [
        "Callback",
        "CALLBACK",
        "/callback",
        "./callback",
        "x/../callback",
        "x/..;/callback",
        "%63allback",
        "callbac",
    ] {
        all.push(format!("http://{host}/{other}"));
    }
    all.extend([
        String::new(),
        "*".to_owned(),
        "http://evil.example/".to_owned(),
        "\thttp://evil.example/".to_owned(),
    ]);
    all
}

on_both! {
    async fn lesson_1_no_mutation_of_a_redirect_uri_leads_anywhere(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.inside(&world, "anna").await;
        let good = request(&world, &visit).await;
        let registered = format!("{}/callback", visit.app.origin);
        let rows = mutations(&registered);
        assert!(rows.len() >= 60, "{}", rows.len());
        for uri in rows {
            let answer = anna.at_gateway.get(&format!("/oauth2/auth?{}", with(&good, "redirect_uri", &uri))).await;
            assert_eq!((answer.status, answer.header("location")), (400, ""), "{uri:?}");
            assert!(answer.text().contains("id=\"reference\""), "{uri:?}");
        }
        let answer = anna.at_gateway.get(&format!("/oauth2/auth?{}", with(&good, "redirect_uri", &registered))).await;
        assert!(answer.location().starts_with(&format!("{registered}?code=vst_ac_")), "{}", answer.location());
    }

    async fn lesson_2_a_wildcard_matches_nothing_but_itself(world: World) {
        let visit = Visit::of(&world, true).await;
        world.change("UPDATE clients SET version = version + 1, redirect_uris = '[\"https://*.example.com/cb\",\"https://foo.example.com/*\"]'").await;
        let good = request(&world, &visit).await;
        for uri in ["https://a.example.com/cb", "https://foo.example.com/x", "https://fooaexample.com/", "https://foo.example.com/"] {
            let answer = asks(&world, &with(&good, "redirect_uri", uri)).await;
            assert_eq!((answer.status, answer.header("location")), (400, ""), "{uri}");
        }
    }

    async fn lesson_4_no_response_mode_gets_past_the_checks(world: World) {
        let visit = Visit::of(&world, true).await;
        let good = request(&world, &visit).await;
        let registered = format!("{}/callback", visit.app.origin);
        for mode in ["fragment", "form_post", "form_post.jwt", "query.jwt", "jwt", "web_message", "x"] {
            let answer = asks(&world, &with(&good, "response_mode", mode)).await;
            assert!(answer.location().starts_with(&format!("{registered}?error=invalid_request")), "{mode}");
            assert!(!answer.location().contains('#'));
            for uri in mutations(&registered).iter().step_by(7) {
                let query = with(&good, "redirect_uri", uri);
                let answer = asks(&world, &format!("{query}&response_mode={mode}")).await;
                assert_eq!((answer.status, answer.header("location")), (400, ""), "{mode} {uri}");
            }
        }
    }

    async fn lesson_5_a_parameter_that_stands_twice_is_refused(world: World) {
        let visit = Visit::of(&world, true).await;
        let good = request(&world, &visit).await;
        let query = with(&good, "ui_locales", "en");
        for (name, _) in &good {
            let answer = asks(&world, &format!("{query}&{name}=x")).await;
            assert_eq!((answer.status, answer.header("location")), (400, ""), "{name}");
            assert!(answer.text().contains("request_parameters"), "{name}");
        }
        let many: String = (0..120).map(|at| format!("&p{at}=1")).collect();
        assert_eq!(asks(&world, &format!("{query}{many}")).await.status, 400);
    }

    async fn request_objects_are_refused_and_unknown_parameters_ignored(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.inside(&world, "anna").await;
        let good = request(&world, &visit).await;
        for (name, value, error) in [
            ("request", "eyJhbGciOiJub25lIn0.e30.", "request_not_supported"),
            ("request", "eyJhbGciOiJSUzI1NiJ9.e30.AAAA", "request_not_supported"),
            ("request_uri", "https://evil.example/request.jwt", "request_uri_not_supported"),
            ("response_type", "token", "unsupported_response_type"),
            ("response_type", "code id_token", "unsupported_response_type"),
            ("scope", "profile", "invalid_scope"),
            ("code_challenge_method", "plain", "invalid_request"),
            ("prompt", "none login", "invalid_request"),
            ("max_age", "-1", "invalid_request"),
            ("claims", "[1]", "invalid_request"),
        ] {
            let answer = asks(&world, &with(&good, name, value)).await;
            assert!(answer.location().contains(&format!("?error={error}&")), "{name}={value}: {}", answer.location());
            assert!(answer.location().contains("&state=") && answer.location().contains("&iss="), "{}", answer.location());
        }
        let query = with(&good, "whatever", "\"><svg onload=alert(1)>");
        let answer = anna.at_gateway.get(&format!("/oauth2/auth?{query}")).await;
        assert!(answer.location().contains("?code="), "{}", answer.location());
        let pushed = with(&good, "request_uri", "urn:ietf:params:oauth:request_uri:vst_AAAA");
        let answer = asks(&world, &pushed).await;
        assert_eq!((answer.status, answer.header("location")), (400, ""));
    }

    async fn a_pushed_request_is_answered_once_and_for_its_own_client(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.inside(&world, "anna").await;
        let good = request(&world, &visit).await;
        let push = async || {
            let mut fields: Vec<(&str, &str)> =
                good.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            fields.push(("client_secret", &visit.app.secret));
            let answer = world.person().ask(Method::POST, "/oauth2/par").json().form(&fields).await;
            assert_eq!(answer.status, 201, "{}", answer.text());
            answer.json()["request_uri"].as_str().unwrap().to_owned()
        };
        let asks = async |uri: &str, client: &str, more: &str| {
            let uri: String = url::form_urlencoded::byte_serialize(uri.as_bytes()).collect();
            anna.at_gateway.get(&format!("/oauth2/auth?client_id={client}&request_uri={uri}{more}")).await
        };
        let uri = push().await;
        for client in ["client-MP-2", ""] {
            let answer = asks(&uri, client, "").await;
            assert_eq!((answer.status, answer.header("location")), (400, ""), "{client}");
        }
        // What stands beside the reference counts for nothing.
        let answer = asks(&uri, "client-MP-1", "&redirect_uri=https%3A%2F%2Fevil.example%2F&scope=x&prompt=none").await;
        assert!(answer.location().starts_with(&format!("{}/callback?code=", visit.app.origin)), "{}", answer.location());
        for more in ["", "&prompt=none"] {
            let answer = asks(&uri, "client-MP-1", more).await;
            assert_eq!((answer.status, answer.header("location")), (400, ""), "used{more}");
        }
        let late = push().await;
        world.pass_seconds(90);
        let answer = asks(&late, "client-MP-1", "").await;
        assert_eq!((answer.status, answer.header("location")), (400, ""), "late");
    }

    async fn authorize_may_be_asked_by_post(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.inside(&world, "anna").await;
        let good = request(&world, &visit).await;
        let fields: Vec<(&str, &str)> = good.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // From another site: without the session's cookie, which comes along with the GET that follows.
        let posted = world.person().ask(Method::POST, "/oauth2/auth").header("origin", "https://app.example").form(&fields).await;
        assert_eq!(posted.status, 303);
        let answer = anna.at_gateway.get(posted.location()).await;
        assert!(answer.location().contains("?code="), "{}", answer.location());
        let json = world.person().ask(Method::POST, "/oauth2/auth").body("application/json", "{}").await;
        assert_eq!((json.status, json.header("location")), (400, ""));
        let huge = "x".repeat(20_000);
        let huge = world.person().ask(Method::POST, "/oauth2/auth").form(&[("claims", huge.as_str())]).await;
        assert_eq!(huge.status, 400);
    }

    async fn lesson_22_no_header_changes_an_address_of_ours(world: World) {
        let visit = Visit::of(&world, true).await;
        let good = request(&world, &visit).await;
        let query = with(&good, "prompt", "none");
        let entry = visit.entry("anna").await;
        for (name, value) in [
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "host=evil.example;proto=https"),
            ("x-original-host", "evil.example"),
            ("x-host", "evil.example"),
        ] {
            let answer = world.person().get(&format!("/oauth2/auth?{query}")).header(name, value).await;
            assert!(answer.location().contains("iss=http%3A%2F%2Fsandbox.localhost"), "{name}: {}", answer.location());
            let sent = world.person().get(&format!("/oauth2/auth?{}", with(&good, "ui_locales", "de"))).header(name, value).await;
            let next = sent.location_url().query_pairs().find(|(key, _)| key == "nextUrl").unwrap().1.into_owned();
            assert!(next.starts_with(&format!("{}/enter/continue?pending=", world.url(Environment::Sandbox))), "{name}: {next}");
            assert!(!sent.header("set-cookie").contains("Secure"), "{name}");
        }
        assert_eq!(world.person().get(&entry).header("host", "evil.example").await.status, 421);
        assert_eq!(world.count("entry_codes WHERE redeemed_at IS NOT NULL").await, 0);
    }

    async fn what_a_request_says_stands_on_no_page_as_markup(world: World) {
        let visit = Visit::of(&world, true).await;
        let bad = "\"><svg onload=alert(1)>";
        let encoded: String = url::form_urlencoded::byte_serialize(bad.as_bytes()).collect();
        let anna = visit.inside(&world, "anna").await;
        for path in [
            format!("/oauth2/auth?client_id={encoded}&redirect_uri={encoded}&state={encoded}"),
            format!("/enter?code={encoded}&nextUrl={encoded}"),
            format!("/enter/continue?pending={encoded}"),
            format!("/service-gateway?serviceProviderId={encoded}&account_id={encoded}&path={encoded}"),
            format!("/oauth2/logout?id_token_hint={encoded}&state={encoded}"),
            format!("/oauth2/logout?x={encoded}"),
        ] {
            let text = anna.at_gateway.get(&path).await.text();
            assert!(!text.contains("<svg onload"), "{path}: {text}");
        }
        // A user whose name at the partner is markup.
        let ordered = Ordered::new(bad, &visit.app.id, &account("AG-1"));
        let asked = anna.at_gateway.get(&visit.partner.entry_url(&ordered).await.unwrap()).await.text();
        assert!(asked.contains("&#60;svg") || asked.contains("&lt;svg"), "{asked}");
        assert!(!asked.contains("<svg onload"), "{asked}");
    }

    async fn cookies_are_for_this_host_alone_and_out_of_reach_of_scripts(world: World) {
        let visit = Visit::of(&world, true).await;
        let answer = world.person().get(&visit.entry("anna").await).await;
        let cookies: Vec<&str> = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
        assert!(cookies.iter().any(|line| line.starts_with("vst_session=vst_se_")), "{cookies:?}");
        for line in cookies {
            assert!(line.contains("; HttpOnly; SameSite=Lax") && line.contains("; Path=/;") && !line.contains("Domain"), "{line}");
        }
        let place = service::Place::new(Environment::Production, "https://gateway.example").unwrap();
        let line = web::cookies::set_everywhere(&place, "vst_session", "x", 5);
        assert_eq!(line, "__Host-vst_session=x; Path=/; Max-Age=5; HttpOnly; SameSite=Lax; Secure");
    }
}
