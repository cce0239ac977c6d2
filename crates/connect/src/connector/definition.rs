//! A connector's definition: the outside system as data (contract `connectors.md`).

mod calls;

pub use calls::{
    Api, BasicTemplate, BodyTemplate, Choose, EnvironmentName, JsonTemplate, Method, RequestTemplate, Retry,
    Step, Verify,
};

use super::address::{HostPattern, Loopback, UrlTemplate};
use super::inputs::Input;
use super::template::Template;
use crate::credential::{App, Credential, Values};
use kernel::{SecretText, Slug, Time};
use url::Url;

/// How an outside system lets someone in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    OAuth2,
    ClientCredentials,
    ApiKey,
    Basic,
    TokenExchange,
    JwtAssertion,
    OAuth1,
    None,
    GithubApp,
    TokenBasedAuthentication,
    SignatureV4,
    Wsse,
    Session,
    InstallPlugin,
}

impl Kind {
    pub(super) const NAMES: [(&'static str, Self); 14] = [
        ("oauth2", Self::OAuth2),
        ("oauth2_cc", Self::ClientCredentials),
        ("api_key", Self::ApiKey),
        ("basic", Self::Basic),
        ("token_exchange", Self::TokenExchange),
        ("jwt_assertion", Self::JwtAssertion),
        ("oauth1", Self::OAuth1),
        ("none", Self::None),
        ("builtin:github_app", Self::GithubApp),
        ("builtin:tba", Self::TokenBasedAuthentication),
        ("builtin:sigv4", Self::SignatureV4),
        ("builtin:wsse", Self::Wsse),
        ("builtin:session", Self::Session),
        ("builtin:install_plugin", Self::InstallPlugin),
    ];

    /// As a file spells it.
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// What a dialog does to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The person signs in at the outside system, in a popup or a tab; inputs are asked before.
    SignIn,
    /// A form in the frame is the whole credential.
    Form,
    /// Nothing is asked.
    Nothing,
    /// The kind or the client's proof is declared but not executed by this release.
    NotYet(&'static str),
}

/// `[authorize] pkce` (RFC 7636).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pkce {
    #[default]
    S256,
    Plain,
    Off,
}

/// `[authorize] scope`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes {
    pub separator: String,
    pub default: Vec<String>,
    /// The parameter for scopes of the person instead of the app (Slack's `user_scope`).
    pub user_param: Option<String>,
    pub user_default: Vec<String>,
    /// Scope asked -> the name under which it is granted (Google's `email`).
    pub aliases: Vec<(String, String)>,
    /// Granted without being listed in the answer (`offline_access`).
    pub unlisted: Vec<String>,
}

/// `[authorize] signature`: the callback's query is signed with the client's secret (Shopify). The text signed
/// is every other parameter, sorted, as `name=value` joined by `&`; the MAC is HMAC-SHA256 in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackSignature {
    /// The parameter that carries the MAC.
    pub param: String,
}

/// `[authorize]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorize {
    pub url: UrlTemplate,
    pub params: Vec<(String, Template)>,
    /// Standard name -> the provider's.
    pub rename: Vec<(String, String)>,
    pub drop: Vec<String>,
    pub scope: Scopes,
    pub pkce: Pkce,
    /// The callback parameter that carries the code.
    pub code_param: String,
    /// The name under which `state` is sent and comes back.
    pub state_param: String,
    /// `iss` in the callback must be this where the provider sends it (RFC 9207).
    pub issuer: Option<String>,
    pub signature: Option<CallbackSignature>,
}

/// `[token] client_auth`: how the client proves itself at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    #[default]
    Body,
    Basic,
    /// The secret alone as the user name (Stripe).
    BasicKeyOnly,
    PrivateKeyJwt,
    Mtls,
    None,
}

/// `[token] body`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyForm {
    #[default]
    Form,
    Json,
    Query,
    Xml,
}

/// The unit of `expires_in` and `expires_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    #[default]
    Seconds,
    Milliseconds,
    Minutes,
}

/// A JSON pointer (RFC 6901); empty for the whole document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(pub(in crate::connector) String);

impl Pointer {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn of<'a>(&self, document: &'a serde_json::Value) -> Option<&'a serde_json::Value> {
        document.pointer(&self.0)
    }
}

/// `[token] extract`: where things are in the answer; the first pointer that leads somewhere counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extract {
    pub access: Vec<Pointer>,
    pub refresh: Vec<Pointer>,
    pub expires_in: Vec<Pointer>,
    pub expires_at: Vec<Pointer>,
    pub unit: Unit,
    /// Empty where the provider does not say what it granted; then nothing is compared.
    pub scope: Vec<Pointer>,
    pub error: Vec<Pointer>,
}

/// `[token]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRules {
    pub url: UrlTemplate,
    pub method: Method,
    pub client_auth: ClientAuth,
    pub body: BodyForm,
    pub params: Vec<(String, Template)>,
    pub rename: Vec<(String, String)>,
    pub drop: Vec<String>,
    pub headers: Vec<(String, Template)>,
    pub extract: Extract,
}

/// `[refresh] grant`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RefreshGrant {
    #[default]
    RefreshToken,
    /// The access token extends itself (Meta).
    AccessToken,
    /// The token request is made again.
    Repeat,
}

/// `[refresh]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    /// The token's URL where absent.
    pub url: Option<UrlTemplate>,
    pub grant: RefreshGrant,
    pub params: Vec<(String, Template)>,
    /// Each refresh token works once.
    pub rotates: bool,
    /// How long before its end a token is refreshed, in seconds.
    pub lead_s: i64,
    /// The age at which it is refreshed where the provider does not say when it ends.
    pub max_age_s: Option<i64>,
    /// Refreshed at least so often, so that the refresh token does not lapse, in hours.
    pub keepalive_h: Option<i64>,
}

/// A name that a value is kept under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Save<S> {
    /// The callback's parameter, or the pointer into the answer.
    pub from: S,
    pub to: SaveTo,
    /// Written with a `?` at its end: may be absent.
    pub optional: bool,
}

/// Where a saved value goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaveTo {
    Capture(String),
    /// `token.access`, `token.refresh`, `token.expires_in`: a step that exchanges the token (Meta).
    Access,
    Refresh,
    ExpiresIn,
}

/// `[capture]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capture {
    pub callback: Vec<Save<String>>,
    pub token: Vec<Save<Pointer>>,
    /// Captured values that are secrets.
    pub secret: Vec<String>,
}

/// A connector, parsed and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    pub id: Slug,
    pub name: String,
    pub categories: Vec<String>,
    pub docs_url: Option<String>,
    pub logo: Option<String>,
    pub kind: Kind,
    /// Fields of the app beyond client id and secret: `{app.application_id}`.
    pub app_fields: Vec<String>,
    /// Who it is at the outside system, for people: `{capture.email}`.
    pub account: Option<Template>,
    pub inputs: Vec<Input>,
    pub authorize: Option<Authorize>,
    pub token: Option<TokenRules>,
    pub refresh: Option<Refresh>,
    pub capture: Capture,
    pub after: Vec<Step>,
    pub verify: Option<Verify>,
    pub revoke: Option<RequestTemplate>,
    pub api: Option<Api>,
    pub webhook: Option<super::webhook::WebhookRules>,
    pub env: Vec<EnvironmentName>,
    pub(super) loopback: Loopback,
}

impl Definition {
    /// What a dialog does to connect.
    pub fn way(&self) -> Way {
        let client_auth = self.token.as_ref().map(|token| token.client_auth);
        match (self.kind, client_auth) {
            (Kind::OAuth2, Some(ClientAuth::PrivateKeyJwt)) => Way::NotYet("client_auth private_key_jwt"),
            (Kind::OAuth2, Some(ClientAuth::Mtls)) => Way::NotYet("client_auth mtls"),
            (Kind::OAuth2, _) => Way::SignIn,
            (Kind::ApiKey | Kind::Basic, _) => Way::Form,
            (Kind::None, _) if self.inputs.is_empty() => Way::Nothing,
            (Kind::None, _) => Way::Form,
            (other, _) => Way::NotYet(other.as_str()),
        }
    }

    /// What is asked before the sign-in, because its address needs it; empty where the form is the credential.
    pub fn inputs_before_authorize(&self) -> &[Input] {
        if self.way() == Way::SignIn { &self.inputs } else { &[] }
    }

    /// Every field of the form, before a sign-in or instead of one.
    pub fn form_fields(&self) -> &[Input] {
        &self.inputs
    }

    /// The credential of a form: what was typed. Where one secret is asked it is `{token.access}` too.
    pub fn form_credential(&self, inputs: Values, now: Time) -> Credential {
        let access = self.only_secret().and_then(|input| inputs.get(&input.key)).map(SecretText::new);
        Credential { access, inputs, obtained: Some(now), ..Credential::default() }
    }

    /// The credential of an organization's own connector: `xti.token` (contract `connect.md`, section 1). It
    /// is `{token.access}`, and the one secret input where there is one.
    pub fn own_credential(&self, token: &SecretText, now: Time) -> Credential {
        let mut inputs = Values::new();
        if let Some(input) = self.only_secret() {
            inputs.set(&input.key, token.reveal());
        }
        Credential { access: Some(token.clone()), inputs, obtained: Some(now), ..Credential::default() }
    }

    fn only_secret(&self) -> Option<&Input> {
        let mut secrets = self.secret_inputs();
        secrets.next().filter(|_| secrets.next().is_none())
    }

    /// Whether the organization must register an app at the outside system first.
    pub fn needs_app(&self) -> bool {
        !matches!(self.kind, Kind::ApiKey | Kind::Basic | Kind::None) || !self.app_fields.is_empty()
    }

    /// The scopes that are asked for: the app's own where it sets them.
    pub fn scopes_for(&self, app: &App) -> Vec<String> {
        let default = self.authorize.as_ref().map(|authorize| authorize.scope.default.clone());
        app.scopes.clone().or(default).unwrap_or_default()
    }

    pub(super) fn hosts(&self) -> &[HostPattern] {
        self.api.as_ref().map_or(&[], |api| &api.hosts)
    }

    /// The definition with origins replaced by ones of this machine: `("https://api.hubapi.com",
    /// "http://127.0.0.1:4000")`. An origin with variables is named as the file writes it. Only for tests and
    /// the demo, so that the real files meet stand-ins; a replacement that is no origin is passed over.
    #[must_use]
    pub fn with_base(&self, mapping: &[(&str, &str)]) -> Self {
        let mut copy = self.clone();
        for (from, to) in mapping {
            let Ok(origin) = Url::parse(to) else { continue };
            copy.loopback = Loopback::Allowed;
            copy.urls().into_iter().for_each(|url| url.rebase(from, &origin));
            if let Some(api) = &mut copy.api {
                let host = Template::literal(origin.host_str().unwrap_or_default());
                api.hosts.push(HostPattern { any_below: false, host, port: origin.port() });
            }
        }
        copy
    }

    fn urls(&mut self) -> Vec<&mut UrlTemplate> {
        let mut urls = Vec::new();
        urls.extend(self.authorize.as_mut().map(|authorize| &mut authorize.url));
        urls.extend(self.token.as_mut().map(|token| &mut token.url));
        urls.extend(self.refresh.as_mut().and_then(|refresh| refresh.url.as_mut()));
        urls.extend(self.after.iter_mut().map(|step| &mut step.request.url));
        urls.extend(self.verify.as_mut().map(|verify| &mut verify.request.url));
        urls.extend(self.revoke.as_mut().map(|revoke| &mut revoke.url));
        urls.extend(self.api.as_mut().map(|api| &mut api.base_url));
        urls
    }
}
