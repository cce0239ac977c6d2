//! Someone who visits a demo over HTTP, as a browser would: with cookies per site and the headers of a browser.

use outbound::{Allow, Client, Limits, Method, Request, Response};
use runner::Runner;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use url::Url;
use vestibule::demo::Demo;

/// A demo in this process.
pub(super) struct Running {
    pub(super) folder: PathBuf,
    port: u16,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub(super) async fn start() -> Self {
        let demo = Demo::prepare(Some(0), Runner::new(env!("CARGO_BIN_EXE_vestibule"), [runner::VERB]))
            .await
            .unwrap();
        let port = Url::parse(&demo.url()).unwrap().port().unwrap();
        let folder = demo.folder().to_owned();
        let (stop, stopped) = oneshot::channel();
        let stopped = async move {
            stopped.await.unwrap();
        };
        Self { folder, port, stop, task: tokio::spawn(demo.serve(stopped)) }
    }

    pub(super) fn origin(&self, site: &str) -> String {
        format!("http://{site}.localhost:{}", self.port)
    }

    pub(super) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }

    pub(super) fn visitor(&self) -> Visitor {
        let allow = Allow::parse(&[format!("127.0.0.1:{}", self.port)]).unwrap();
        let client = Client::new(Limits::default(), allow).unwrap();
        Visitor { client, cookies: Mutex::default() }
    }
}

/// Cookies are kept per origin: site, then name.
pub(super) struct Visitor {
    client: Client,
    cookies: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
}

impl Visitor {
    pub(super) async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Response {
        self.send(Request::get(Url::parse(url).unwrap()), headers).await
    }

    /// A form, sent from a page of the same site.
    pub(super) async fn post_form(&self, url: &str, fields: &[(&str, &str)]) -> Response {
        let to = Url::parse(url).unwrap();
        let origin = to.origin().ascii_serialization();
        let request = Request::post(to).form(fields.iter().copied());
        self.send(request, &[("origin", &origin)]).await
    }

    /// JSON to JSON, from a page of the same site.
    pub(super) async fn post_json(&self, url: &str, body: &serde_json::Value) -> Response {
        let to = Url::parse(url).unwrap();
        let origin = to.origin().ascii_serialization();
        let request = Request::new(Method::Post, to).json(body).accept("application/json");
        self.send(request, &[("origin", &origin)]).await
    }

    pub(super) async fn send(&self, request: Request, headers: &[(&str, &str)]) -> Response {
        let origin = request.url.origin().ascii_serialization();
        let jar = self.cookies.lock().unwrap().get(&origin).cloned().unwrap_or_default();
        let cookies: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if cookies.is_empty() { request } else { request.header("cookie", cookies.join("; ")) };
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = self.client.send(request).await.unwrap();
        for (_, line) in response.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            let mut all = self.cookies.lock().unwrap();
            all.entry(origin.clone()).or_default().insert(name.to_owned(), value.to_owned());
        }
        response
    }
}

/// Where an answer leads, as a whole address.
pub(super) fn leads_to(response: &Response) -> String {
    assert!(matches!(response.status, 302 | 303), "{}: {}", response.status, text(response));
    response.url.join(response.header("location").unwrap()).unwrap().into()
}

pub(super) fn text(response: &Response) -> String {
    String::from_utf8(response.body.to_vec()).unwrap()
}
