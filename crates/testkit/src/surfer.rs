//! A browser that goes from site to site: the gateway, a partner's portal, an app. Each origin has its own cookies.

use crate::world::{Answer, Person, World};
use kernel::Environment;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, redirect};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use url::Url;

/// As browsers do.
const REDIRECTS_MOST: usize = 20;

/// Someone with a browser.
#[derive(Debug, Clone)]
pub struct Surfer {
    /// The same person as the gateway alone sees them.
    pub at_gateway: Person,
    /// `Accept-Language`.
    language: &'static str,
    gateway: String,
    client: Client,
    jars: Arc<Mutex<BTreeMap<String, BTreeMap<String, String>>>>,
}

/// Where a browser has come to rest.
#[derive(Debug, Clone)]
pub struct Rest {
    pub url: Url,
    pub answer: Answer,
    /// Every address on the way, the first one first.
    pub way: Vec<String>,
}

impl Rest {
    #[must_use]
    pub fn text(&self) -> String {
        self.answer.text()
    }

    /// The value of the first hidden field of this name.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn hidden(&self, name: &str) -> String {
        let text = self.text();
        let marker = format!("name=\"{name}\" value=\"");
        let found = text.split_once(&marker).and_then(|(_, rest)| rest.split_once('"'));
        found
            .unwrap_or_else(|| panic!("no field {name}: {text}"))
            .0
            .replace("&amp;", "&")
            .replace("&#38;", "&")
    }

    /// The reference that a refusal shows.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn reference(&self) -> String {
        let text = self.text();
        let found = text.split_once("id=\"reference\">").and_then(|(_, rest)| rest.split_once('<'));
        found.unwrap_or_else(|| panic!("no reference: {text}")).0.to_owned()
    }
}

impl Surfer {
    /// # Panics
    /// When no client can be made.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "a browser of a test calls the sites, not the gateway others"
    )]
    pub fn new(world: &World) -> Self {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()
            .expect("a client");
        let gateway = world.url(Environment::Sandbox).to_owned();
        Self { at_gateway: world.person(), language: "en", gateway, client, jars: Arc::default() }
    }

    /// With this `Accept-Language`.
    #[must_use]
    pub fn who_reads(self, language: &'static str) -> Self {
        Self { language, ..self }
    }

    /// Opens an address at the top level and follows redirects.
    ///
    /// # Panics
    /// When it goes round in circles.
    pub async fn opens(&self, url: &str) -> Rest {
        self.goes(Method::GET, url.parse().expect("a URL"), &[]).await
    }

    /// Sends a form of a page that it is on, and follows what comes.
    pub async fn sends(&self, url: &str, fields: &[(&str, &str)]) -> Rest {
        self.goes(Method::POST, url.parse().expect("a URL"), fields).await
    }

    async fn goes(&self, method: Method, url: Url, fields: &[(&str, &str)]) -> Rest {
        let (mut method, mut url, mut way) = (method, url, Vec::new());
        loop {
            way.push(url.to_string());
            assert!(way.len() <= REDIRECTS_MOST, "round in circles: {way:#?}");
            let answer = self.step(&method, &url, fields).await;
            let next = match answer.status {
                301..=303 => Some(url.join(answer.location()).expect("a URL")),
                200 => refreshed(&answer.text()).map(|to| url.join(&to).expect("a URL")),
                _ => None,
            };
            let Some(next) = next else { return Rest { url, answer, way } };
            (method, url) = (Method::GET, next);
        }
    }

    /// One request, without following anything.
    pub async fn step(&self, method: &Method, url: &Url, fields: &[(&str, &str)]) -> Answer {
        if url.as_str().starts_with(&self.gateway) {
            let ask = match *method {
                Method::POST => self.at_gateway.post(url.as_str()).form(fields),
                _ => self.at_gateway.get(url.as_str()).header("sec-fetch-site", "cross-site"),
            };
            return ask.header("sec-fetch-dest", "document").header("accept-language", self.language).await;
        }
        let origin = url.origin().ascii_serialization();
        let mut request = self.client.request(method.clone(), url.clone());
        if *method == Method::POST {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        let cookies = self.jars.lock().expect("the jars").get(&origin).cloned().unwrap_or_default();
        if !cookies.is_empty() {
            let line: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", line.join("; "));
        }
        let response = request.send().await.expect("the site answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        self.keep(&origin, &headers);
        let body = response.bytes().await.expect("a body").to_vec();
        Answer { status, headers, body }
    }

    fn keep(&self, origin: &str, headers: &HeaderMap) {
        let mut jars = self.jars.lock().expect("the jars");
        let jar = jars.entry(origin.to_owned()).or_default();
        for line in headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()) {
            let pair = line.split(';').next().and_then(|pair| pair.split_once('='));
            let Some((name, value)) = pair else { continue };
            jar.insert(name.trim().to_owned(), value.to_owned());
        }
    }

    /// Signs in at a partner's portal.
    ///
    /// # Panics
    /// When the portal does not take it.
    pub async fn signs_in(&self, portal: &str, user: &str) {
        let url: Url = format!("{portal}/login").parse().expect("a URL");
        let answer = self.step(&Method::POST, &url, &[("user", user)]).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
    }
}

/// Where a page goes on to by itself.
fn refreshed(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("http-equiv=\"refresh\" content=\"0;url=")?;
    let (to, _) = rest.split_once('"')?;
    Some(to.replace("&#38;", "&").replace("&amp;", "&"))
}
