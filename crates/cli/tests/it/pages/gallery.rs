//! Every page in every state, as its sample shows it, under axe.

use super::deadline::{LONG, within};
use axum::Router;
use axum::extract::{Path, Query};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;
use testkit::browser::{Browser, Options};
use testkit::node;
use web::pages::{Scheme, gallery};
use web::texts::Locale;

/// The narrowest screen that pages are made for (WCAG 2.2, 1.4.10).
const NARROWEST: u32 = 320;

/// Shows one page after the other in a frame of the narrowest width and lets axe look at it there: one call of
/// the driver for all of them. A page that is wider than its frame is a violation too.
const SWEEP: &str = "
    const [pages, width, tags, done] = arguments;
    const look = async (page) => {
        const frame = document.createElement('iframe');
        frame.title = page;
        frame.width = width;
        frame.height = 800;
        const loaded = new Promise((resolve) => { frame.onload = resolve; });
        frame.src = page;
        document.body.append(frame);
        await loaded;
        const inside = frame.contentDocument;
        const script = inside.createElement('script');
        const ready = new Promise((resolve) => { script.onload = resolve; });
        script.src = '/axe.js';
        inside.head.append(script);
        await ready;
        const options = {runOnly: tags, resultTypes: ['violations']};
        const found = (await frame.contentWindow.axe.run(inside, options)).violations.map((violation) =>
            `${page}: ${violation.id}: ${violation.nodes.map((node) => node.html).join(' ')}`);
        const wide = inside.documentElement.scrollWidth;
        if (wide > width) found.push(`${page}: ${wide} px wide`);
        if (inside.querySelectorAll('h1').length !== 1) found.push(`${page}: not exactly one h1`);
        frame.remove();
        return found;
    };
    (async () => {
        const found = [];
        for (const page of pages) found.push(...await look(page));
        return found;
    })().then(done, (error) => done([String(error)]));";

/// A room for the samples alone, without the policy that keeps axe out of the real pages.
async fn showroom() -> String {
    let routes = Router::new()
        .route("/", get(|| async { Html("<!doctype html><html lang=en><title>samples</title><body>") }))
        .route("/axe.js", get(axe))
        .route("/static/{hash}/{name}", get(asset))
        .route("/{specimen}", get(specimen));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://samples.localhost:{}", address.port())
}

async fn axe() -> Response {
    let source = std::fs::read(node::package_file("axe-core/axe.min.js")).unwrap();
    ([(header::CONTENT_TYPE, "text/javascript")], source).into_response()
}

/// Style sheets and pictures as they are. The scripts would look for the dialogs of which these are samples.
async fn asset(Path((hash, name)): Path<(String, String)>) -> Response {
    if name.ends_with(".js") {
        return ([(header::CONTENT_TYPE, "text/javascript")], "").into_response();
    }
    match web::assets::hashed(&hash, &name) {
        Some(asset) => ([(header::CONTENT_TYPE, asset.content_type)], asset.bytes).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[derive(Deserialize)]
struct Wanted {
    scheme: String,
    mirrored: Option<String>,
}

async fn specimen(Path(slug): Path<String>, Query(wanted): Query<Wanted>) -> Response {
    let Some(specimen) = gallery::Gallery::specimen(&slug) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let locale = if wanted.mirrored.is_some() { Locale::Mirrored } else { Locale::English };
    Html(specimen.render(locale, Scheme::parse(Some(&wanted.scheme)), "sample")).into_response()
}

/// Sweeps all samples in one scheme, in both directions, in a browser of its own.
async fn sweep(room: String, scheme: &str) -> Vec<String> {
    let slugs: Vec<String> = gallery::specimens().into_iter().map(|specimen| specimen.slug).collect();
    assert!(slugs.len() > 40, "only {} samples", slugs.len());
    let pages: Vec<String> = slugs
        .iter()
        .flat_map(|slug| ["", "&mirrored=yes"].map(|more| format!("/{slug}?scheme={scheme}{more}")))
        .collect();
    let browser = Browser::start(&Options::default()).await;
    browser.goto(room).await.unwrap();
    browser.set_script_timeout(LONG).await.unwrap();
    let arguments = vec![json!(pages), json!(NARROWEST), json!(testkit::browser::WCAG)];
    let found = within(LONG, "the sweep", browser.execute_async(SWEEP, arguments)).await;
    found.unwrap().convert().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_sample_page_is_without_barriers_in_light_and_dark_in_both_directions_at_320_px() {
    let room = showroom().await;
    let (light, dark) = tokio::join!(sweep(room.clone(), "light"), sweep(room, "dark"));
    assert_eq!([light, dark].concat(), Vec::<String>::new());
}
