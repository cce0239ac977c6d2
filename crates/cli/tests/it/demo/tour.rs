//! The tour as a newcomer takes it, in a browser that blocks third-party cookies and unasked windows.

use super::visitor::Running;
use std::time::Duration;
use testkit::browser::{Browser, Options, Scheme};
use thirtyfour::By;
use thirtyfour::prelude::*;

const SOON: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(50);

/// Waits until the page has it, and clicks it.
async fn click(browser: &Browser, selector: &str) {
    let found = browser.query(By::Css(selector)).wait(SOON, GLANCE).first().await;
    let element = found.unwrap_or_else(|_| panic!("{selector} never came"));
    // The page scrolls smoothly, and a click in the middle of that would miss.
    let there = "arguments[0].scrollIntoView({ behavior: 'instant', block: 'center' })";
    browser.execute(there, vec![element.to_json().unwrap()]).await.unwrap();
    element.click().await.unwrap();
}

async fn sees(browser: &Browser, selector: &str) {
    let found = browser.query(By::Css(selector)).wait(SOON, GLANCE).first().await;
    assert!(found.is_ok(), "{selector} never came");
}

/// Nothing keeps anybody out, in light and dark, at a desk and on a telephone.
async fn inspect(browser: &Browser, name: &str) {
    for (scheme, width) in [(Scheme::Light, 1280), (Scheme::Dark, 360)] {
        browser.scheme(scheme).await.unwrap();
        browser.resize(width, 900).await.unwrap();
        let found = browser.axe().await.unwrap();
        assert!(found.is_empty(), "{name}, {scheme:?}, {width}: {found:#?}");
        let over = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        let over: i64 = browser.execute(over, Vec::new()).await.unwrap().convert().unwrap();
        assert_eq!(over, 0, "{name} is wider than {width}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tour_leads_to_a_connection_and_a_webhook() {
    let demo = Running::start().await;
    let browser = Browser::start(&Options { block_popups: true, ..Options::default() }).await;
    browser.goto(demo.origin("tour")).await.unwrap();
    inspect(&browser, "tour").await;
    let tour = browser.window().await.unwrap();

    click(&browser, "[data-step=signed_in] a").await;
    let acme = browser.enter_new_window(std::slice::from_ref(&tour)).await.unwrap();
    sees(&browser, "button[value=anna]").await;
    inspect(&browser, "Acme's sign-in").await;
    click(&browser, "button[value=anna]").await;
    sees(&browser, ".cards").await;
    inspect(&browser, "Acme's integrations").await;

    click(&browser, "[data-connect=harbor]").await;
    sees(&browser, "#connect iframe").await;
    browser.enter("#connect iframe").await.unwrap();
    click(&browser, "a[data-popup]").await;
    browser.enter_new_window(&[tour.clone(), acme.clone()]).await.unwrap();
    sees(&browser, "button[value=northwind]").await;
    inspect(&browser, "Harbor's sign-in").await;
    click(&browser, "button[value=northwind]").await;
    sees(&browser, "button[value=approve]").await;
    inspect(&browser, "Harbor's consent").await;
    click(&browser, "button[value=approve]").await;

    browser.switch_to_window(acme).await.unwrap();
    sees(&browser, "#message:not([hidden])").await;
    sees(&browser, "[data-connector=harbor] .on").await;
    let from = browser.find(By::Id("from")).await.unwrap().text().await.unwrap();
    assert_eq!(from, demo.origin("connect"));
    inspect(&browser, "Acme, connected").await;
    let errors = browser.console_errors().await.unwrap();
    assert!(errors.is_empty(), "{errors:#?}");

    browser.switch_to_window(tour).await.unwrap();
    sees(&browser, "[data-step=connected].is-done").await;
    click(&browser, "#send").await;
    sees(&browser, "[data-step=webhook_arrived].is-done").await;
    sees(&browser, "[data-step=ran_for_webhook].is-done").await;
    let story = "return document.getElementById('lines').textContent";
    let story: String = browser.execute(story, Vec::new()).await.unwrap().convert().unwrap();
    for told in
        ["The integration ran for the first time", "A deal was won: ", "1 won so far", "for this run: ***"]
    {
        assert!(story.contains(told), "{told} is not in {story}");
    }
    inspect(&browser, "the tour's end").await;
    for site in ["ledger", "harbor"] {
        browser.goto(demo.origin(site)).await.unwrap();
        inspect(&browser, site).await;
    }
    browser.goto(format!("{}/tenants", demo.origin("tour"))).await.unwrap();
    inspect(&browser, "the tenants").await;
    browser.goto(format!("{}/runs", demo.origin("tour"))).await.unwrap();
    assert!(browser.source().await.unwrap().contains("Succeeded"));
    inspect(&browser, "the runs").await;
    let errors = browser.console_errors().await.unwrap();
    assert!(errors.is_empty(), "{errors:#?}");
    drop(browser);
    demo.stop().await;
}

/// Takes the demo's own two minutes: its schedule fires at full minutes and its tokens are renewed after one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_click_the_schedule_fires_and_the_token_is_renewed() {
    let demo = Running::start().await;
    let anna = demo.visitor();
    super::visit::connects(&demo, &anna).await;
    let browser = Browser::start(&Options::default()).await;
    browser.goto(demo.origin("tour")).await.unwrap();
    for step in ["schedule_fired", "renewed"] {
        let selector = format!("[data-step={step}].is-done");
        let found = browser.query(By::Css(&selector)).wait(Duration::from_secs(120), GLANCE).first().await;
        assert!(found.is_ok(), "{selector} never came");
    }
    drop(browser);
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tour_leads_through_the_second_door() {
    let demo = Running::start().await;
    let browser = Browser::start(&Options { block_popups: true, ..Options::default() }).await;
    browser.goto(demo.origin("tour")).await.unwrap();
    let tour = browser.window().await.unwrap();

    click(&browser, "[data-step=portal_signed_in] a").await;
    let meridian = browser.enter_new_window(std::slice::from_ref(&tour)).await.unwrap();
    sees(&browser, "button[value=m-1001]").await;
    inspect(&browser, "Meridian's sign-in").await;
    click(&browser, "button[value=m-1001]").await;
    sees(&browser, "[data-open=AG-ROSA]").await;
    inspect(&browser, "Meridian's businesses").await;

    click(&browser, "[data-open=AG-ROSA]").await;
    sees(&browser, "#guest").await;
    assert!(browser.current_url().await.unwrap().as_str().starts_with(&demo.origin("beacon")));
    inspect(&browser, "Beacon's invoices").await;

    // Another account is Meridian's to refuse.
    browser.goto(format!("{}/accounts/AG-BLUEDOOR", demo.origin("beacon"))).await.unwrap();
    inspect(&browser, "not hers to open").await;
    assert!(browser.source().await.unwrap().contains("has no"));

    browser.goto(demo.origin("meridian")).await.unwrap();
    click(&browser, "form[action='/logout'] button").await;
    sees(&browser, "button[value=m-1001]").await;
    browser.switch_to_window(tour).await.unwrap();
    for step in ["portal_signed_in", "entered", "left"] {
        sees(&browser, &format!("[data-step={step}].is-done")).await;
    }
    inspect(&browser, "the tour's end").await;

    // Beacon has ended its session by itself, and whoever comes anew signs in at Meridian on the way.
    browser.switch_to_window(meridian).await.unwrap();
    browser.goto(format!("{}/accounts/AG-ROSA", demo.origin("beacon"))).await.unwrap();
    sees(&browser, "button[value=m-1001]").await;
    click(&browser, "button[value=m-1001]").await;
    sees(&browser, "#guest").await;
    click(&browser, "form[action='/logout'] button").await;
    sees(&browser, "main h1").await;
    assert_eq!(
        browser.current_url().await.unwrap().as_str(),
        format!("{}/signed-out", demo.origin("beacon"))
    );
    inspect(&browser, "signed out of Beacon").await;
    drop(browser);
    demo.stop().await;
}
