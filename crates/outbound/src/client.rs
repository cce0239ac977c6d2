//! The one HTTP client: guarded, bounded, without ambient proxies, cookies or retries of its own.

mod addresses;

use crate::allow::Allow;
use crate::call_error::{CallError, Malformed};
use crate::guard::{Blocked, Guard, GuardedNames, Lane, Names, Rule, SystemNames};
use crate::opened::{Opened, OpenedBody};
use crate::request::{Method, Request, Response, host_of};
use reqwest::dns::Resolve as _;
use reqwest::header::{HeaderName, HeaderValue};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Bounds for every call; a [`Request`] may set its own time and size.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The whole call, with redirects and the reading of the body.
    pub timeout: Duration,
    /// Name look-up, TCP and TLS of one connection.
    pub connect_timeout: Duration,
    /// Bytes of an answer's body, unpacked.
    pub max_body: usize,
    /// Headers of an answer.
    pub max_headers: usize,
    /// The `User-Agent` that other systems see.
    pub user_agent: String,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            max_body: 1 << 20,
            max_headers: 100,
            user_agent: concat!("vestibule/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Header bytes of an HTTP/2 answer. HTTP/1 is bounded by the number of headers and the driver's buffer.
const MAX_HEADER_BYTES: u32 = 64 * 1024;

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the client for outgoing calls cannot be made: {0}")]
pub struct ClientRefused(String);

/// The guarded client. Clones share connections.
#[derive(Clone)]
pub struct Client {
    guard: Guard,
    lanes: Arc<HashMap<Lane, reqwest::Client>>,
    limits: Arc<Limits>,
}

impl Client {
    /// # Errors
    /// [`ClientRefused`] where TLS cannot be set up.
    pub fn new(limits: Limits, allow: Allow) -> Result<Self, ClientRefused> {
        Self::with_names(limits, allow, Arc::new(SystemNames))
    }

    /// With another source of addresses than the operating system's resolver; what it says is judged the same.
    ///
    /// # Errors
    /// [`ClientRefused`] where TLS cannot be set up.
    pub fn with_names(limits: Limits, allow: Allow, names: Arc<dyn Names>) -> Result<Self, ClientRefused> {
        Self::with_tls(limits, allow, names, &tls()?)
    }

    fn with_tls(
        limits: Limits,
        allow: Allow,
        names: Arc<dyn Names>,
        tls: &ClientConfig,
    ) -> Result<Self, ClientRefused> {
        let ports =
            std::iter::once(None).chain(allow.exact_ports().into_iter().map(Some)).collect::<Vec<_>>();
        let guard = Guard { allow: Arc::new(allow), names };
        let mut lanes = HashMap::new();
        for port in ports {
            for plain in [false, true] {
                let lane = Lane { plain, port };
                lanes.insert(lane, driver(&limits, &guard, lane, tls)?);
            }
        }
        Ok(Self { guard, lanes: Arc::new(lanes), limits: Arc::new(limits) })
    }

    /// Whether an address may be called, as its name is answered now: for whoever registers one. Each call judges again.
    /// A name without an address may get one, but only over https.
    ///
    /// # Errors
    /// [`CallError::Refused`].
    pub async fn judge(&self, url: &Url) -> Result<(), CallError> {
        let refused = |rule| CallError::Refused { host: host_of(url), rule };
        let lane = self.guard.check(url).map_err(refused)?;
        let Some(name) = url.domain().and_then(|name| name.parse().ok()) else { return Ok(()) };
        let names = GuardedNames { guard: self.guard.clone(), lane };
        let looked = tokio::time::timeout(self.limits.connect_timeout, names.resolve(name)).await;
        match looked {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => match error.downcast_ref::<Blocked>() {
                Some(Blocked(rule)) => Err(refused(*rule)),
                None if lane.plain => Err(refused(Rule::PlainHttp)),
                None => Ok(()),
            },
            Err(_) if lane.plain => Err(refused(Rule::PlainHttp)),
            Err(_) => Ok(()),
        }
    }

    /// Makes one call. Any status is an answer; an error means that there is no usable one.
    ///
    /// # Errors
    /// [`CallError`]. With [`CallError::Refused`] nothing was sent to the refused address.
    pub async fn send(&self, request: Request) -> Result<Response, CallError> {
        let within = request.timeout.unwrap_or(self.limits.timeout);
        let (method, host) = (request.method.as_str(), host_of(&request.url));
        let started = tokio::time::Instant::now();
        let outcome = tokio::time::timeout(within, Box::pin(self.follow(request))).await;
        let outcome =
            outcome.unwrap_or_else(|_| Err(CallError::TimedOut { host: host.clone(), after: within }));
        let millis = started.elapsed().as_millis();
        match &outcome {
            Ok(answer) => tracing::debug!(method, host, millis, status = answer.status, "call answered"),
            Err(error) => tracing::debug!(method, host, millis, code = error.code(), %error, "call failed"),
        }
        outcome
    }

    async fn follow(&self, mut request: Request) -> Result<Response, CallError> {
        let mut redirects = request.max_redirects;
        loop {
            let answer = self.one(&request).await?;
            let may_follow =
                matches!(answer.status, 301 | 302 | 303 | 307 | 308) && request.max_redirects > 0;
            if !may_follow {
                return Ok(answer);
            }
            redirects = redirects.checked_sub(1).ok_or_else(|| CallError::BadAnswer {
                host: host_of(&request.url),
                why: Malformed::TooManyRedirects,
            })?;
            redirected(&mut request, &answer)?;
        }
    }

    async fn one(&self, request: &Request) -> Result<Response, CallError> {
        let limit = request.max_body.unwrap_or(self.limits.max_body);
        let mut answer = self.begun(request).await?;
        answer.limited_to(limit, request.method)?;
        let mut body = Vec::new();
        while let Some(piece) = answer.piece().await? {
            body.extend_from_slice(&piece);
        }
        let Opened { status, headers, url, .. } = answer;
        Ok(Response { status, headers, body: body.into(), url })
    }

    /// Makes one call and gives the answer as soon as its headers are there; its body comes piece by piece. No redirect
    /// is followed. The request's time bounds only what comes before the body.
    ///
    /// # Errors
    /// [`CallError`], as [`Self::send`].
    pub async fn open(&self, request: &Request) -> Result<Opened, CallError> {
        let within = request.timeout.unwrap_or(self.limits.timeout);
        let (method, host) = (request.method.as_str(), host_of(&request.url));
        let begun = tokio::time::timeout(within, Box::pin(self.begun(request))).await;
        let begun = begun.unwrap_or_else(|_| Err(CallError::TimedOut { host: host.clone(), after: within }));
        let mut answer = begun.inspect_err(|error| {
            tracing::debug!(method, host, code = error.code(), %error, "call failed");
        })?;
        tracing::debug!(method, host, status = answer.status, "call answered");
        answer.limited_to(request.max_body.unwrap_or(self.limits.max_body), request.method)?;
        Ok(answer)
    }

    async fn begun(&self, request: &Request) -> Result<Opened, CallError> {
        let host = host_of(&request.url);
        let lane = self.guard.check(&request.url);
        let lane = lane.map_err(|rule| CallError::Refused { host: host.clone(), rule })?;
        // Every lane that `check` can give was made in `with_names`; without one there is no way out.
        let driver = self.lanes.get(&lane);
        let driver = driver.ok_or_else(|| CallError::Refused { host: host.clone(), rule: Rule::Scheme })?;
        let call = written(driver, request)?;
        let connect_timeout = self.limits.connect_timeout;
        let sent = call.send().await;
        let answer = sent.map_err(|error| CallError::from_driver(&host, &error, connect_timeout))?;
        let headers = answer.headers().iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        Ok(Opened {
            status: answer.status().as_u16(),
            headers: headers.collect(),
            url: request.url.clone(),
            body: OpenedBody { answer, host, left: usize::MAX, limit: usize::MAX, connect_timeout },
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("allow", &self.guard.allow)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The driver's client for one lane.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that makes the driver's client, with the guard in it"
)]
fn driver(
    limits: &Limits,
    guard: &Guard,
    lane: Lane,
    tls: &ClientConfig,
) -> Result<reqwest::Client, ClientRefused> {
    let driver = reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .dns_resolver(Arc::new(GuardedNames { guard: guard.clone(), lane }))
        // A proxy from the environment would make the look-up for us, behind the guard.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .https_only(!lane.plain)
        .user_agent(limits.user_agent.clone())
        .connect_timeout(limits.connect_timeout)
        .http1_max_headers(limits.max_headers)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        // As many as notices may be on their way to one endpoint: each new connection would cost more than a message.
        .pool_max_idle_per_host(64);
    driver.build().map_err(|error| ClientRefused(error.to_string()))
}

/// TLS 1.2 and 1.3, certificates as the operating system trusts them. Read once, because reading all of its
/// certificates takes longer than everything else here.
fn tls() -> Result<ClientConfig, ClientRefused> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let refused = |error: rustls::Error| ClientRefused(error.to_string());
    let versions = || {
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider));
        config.with_safe_default_protocol_versions().map_err(refused)
    };
    let config = match versions()?.with_platform_verifier() {
        Ok(config) => config,
        Err(cause) => {
            // A machine without certificates can still run everything that calls nobody; each call over TLS
            // then fails, and this line says why.
            tracing::warn!(%cause, "calls over https will fail: this machine trusts no certificates");
            versions()?.with_root_certificates(RootCertStore::empty())
        }
    };
    Ok(with_http(config.with_no_client_auth()))
}

fn with_http(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

fn written(driver: &reqwest::Client, request: &Request) -> Result<reqwest::RequestBuilder, CallError> {
    let bad = |what| CallError::BadRequest { host: host_of(&request.url), what };
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    };
    let mut call = driver.request(method, request.url.clone());
    if let Some(kinds) = &request.accept {
        call = call.header("accept", kinds);
    }
    for header in &request.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|_| bad("a header's name is not valid"))?;
        if matches!(name.as_str(), "host" | "content-length" | "transfer-encoding" | "connection") {
            return Err(bad("a header that belongs to the connection was set"));
        }
        let value = HeaderValue::from_str(header.value.reveal());
        let mut value = value.map_err(|_| bad("a header's value is not valid"))?;
        value.set_sensitive(header.secret);
        call = call.header(name, value);
    }
    Ok(match &request.body {
        Some(body) => call.body(body.clone()),
        None => call,
    })
}

/// Turns the request into the one that follows a redirect (RFC 9110, section 15.4, as browsers do it).
fn redirected(request: &mut Request, answer: &Response) -> Result<(), CallError> {
    let target = answer.header("location").and_then(|location| request.url.join(location).ok());
    let bad = || CallError::BadAnswer { host: host_of(&request.url), why: Malformed::Redirect };
    let target: Url = target.ok_or_else(bad)?;
    if request.method.becomes_get(answer.status) {
        request.method = Method::Get;
        request.body = None;
        request.headers.retain(|header| !header.name.eq_ignore_ascii_case("content-type"));
    }
    if target.origin() != request.url.origin() {
        if request.body.is_some() {
            // Decision: a body never crosses origins. Attack: a redirect at a token endpoint carries the
            // client's secret, which stands in the body, to somebody else. Trade: nobody needs it.
            return Err(CallError::Refused { host: host_of(&target), rule: Rule::BodyToAnotherOrigin });
        }
        request.headers.retain(|header| !header.secret);
    }
    request.url = target;
    Ok(())
}

#[cfg(test)]
mod tests;
