//! A visit without a browser: every hop from Acme's sign-in to the webhook.

use super::visitor::{Running, Visitor, leads_to, text};
use outbound::Request;
use serde_json::{Value, json};
use url::Url;

/// Anna at Acme, with the page of a system open in its frame: the dialog's address.
async fn opens(demo: &Running, anna: &Visitor, connector: &str) -> (String, Value) {
    let acme = demo.origin("acme");
    let signed_in = anna.post_form(&format!("{acme}/login"), &[("person", "anna")]).await;
    assert_eq!(leads_to(&signed_in), format!("{acme}/integrations"));
    let made =
        anna.post_json(&format!("{acme}/integrations/token"), &json!({ "connector": connector })).await;
    let made: Value = made.json().unwrap();
    (leads_to(&lands(anna, &made).await), made)
}

/// The landing as the embed script opens it: a form posted into a frame.
async fn lands(anna: &Visitor, made: &Value) -> outbound::Response {
    let request = Request::post(Url::parse(made["url"].as_str().unwrap()).unwrap());
    let request = request.form([("tenant", made["token"].as_str().unwrap())]).accept("text/html");
    anna.send(request, &[("sec-fetch-dest", "iframe"), ("sec-fetch-site", "cross-site")]).await
}

/// From the dialog's button to Harbor's question: the address of the consent.
async fn asked_at_harbor(anna: &Visitor, dialog: &str, account: &str) -> String {
    let page = text(&anna.get(dialog, &[]).await);
    let start = page.split("href=\"").find(|rest| rest.starts_with("/start/")).unwrap();
    let start = Url::parse(dialog).unwrap().join(start.split('"').next().unwrap()).unwrap();
    let started = anna.get(start.as_str(), &[("sec-fetch-site", "same-origin")]).await;
    let consent = leads_to(&anna.get(&leads_to(&started), &[]).await);
    let page = anna.get(&consent, &[]).await;
    assert!(text(&page).contains("Sign in to Harbor"));
    let path = Url::parse(&consent).unwrap().path().to_owned();
    let sign_in = Url::parse(&consent).unwrap().join("/signin").unwrap();
    let signed_in = anna.post_form(sign_in.as_str(), &[("account", account), ("next", &path)]).await;
    assert_eq!(leads_to(&signed_in), consent);
    consent
}

async fn decides(anna: &Visitor, consent: &str, decision: &str) -> outbound::Response {
    let decided = anna.post_form(consent, &[("decision", decision)]).await;
    anna.get(&leads_to(&decided), &[]).await
}

/// Anna with Harbor connected.
pub(super) async fn connects(demo: &Running, anna: &Visitor) {
    let (dialog, _) = opens(demo, anna, "harbor").await;
    let consent = asked_at_harbor(anna, &dialog, "northwind").await;
    assert_eq!(decides(anna, &consent, "approve").await.status, 200);
    let confirmed = anna.post_json(&format!("{dialog}/confirm"), &json!({})).await;
    assert_eq!(confirmed.json::<Value>().unwrap()["stage"], "success");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_connects_harbor_and_a_webhook_arrives() {
    let demo = Running::start().await;
    let anna = demo.visitor();
    let story = format!("{}/story", demo.origin("tour"));
    let reader = demo.visitor();
    let reading = tokio::spawn(async move { text(&reader.get(&story, &[]).await) });

    let (dialog, made) = opens(&demo, &anna, "harbor").await;
    let consent = asked_at_harbor(&anna, &dialog, "northwind").await;
    let back = decides(&anna, &consent, "approve").await;
    assert_eq!(back.status, 200, "{}", text(&back));
    let confirmed = anna.post_json(&format!("{dialog}/confirm"), &json!({})).await;
    assert_eq!(confirmed.json::<Value>().unwrap()["stage"], "success");

    let told = anna.post_json(&format!("{dialog}/announcement"), &json!({})).await;
    let told: Value = told.json().unwrap();
    let message = &told["messages"][0];
    assert_eq!(message["targetOrigin"], demo.origin("acme"));
    assert_eq!(message["data"]["message"], "vestibule-success");
    let status = &message["data"]["tenant"]["status"]["auth"];
    assert_eq!(
        (&status["HARBOR_AUTH_STATUS"], &status["ACME_AUTH_STATUS"]),
        (&json!("Connected"), &json!("Connected"))
    );

    let acme = demo.origin("acme");
    let tenant = json!({ "tenant": message["data"]["tenant"]["id"] });
    assert_eq!(anna.post_json(&format!("{acme}/integrations/connected"), &tenant).await.status, 200);
    let page = text(&anna.get(&format!("{acme}/integrations"), &[]).await);
    assert!(page.contains("<span class=\"on\">Connected</span>") && page.contains("tenant 1"), "{page}");

    let sent = anna.post_json(&format!("{}/webhook", demo.origin("tour")), &json!({})).await;
    assert_eq!(sent.json::<Value>().unwrap()["sent"], true);
    let harbor = text(&anna.get(&demo.origin("harbor"), &[]).await);
    assert!(harbor.contains("202 accepted"), "{harbor}");
    let tenants = text(&anna.get(&format!("{}/tenants", demo.origin("tour")), &[]).await);
    assert!(tenants.contains("anna-northwind-example-harbor-sync"), "{tenants}");
    // Replayed, the token is refused.
    assert_eq!(lands(&anna, &made).await.status, 401);

    let folder = demo.folder.clone();
    assert!(folder.join("vestibule.db").exists());
    demo.stop().await;
    assert!(!folder.exists(), "nothing stays behind");
    told_in_order(&reading.await.unwrap());
}

/// The stream ended with the demo; each line came once, and no secret is in any.
fn told_in_order(story: &str) {
    let lines: Vec<Value> = story
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // Runs come when they come.
    let lines: Vec<Value> = lines.into_iter().filter(|line| line["detail"][0] != "Its log").collect();
    let titles: Vec<&str> = lines.iter().map(|line| line["title"].as_str().unwrap()).collect();
    let wanted = [
        "Anna signed in",
        "Signed a token for Anna",
        "Verified the token, opened a dialog",
        "Sent the person to harbor.localhost",
        "Acme was let in",
        "Swapped the code for tokens",
        "Welcomed the person back",
        "Took a webhook's address",
        "Was asked who this is",
        "Sealed the credential",
        "Installed the tenant",
        "Told the parent window",
        "Heard of it, and made sure",
        "Sent a webhook",
        "A webhook arrived",
        "Refused a token",
    ];
    assert_eq!(titles, wanted);
    let reached: Vec<&str> = lines.iter().filter_map(|line| line["milestone"].as_str()).collect();
    assert_eq!(reached, ["signed_in", "connected", "webhook_arrived"]);
    for secret in ["eyJhbGci", "hbr_whsec_", "\"client_secret\""] {
        assert!(!story.contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_and_the_wrong_account_are_told_as_what_they_are() {
    let demo = Running::start().await;
    for (account, decision, failure) in
        [("northwind", "deny", "user_denied"), ("fabrikam", "approve", "wrong_account")]
    {
        let anna = demo.visitor();
        let (dialog, _) = opens(&demo, &anna, "harbor").await;
        let consent = asked_at_harbor(&anna, &dialog, account).await;
        assert_eq!(decides(&anna, &consent, decision).await.status, 400);
        let told = anna.post_json(&format!("{dialog}/announcement"), &json!({})).await;
        assert_eq!(told.json::<Value>().unwrap()["messages"][0]["data"]["code"], failure);
        // Harbor's question is answered once.
        assert_eq!(anna.post_form(&consent, &[("decision", "approve")]).await.status, 400);
    }
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ledger_takes_its_own_key_only() {
    let demo = Running::start().await;
    let anna = demo.visitor();
    let (dialog, _) = opens(&demo, &anna, "ledger").await;
    let page = text(&anna.get(&demo.origin("ledger"), &[]).await);
    let key = page.split("id=\"key\">").nth(1).unwrap().split('<').next().unwrap();
    let enters = async |key: &str| {
        let origin = demo.origin("connect");
        let request = Request::post(Url::parse(&format!("{dialog}/inputs")).unwrap());
        let request = request.form([("api_key", key)]).accept("application/json");
        let answer: Value = anna.send(request, &[("origin", &origin)]).await.json().unwrap();
        answer["stage"].as_str().unwrap().to_owned()
    };
    assert_ne!(enters("ldg_wrong").await, "success");
    assert_eq!(enters(key).await, "success");
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_site_guards_its_own() {
    let demo = Running::start().await;
    let anna = demo.visitor();
    let stranger =
        anna.get(&format!("{}/api/me", demo.origin("acme")), &[("authorization", "Bearer x")]).await;
    assert_eq!(stranger.status, 401);
    let token = format!("{}/integrations/token", demo.origin("acme"));
    assert_eq!(anna.post_json(&token, &json!({ "connector": "harbor" })).await.status, 401);
    let url = format!(
        "{}/oauth/authorize?client_id=acme-desk&redirect_uri=http://evil.example",
        demo.origin("harbor")
    );
    assert_eq!(anna.get(&url, &[]).await.status, 400);
    let foreign = Request::post(Url::parse(&format!("{}/webhook", demo.origin("tour"))).unwrap());
    assert_eq!(anna.send(foreign, &[("origin", "http://evil.example")]).await.status, 403);
    assert_eq!(anna.get(&demo.origin("other"), &[]).await.status, 421);
    let bare = demo.origin("x").replace("x.localhost", "localhost");
    assert_eq!(leads_to(&anna.get(&bare, &[]).await), format!("{}/", demo.origin("tour")));
    demo.stop().await;
}
