//! The browser's session with the gateway: who a partner has vouched for, since when, and until when.

use crate::account::PartnerUserId;
use crate::app::BackUrl;
use crate::context::ServiceContext;
use crate::entry::Order;
use crate::ids::{AppId, PartnerId, PersonId, SessionId};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Chance, Hashed, Plain, SafeUrl, SecretText, Time};
use serde::{Deserialize, Serialize};

/// What the cookie's secret begins with (lesson 8).
pub const COOKIE_PREFIX: &str = "vst_se_";
/// How a person came in, as `acr`: by the word of a partner, whatever that partner asked for.
pub const ACR: &str = "urn:vestibule:acr:partner";
/// `amr`: somebody else has signed the person in.
pub const AMR: &str = "fed";
/// The least time between two writes of [`Session::touched`], in seconds.
pub const TOUCH_S: i64 = 60;

/// How long sessions live, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Without any request.
    pub idle_s: i64,
    /// In all, since the partner vouched for the person.
    pub absolute_s: i64,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { idle_s: 8 * 3600, absolute_s: 24 * 3600 }
    }
}

/// What is kept of a session beside what is looked up by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionDetail {
    pub acr: String,
    pub amr: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federated_identity_provider: Option<String>,
    /// Who acts as the person: the partner's own id of that user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impersonator: Option<PartnerUserId>,
    /// The key of the session's navigation bar addresses; see [`Session::navbar_secret`].
    pub navbar: NavbarKey,
}

/// 256 random bits in base64url, which only the gateway knows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NavbarKey(String);

impl NavbarKey {
    fn new(chance: &dyn Chance) -> Self {
        Self(Plain::new(chance).reveal().to_owned())
    }
}

impl std::fmt::Debug for NavbarKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NavbarKey(..)")
    }
}

/// A session as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// `sid`. Public: it opens nothing.
    pub id: SessionId,
    /// SHA-256 of the cookie's secret; unique.
    pub secret: Hashed,
    pub partner: PartnerId,
    pub person: PersonId,
    /// What the partner calls its session, and may name to end it.
    pub partner_session: String,
    /// `auth_time`: when the partner last vouched for the person.
    pub authenticated: Time,
    pub detail: SessionDetail,
    pub created: Time,
    /// The last request, within [`TOUCH_S`].
    pub touched: Time,
    /// The absolute end.
    pub expires: Time,
    pub ended: Option<Time>,
}

/// What an entry said for one app within a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionApp {
    pub session: SessionId,
    pub app: AppId,
    pub context: ServiceContext,
    /// Checked when the entry code was made.
    pub back_url: Option<String>,
    pub back_url_text: Option<String>,
    pub entered: Time,
}

impl SessionApp {
    /// What the order of a redeemed code says for its app.
    pub fn of(session: &SessionId, order: &Order, now: Time) -> Self {
        let back_url = match &order.back_url {
            BackUrl::Kept(url) => Some(url.as_str().to_owned()),
            BackUrl::None | BackUrl::Dropped(_) => None,
        };
        Self {
            session: session.clone(),
            app: order.app.clone(),
            context: order.context.clone(),
            // A text without a button says nothing.
            back_url_text: back_url.as_ref().and(order.back_url_text.clone()),
            back_url,
            entered: now,
        }
    }
}

/// What becomes of the session that the browser had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// There was none.
    None,
    /// It is this same session; its record is replaced.
    Renewed,
    /// The same person's, from another sign-in at the partner: no cookie opens it any more, but the apps that
    /// were entered in it go on until it ends. To be stored.
    Left(Session),
    /// Another person's: it has ended. To be stored, and its apps to be told.
    Ended(Session),
}

/// An opened session: the cookie's secret, shown once, and what to store.
#[derive(Debug)]
pub struct Opened {
    pub cookie: Plain,
    pub session: Session,
    pub before: Before,
}

impl Session {
    /// Opens the session of a redeemed code for `person`; `live` is what the browser's cookie led to.
    ///
    /// Decision (lesson 19): every entry gives the browser a new secret, and the old one is dead from then on, so
    /// that a cookie that somebody planted or copied before the entry opens nothing afterwards. `sid` stays only
    /// where the partner names the same session of the same person again, because the apps know the session by
    /// it and a logout must reach them all.
    pub fn open(
        order: &Order,
        person: &PersonId,
        live: Option<Self>,
        limits: SessionLimits,
        now: Time,
        chance: &dyn Chance,
    ) -> Opened {
        let cookie = Plain::with_prefix(COOKIE_PREFIX, chance);
        let fresh = Self {
            id: SessionId::new(now, chance),
            secret: cookie.hashed(),
            partner: order.identity.partner.clone(),
            person: person.clone(),
            partner_session: order.partner_session.clone(),
            authenticated: now,
            detail: SessionDetail {
                acr: ACR.to_owned(),
                amr: vec![AMR.to_owned()],
                federated_identity_provider: order.federated_identity_provider.clone(),
                impersonator: order.impersonator.clone(),
                navbar: NavbarKey::new(chance),
            },
            created: now,
            touched: now,
            expires: now.plus_seconds(limits.absolute_s),
            ended: None,
        };
        let Some(old) = live.filter(|old| old.is_live(now, limits)) else {
            return Opened { cookie, session: fresh, before: Before::None };
        };
        let same_person = old.person == fresh.person
            && old.partner == fresh.partner
            && old.detail.impersonator == fresh.detail.impersonator;
        if !same_person {
            return Opened { cookie, session: fresh, before: Before::Ended(old.end(now)) };
        }
        if old.partner_session != fresh.partner_session {
            let left = Self { secret: Plain::new(chance).hashed(), ..old };
            return Opened { cookie, session: fresh, before: Before::Left(left) };
        }
        // The navigation bars that are open in other tabs keep their addresses.
        let detail = SessionDetail { navbar: old.detail.navbar, ..fresh.detail };
        let session = Self { id: old.id, created: old.created, detail, ..fresh };
        Opened { cookie, session, before: Before::Renewed }
    }

    /// Whether it still opens anything: neither ended nor past one of its two ends.
    pub fn is_live(&self, now: Time, limits: SessionLimits) -> bool {
        self.ended.is_none() && now < self.expires && now < self.touched.plus_seconds(limits.idle_s)
    }

    /// The time to store as [`Self::touched`], where it is to be written: at most once in [`TOUCH_S`], because a
    /// page asks for many things at once and none of them is worth a write.
    pub fn touch(&self, now: Time) -> Option<Time> {
        (now.seconds_since(self.touched) >= TOUCH_S).then_some(now)
    }

    /// Ends it. A session that has ended stays as it is.
    #[must_use]
    pub fn end(self, now: Time) -> Self {
        Self { ended: self.ended.or(Some(now)), ..self }
    }

    /// Its age in whole seconds since the partner vouched for the person, for `max_age`.
    pub fn authenticated_for(&self, now: Time) -> i64 {
        now.seconds_since(self.authenticated).max(0)
    }

    /// The secret last segment of the session's navigation bar address for one app. Made from the session's key,
    /// so that it needs no row of its own, is the same in every token, and dies with the session.
    pub fn navbar_secret(&self, app: &AppId) -> SecretText {
        let key = Key::new(HMAC_SHA256, self.detail.navbar.0.as_bytes());
        let tag = sign(&key, format!("navbar:{}:{app}", self.id).as_bytes());
        SecretText::new(URL_SAFE_NO_PAD.encode(tag))
    }

    /// `product_navbar_data_url`: `/navbar/data/{sid}/{app}/{secret}` at the issuer.
    pub fn navbar_url(&self, issuer: &SafeUrl, app: &AppId) -> String {
        let secret = self.navbar_secret(app);
        format!("{}/navbar/data/{}/{app}/{}", issuer.origin(), self.id, secret.reveal())
    }

    /// Whether `secret` is that of this session's address for `app`; compared in constant time.
    pub fn knows_navbar_secret(&self, app: &AppId, secret: &str) -> bool {
        Plain::presented(secret).hashed() == Plain::presented(self.navbar_secret(app).reveal()).hashed()
    }
}
