//! Someone with a browser, as far as HTTP sees one: cookies, fetch metadata, redirects that are not followed.

use super::dialog::Dialog;
use super::{Company, World};
use kernel::Environment;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, redirect};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use url::Url;

/// A browser of one person: its cookies are its own.
#[derive(Debug, Clone)]
pub struct Person {
    world: World,
    environment: Environment,
    node: SocketAddr,
    client: Client,
    jar: Arc<Mutex<Vec<Cookie>>>,
}

#[derive(Debug, Clone)]
struct Cookie {
    name: String,
    value: String,
    path: String,
}

impl Person {
    #[expect(
        clippy::disallowed_methods,
        reason = "a person's browser calls the gateway, not the gateway others"
    )]
    pub(super) fn new(world: &World, environment: Environment, node: SocketAddr) -> Self {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()
            .expect("a client");
        Self { world: world.clone(), environment, node, client, jar: Arc::default() }
    }

    /// The same person at another node.
    #[must_use]
    pub fn moved_to(&self, node: SocketAddr) -> Self {
        Self { node, ..self.clone() }
    }

    /// A request to the gateway. `to` is a path with its query, or a whole URL of the person's environment.
    #[must_use]
    pub fn ask(&self, method: Method, to: &str) -> Ask {
        let url = self.world.url(self.environment);
        let path = to.strip_prefix(url).unwrap_or(to).to_owned();
        let mut ask = Ask { person: self.clone(), method, path, headers: HeaderMap::new(), body: None };
        ask.set("host", url.trim_start_matches("http://"));
        ask.set("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        ask.set("accept-language", "en");
        ask
    }

    #[must_use]
    pub fn get(&self, to: &str) -> Ask {
        self.ask(Method::GET, to)
    }

    /// A POST by a page of the gateway's own: with its `Origin`.
    #[must_use]
    pub fn post(&self, to: &str) -> Ask {
        let origin = self.world.url(self.environment).to_owned();
        self.ask(Method::POST, to).header("origin", &origin).same_origin()
    }

    /// Opens a landing in a frame of the company's page, the token in a form field.
    pub async fn lands(&self, page: &str, token: &str) -> Answer {
        self.ask(Method::POST, page).framed().form(&[("tenant", token)]).await
    }

    /// Opens a landing in a frame, the token in the query.
    pub async fn lands_by_get(&self, page: &str, token: &str) -> Answer {
        self.get(&format!("{page}?tenant={token}")).framed().await
    }

    /// Opens a landing and is led to the dialog. The outside system is the one that the token's integration is
    /// named after.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn opens(&self, company: &Company, connector: &str, token: &str) -> Dialog {
        self.dialog_of(&self.lands(&company.page(connector), token).await)
    }

    /// The dialog that a landing leads to.
    ///
    /// # Panics
    /// When it was refused.
    #[must_use]
    pub fn dialog_of(&self, landed: &Answer) -> Dialog {
        assert_eq!(landed.status, 303, "{}", landed.text());
        let path = landed.location().to_owned();
        assert!(path.starts_with("/dialogs/"), "{path}");
        Dialog { person: self.clone(), path }
    }

    /// From landing to success, whatever the connector asks.
    ///
    /// # Panics
    /// When it does not come to success.
    pub async fn connects(&self, company: &Company, connector: &str, token: &str) -> Value {
        let dialog = self.opens(company, connector, token).await;
        dialog.succeeds().await
    }

    /// Follows a link to the outside system's sign-in page, where one agrees at once: the callback's URL.
    ///
    /// # Panics
    /// When that page does not send back.
    pub async fn signs_in_at(&self, authorize: &str) -> String {
        let answer = self.client.get(authorize).send().await.expect("the outside system answers");
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
        location.unwrap_or_else(|| panic!("{authorize} sent nobody back: {}", answer.status())).to_owned()
    }

    /// The browser comes back from the outside system.
    pub async fn comes_back(&self, callback: &str) -> Answer {
        self.get(callback).header("sec-fetch-site", "cross-site").header("sec-fetch-dest", "document").await
    }

    /// Listens to a dialog's events (`text/event-stream`).
    ///
    /// # Panics
    /// When it is refused.
    pub async fn events(&self, to: &str) -> Events {
        let host = self.world.url(self.environment).trim_start_matches("http://").to_owned();
        let request = self.client.get(format!("http://{}{to}", self.node)).header("host", host);
        let response =
            request.header("accept", "text/event-stream").send().await.expect("the gateway answers");
        assert_eq!(response.status().as_u16(), 200);
        Events { response, text: String::new() }
    }

    /// An API call with this key.
    pub async fn calls(&self, key: &str, to: &str) -> Answer {
        self.get(to).json().header("x-api-key", key).await
    }

    /// The names of the cookies that it holds.
    #[must_use]
    pub fn cookies(&self) -> Vec<String> {
        self.jar.lock().expect("the jar").iter().map(|cookie| cookie.name.clone()).collect()
    }

    /// What it would send as `Cookie` to this path; empty for none.
    #[must_use]
    pub fn cookie_line(&self, path: &str) -> String {
        self.cookie_header(path).unwrap_or_default()
    }

    fn cookie_header(&self, path: &str) -> Option<String> {
        let path = path.split('?').next().unwrap_or_default();
        let jar = self.jar.lock().expect("the jar");
        let fitting: Vec<_> = jar.iter().filter(|cookie| path.starts_with(&cookie.path)).collect();
        let pairs: Vec<_> =
            fitting.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    fn keep(&self, headers: &HeaderMap) {
        let mut jar = self.jar.lock().expect("the jar");
        for line in headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()) {
            let mut parts = line.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let attributes: Vec<&str> = parts.collect();
            let path = attributes.iter().find_map(|it| it.strip_prefix("Path=")).unwrap_or("/").to_owned();
            jar.retain(|cookie| cookie.name != name);
            if !attributes.contains(&"Max-Age=0") {
                jar.push(Cookie { name: name.to_owned(), value: value.to_owned(), path });
            }
        }
    }
}

/// The events of a dialog, as they come.
#[derive(Debug)]
pub struct Events {
    response: reqwest::Response,
    text: String,
}

impl Events {
    /// Reads until the stage of this name was told, or the stream ends: all stages in their order.
    ///
    /// # Panics
    /// When an event is none of ours.
    pub async fn until(mut self, stage: &str) -> Vec<String> {
        loop {
            let stages = self.stages();
            if stages.iter().any(|told| told == stage) {
                return stages;
            }
            match self.response.chunk().await.expect("the stream goes on") {
                Some(chunk) => self.text.push_str(&String::from_utf8_lossy(&chunk)),
                None => return self.stages(),
            }
        }
    }

    fn stages(&self) -> Vec<String> {
        let whole = self.text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        let data = whole.split("\n\n").flat_map(str::lines).filter_map(|line| line.strip_prefix("data:"));
        let stage = |text: &str| {
            let state: Value = serde_json::from_str(text).expect("a state");
            state.get("stage").and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        data.map(stage).collect()
    }
}

/// A request on its way; `await` sends it.
#[derive(Debug, Clone)]
pub struct Ask {
    person: Person,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

impl Ask {
    fn set(&mut self, name: &str, value: &str) {
        let name = HeaderName::try_from(name).expect("a header's name");
        self.headers.insert(name, HeaderValue::try_from(value).expect("a header's value"));
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// The same request at another address.
    #[must_use]
    pub fn to(mut self, to: &str) -> Self {
        let url = self.person.world.url(self.person.environment);
        to.strip_prefix(url).unwrap_or(to).clone_into(&mut self.path);
        self
    }

    /// One more of a name that is there already.
    ///
    /// # Panics
    /// When it is no header.
    #[must_use]
    pub fn and_header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).expect("a header's name");
        self.headers.append(name, HeaderValue::try_from(value).expect("a header's value"));
        self
    }

    /// # Panics
    /// When it is no header's name.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.remove(HeaderName::try_from(name).expect("a header's name"));
        self
    }

    /// Asks for JSON, as scripts do.
    #[must_use]
    pub fn json(self) -> Self {
        self.header("accept", "application/json")
    }

    /// As a browser marks a frame's document that another site loads.
    #[must_use]
    pub fn framed(self) -> Self {
        self.header("sec-fetch-dest", "iframe").header("sec-fetch-site", "cross-site")
    }

    /// As a browser marks what a page of the same origin asks for.
    #[must_use]
    pub fn same_origin(self) -> Self {
        self.header("sec-fetch-site", "same-origin")
    }

    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", content_type)
    }

    #[must_use]
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let body = form.extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    async fn send(self) -> Answer {
        let path = self.path.clone();
        self.try_send().await.unwrap_or_else(|error| panic!("{path}: {error:?}"))
    }

    /// Sends it to a gateway that may be gone before it has answered.
    ///
    /// # Errors
    /// When no whole answer came.
    ///
    /// # Panics
    /// When a cookie that it was given is no header's text.
    pub async fn try_send(self) -> reqwest::Result<Answer> {
        let Self { person, method, path, mut headers, body } = self;
        if let Some(cookies) = person.cookie_header(&path)
            && !headers.contains_key("cookie")
        {
            headers.insert("cookie", HeaderValue::try_from(cookies).expect("cookies"));
        }
        let url = format!("http://{}{path}", person.node);
        let mut request = person.client.request(method, url).headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        person.keep(&headers);
        let body = response.bytes().await?;
        Ok(Answer { status, headers, body: body.to_vec() })
    }
}

impl IntoFuture for Ask {
    type Output = Answer;
    type IntoFuture = std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// # Panics
    /// When the body is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.status, self.text()))
    }

    /// Empty where it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// # Panics
    /// When it leads nowhere.
    #[must_use]
    pub fn location(&self) -> &str {
        let location = self.header("location");
        assert!(!location.is_empty(), "no Location: {} {}", self.status, self.text());
        location
    }

    /// The `Location`, parsed.
    ///
    /// # Panics
    /// When it is no absolute URL.
    #[must_use]
    pub fn location_url(&self) -> Url {
        self.location().parse().expect("an absolute URL")
    }
}
