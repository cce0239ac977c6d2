//! The way into an app in a real browser, which holds our content security policy against every form: login at the
//! partner, consent, another person's entry, signing out.

use super::visit::{Visit, account};
use kernel::Environment;
use std::time::Duration;
use testkit::browser::{Browser, Options};
use testkit::enter_app::Registration;
use testkit::enter_partner::Ordered;
use testkit::world::{Engine, World};
use thirtyfour::prelude::*;

const SOON: Duration = Duration::from_secs(30);

/// The page's text, once it says this.
async fn says(browser: &Browser, wanted: &str) {
    let found = async {
        loop {
            let body = browser.find(By::Tag("body")).await;
            let text = match body {
                Ok(body) => body.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            if text.contains(wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    };
    if tokio::time::timeout(SOON, found).await.is_err() {
        let (url, page) = (browser.current_url().await, browser.source().await.unwrap_or_default());
        panic!("`{wanted}` was never said at {url:?}: {page} {:?}", browser.console_errors().await);
    }
}

async fn click(browser: &Browser, selector: &'static str) {
    browser.find(By::Css(selector)).await.unwrap().click().await.unwrap();
}

async fn is_without_barriers(browser: &Browser) {
    let found = browser.axe().await.unwrap();
    assert!(found.is_empty(), "{found:#?}");
}

async fn goes_in_and_out(scripts: bool) {
    let world = World::build(Engine::Sqlite).system_clock().start().await;
    let how = Registration { pre_approved: false, ..Registration::default() };
    let visit = Visit::with(&world, true, how).await;
    let browser = Browser::start(&Options { scripts, ..Options::default() }).await;
    browser.goto(visit.app.login(&[("account_id", "AG-1")])).await.unwrap();
    says(&browser, "Sign in to the portal").await;
    browser.find(By::Css("input[name=user]")).await.unwrap().send_keys("anna").await.unwrap();
    click(&browser, "button").await;
    says(&browser, "Let App MP-1 know who you are?").await;
    if scripts {
        is_without_barriers(&browser).await;
    }
    // `form-action 'self'` must not stop what follows: the app stands at another origin.
    click(&browser, "button[value=allow]").await;
    says(&browser, "signed in as U-").await;
    assert!(
        browser
            .current_url()
            .await
            .unwrap()
            .as_str()
            .starts_with(&format!("{}/callback?code=", visit.app.origin))
    );

    let ordered = Ordered::new("ben", &visit.app.id, &account("AG-1"));
    browser.goto(visit.partner.entry_url(&ordered).await.unwrap()).await.unwrap();
    says(&browser, "Continue as ben?").await;
    if scripts {
        is_without_barriers(&browser).await;
    }
    click(&browser, "button.primary").await;
    says(&browser, "a page of the app's").await;

    let logout = format!("{}/oauth2/logout?client_id=client-MP-1", world.url(Environment::Sandbox));
    let bye: String =
        url::form_urlencoded::byte_serialize(format!("{}/bye", visit.app.origin).as_bytes()).collect();
    browser.goto(format!("{logout}&post_logout_redirect_uri={bye}")).await.unwrap();
    says(&browser, "Sign out?").await;
    if scripts {
        is_without_barriers(&browser).await;
    }
    click(&browser, "button.primary").await;
    says(&browser, "a page of the app's").await;
    assert_eq!(world.count("sessions WHERE ended_at IS NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consent_a_change_of_user_and_signing_out_get_past_the_policy_of_our_forms() {
    goes_in_and_out(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_it_works_without_scripts() {
    goes_in_and_out(false).await;
}
