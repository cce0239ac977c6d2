//! The landing: a signed token becomes a dialog (contract `connect.md`, sections 1 and 2).

use super::refuse::{Denied, Refused};
use super::turn::opening;
use crate::{Fault, OrganizationConfig, Service};
use ::connect::connector::Definition;
use ::connect::connector::Way;
use ::connect::dialog::{Dialog, LIFETIME_S, Stage, id_of, new_bearer, token_name};
use ::connect::integration::Integration;
use ::connect::refusal::{Code, Refusal};
use ::connect::signing_key::{Material, SigningKey};
use ::connect::token::{self, AuthOnly, Claims, Peek, Verified, VerifyingKey};
use kernel::{Environment, Origin, Plain, SafeUrl, Slug};
use std::sync::Arc;
use store::{dialogs, organizations};

/// A landing as it arrived.
#[derive(Debug)]
pub struct Landing<'a> {
    pub environment: Environment,
    /// The first path segment.
    pub organization: &'a str,
    /// The second: the outside connector, or the literal `connector`.
    pub connector: &'a str,
    pub token: Option<&'a str>,
    /// In bytes; it differs between GET and POST.
    pub token_limit: usize,
    /// Whether it is a frame's document (`Sec-Fetch-Dest: iframe`).
    pub framed: bool,
    /// Where the Referer says the frame stands.
    pub parent: Parent,
    /// The language that the page was negotiated to, as a BCP 47 tag.
    pub locale: &'a str,
}

/// Where the Referer says a page stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parent {
    /// It says nothing.
    Unknown,
    Origin(Origin),
    /// An origin that nobody could register, such as one over plain http.
    Other(String),
}

impl Parent {
    pub fn origin(&self) -> Option<&Origin> {
        match self {
            Self::Origin(origin) => Some(origin),
            Self::Unknown | Self::Other(_) => None,
        }
    }
}

/// How a landing ends.
#[derive(Debug)]
pub enum Landed {
    /// The dialog's bearer: for the path of the page, and nowhere else.
    Open(Plain),
    Refused(Box<Refused>),
}

/// What the integration of a token connects.
struct Target<'c> {
    integration: &'c Integration,
    connector: Slug,
    definition: Arc<Definition>,
}

/// What a token asks that was found good.
struct Judged<'c> {
    claims: Claims,
    asked: AuthOnly,
    target: Target<'c>,
}

impl Service {
    /// Verifies the token, uses its `jti` up and opens a dialog: one durable insert.
    ///
    /// What a landing seldom waits for is boxed along the way, so that what it carries from step to step stays small.
    ///
    /// # Errors
    /// [`Fault`] where the store fails; then nothing was used up.
    pub async fn land(&self, landing: &Landing<'_>) -> Result<Landed, Fault> {
        let mut config = None;
        match self.try_land(landing, &mut config).await {
            Ok(bearer) => Ok(Landed::Open(bearer)),
            Err(Denied::Fault(fault)) => Err(fault),
            Err(Denied::Refused(refusal)) => {
                let route = "/{organization}/{connector}/auth";
                let refused = Box::pin(self.refuse(refusal, landing.environment, config, route)).await;
                Ok(Landed::Refused(Box::new(refused)))
            }
        }
    }

    /// Decision: the token is judged by the configuration in memory, and the statement that writes the dialog writes
    /// it only while that is the present one; before a token is refused, its version is compared too. Where it has
    /// moved, the token is judged again. Attack: a token of a key that was revoked a moment ago. Trade: none that
    /// shows; it saves a round trip to the database.
    async fn try_land(
        &self,
        landing: &Landing<'_>,
        known: &mut Option<Arc<OrganizationConfig>>,
    ) -> Result<Plain, Denied> {
        let slug = Slug::parse(landing.organization).map_err(|_| unknown(landing))?;
        let mut config = match self.remembered(&slug, landing.environment) {
            Some(config) => config,
            None => {
                let config = Box::pin(self.config(&slug, landing.environment)).await?;
                config.ok_or_else(|| unknown(landing))?
            }
        };
        loop {
            let opened = match self.judge(landing, &config).await {
                Ok(judged) => self.open_dialog(landing, &config, judged).await,
                Err(denied) => Err(denied),
            };
            let refusal = match opened {
                Err(Denied::Refused(refusal)) => refusal,
                done => return done,
            };
            // The number only grows, and moves too when an organization is disabled or enabled: where it is still the
            // same, nothing but the token can be the reason.
            let found =
                Box::pin(organizations::config_version_by_id(&self.db, &config.organization.id)).await?;
            let (_, version) = found.ok_or_else(|| unknown(landing))?;
            if version == config.organization.config_version {
                *known = Some(config);
                return Err(refusal.into());
            }
            let fresh = Box::pin(self.config_at(&slug, landing.environment, version)).await?;
            config = fresh.ok_or_else(|| unknown(landing))?;
        }
    }

    /// What the token asks, by this configuration and nothing from the database.
    async fn judge<'c>(
        &self,
        landing: &Landing<'_>,
        config: &'c OrganizationConfig,
    ) -> Result<Judged<'c>, Denied> {
        check_frame(landing, config)?;
        let claims = self.verified_claims(landing, config).await?;
        let asked = claims.auth_only()?;
        let target = self.target(landing, config, &asked)?;
        Ok(Judged { claims, asked, target })
    }

    async fn verified_claims(
        &self,
        landing: &Landing<'_>,
        config: &OrganizationConfig,
    ) -> Result<Claims, Denied> {
        let now = self.clock.now();
        let text = landing.token.filter(|text| !text.is_empty()).ok_or_else(|| {
            let message = "the page was opened without a token; add ?tenant= or post the form field tenant";
            Refusal::new(Code::TokenMissing, message)
        })?;
        let peek = token::peek(text, landing.token_limit)?;
        let candidates = token::candidates(&peek, &config.signing_keys, now)?;
        let payload = self.check_signature(&peek, &candidates, config).await?;
        let audience = self.places.of(config.environment).map_or("", crate::Place::url);
        let rules =
            token::Rules { now, max_age_s: config.token_max_age_s, ahead_s: config.token_ahead_s, audience };
        Ok(Claims::read(&payload, &rules)?)
    }

    /// One good signature is enough; with several candidates (no `kid`) each is tried.
    async fn check_signature(
        &self,
        peek: &Peek,
        candidates: &[&SigningKey],
        config: &OrganizationConfig,
    ) -> Result<Verified, Refusal> {
        let mut last = None;
        for key in candidates {
            let verifying = match &key.material {
                Material::Secret(_) => {
                    config.secrets.get(&key.id).map(|secret| VerifyingKey::Secret(secret.clone()))
                }
                Material::PublicJwk(jwk) => Some(VerifyingKey::Jwk(jwk.clone())),
                Material::JwksUrl(url) => match Box::pin(self.published_key(peek, url, key)).await {
                    Ok(found) => found.map(VerifyingKey::Jwk),
                    // Another key may fit; the set that cannot be read is named only if none does.
                    Err(refusal) => {
                        last = Some(refusal);
                        None
                    }
                },
            };
            let Some(verifying) = verifying else { continue };
            match token::verify_signature(peek, key.algorithm, &verifying) {
                Ok(payload) => return Ok(payload),
                Err(refusal) => last = Some(refusal),
            }
        }
        Err(last.unwrap_or_else(|| {
            let message =
                "no key of the organization fits this token; check kid, and that the key set is reachable";
            Refusal::new(Code::TokenSignature, message)
        }))
    }

    /// The key that the token's `kid` names in a published set; `None` where the set has none. A set that
    /// cannot be fetched is no reason to accept, and no fault of ours: the token is refused for now.
    async fn published_key(
        &self,
        peek: &Peek,
        address: &SafeUrl,
        key: &SigningKey,
    ) -> Result<Option<String>, Refusal> {
        match self.jwks.find(address, peek.kid.as_deref(), key.algorithm.as_str()).await {
            Ok(found) => Ok(found.map(|found| found.jwk)),
            Err(error) => {
                let message = format!("the key set at {address} could not be read: {error}");
                Err(Refusal::new(Code::TokenSignature, message))
            }
        }
    }

    fn target<'c>(
        &self,
        landing: &Landing<'_>,
        config: &'c OrganizationConfig,
        asked: &AuthOnly,
    ) -> Result<Target<'c>, Refusal> {
        let integration = config.integration(&asked.integration_name).ok_or_else(|| {
            let message = "no integration of this name exists for this organization in this environment";
            let seen = serde_json::json!({ "integration_name": asked.integration_name });
            Refusal::new(Code::IntegrationUnknown, message).of_claim("xti.integration_name").seen(seen)
        })?;
        if integration.own_connector.as_ref() != Some(&asked.connector_name) {
            let message = match &integration.own_connector {
                Some(own) => format!("the organization's own connector of `{}` is `{own}`", integration.name),
                None => format!("`{}` has no connector of the organization's own", integration.name),
            };
            let seen = serde_json::json!({ "connector_name": asked.connector_name });
            return Err(Refusal::new(Code::ConnectorUnknown, message)
                .of_claim("xti.connector_name")
                .seen(seen));
        }
        let connector = outside_connector(landing.connector, integration)?;
        let definition = self.definition(config, &connector).ok_or_else(|| {
            Refusal::new(
                Code::ConnectorUnknown,
                format!("no definition of connector `{connector}` is loaded"),
            )
        })?;
        if let Way::NotYet(what) = definition.way() {
            let message = format!("connector `{connector}` needs {what}, which this release cannot do yet");
            return Err(Refusal::new(Code::ConnectorUnknown, message));
        }
        if definition.needs_app() && !config.apps.contains_key(&connector) {
            let message = format!(
                "connector `{connector}` has no app credentials in {}; set them with `vestibule app set`",
                config.environment
            );
            return Err(Refusal::new(Code::ConnectorUnknown, message));
        }
        Ok(Target { integration, connector, definition })
    }

    /// Refused where the token was used before, or the configuration has moved: nothing was written then.
    async fn open_dialog(
        &self,
        landing: &Landing<'_>,
        config: &Arc<OrganizationConfig>,
        Judged { claims, asked, target }: Judged<'_>,
    ) -> Result<Plain, Denied> {
        let Target { integration, connector, definition } = target;
        let now = self.clock.now();
        let bearer = new_bearer(now, &*self.chance);
        let (owner, id) = (&config.organization.id, id_of(&bearer));
        let place = format!("dialog-token:{}", id.as_str());
        let own_token = self.vault.seal(&self.db, owner, &place, asked.token.reveal().as_bytes()).await?;
        let stage = |connected| Stage::first(landing.framed, opening(&definition, false, connected));
        let mut dialog = Dialog {
            id,
            organization: owner.clone(),
            environment: config.environment,
            jti: token_name(owner, config.environment, &claims.jti),
            integration: integration.id,
            connector,
            own_connector: integration.own_connector.clone(),
            visitor: claims.visitor,
            own_token: Some(own_token),
            inputs: None,
            stage: stage(None),
            version: 1,
            framed: landing.framed,
            parent: landing.parent.origin().cloned(),
            locale: landing.locale.to_owned(),
            announced_to: None,
            created: now,
            expires: now.plus_seconds(LIFETIME_S),
            replay_until: claims.replay_until,
        };
        let version = config.organization.config_version;
        let opened = dialogs::open(&self.db, &dialog, version, |tenant| stage(Some(tenant))).await?;
        if let Some(stage) = opened {
            dialog.stage = stage;
            self.fresh.put(dialog, Arc::clone(config));
            return Ok(bearer);
        }
        let message = "this token was used before; sign a new one, with a new jti, for every page view";
        let seen = serde_json::json!({ "jti": claims.jti, "sub": dialog.visitor.username });
        Err(Refusal::new(Code::TokenReplayed, message).of_claim("jti").seen(seen).into())
    }
}

fn unknown(landing: &Landing<'_>) -> Refusal {
    let message = "no organization of this name exists here; check the first part of the page's path";
    let seen = serde_json::json!({ "organization": shortened(landing.organization) });
    Refusal::new(Code::OrganizationUnknown, message).seen(seen)
}

/// In production only registered origins may frame a page. Decision: the Referer's origin is compared where
/// there is one. Attack: clickjacking by a page that the organization does not know. Trade: a page that sends
/// no Referer is left to `frame-ancestors`, which the browser enforces for every ancestor.
fn check_frame(landing: &Landing<'_>, config: &OrganizationConfig) -> Result<(), Refusal> {
    if !landing.framed || config.environment == Environment::Sandbox {
        return Ok(());
    }
    let parent = match &landing.parent {
        Parent::Unknown => return Ok(()),
        Parent::Origin(origin) if config.origins.contains(origin) => return Ok(()),
        Parent::Origin(origin) => origin.as_str(),
        Parent::Other(text) => text,
    };
    let message = format!("{parent} is not registered; add it with `vestibule origin add`");
    Err(Refusal::new(Code::FrameOriginForbidden, message)
        .seen(serde_json::json!({ "origin": shortened(parent) })))
}

/// The path's connector must be one of the integration's; the literal `connector` means its only one.
fn outside_connector(segment: &str, integration: &Integration) -> Result<Slug, Refusal> {
    let named = || integration.connectors.iter().map(Slug::as_str).collect::<Vec<_>>().join(", ");
    let seen = || serde_json::json!({ "connector": shortened(segment) });
    match (segment, integration.connectors.as_slice()) {
        ("connector", [only]) => Ok(only.clone()),
        ("connector", _) => {
            let message =
                format!("`{}` has several connectors; put one of {} in the path", integration.name, named());
            Err(Refusal::new(Code::ConnectorUnknown, message).seen(seen()))
        }
        (wanted, all) => all.iter().find(|slug| slug.as_str() == wanted).cloned().ok_or_else(|| {
            let message =
                format!("`{}` does not connect this system; it connects {}", integration.name, named());
            Refusal::new(Code::ConnectorUnknown, message).seen(seen())
        }),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}
