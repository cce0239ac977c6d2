//! Entry codes, found by their hash.

use crate::db::{DbError, Row, Tx, json, sql};
use crate::statements::statements;
use enter::account::{Identity, PartnerUserId};
use enter::app::BackUrl;
use enter::context::ServiceContext;
use enter::domain::ReturnUrl;
use enter::entry::{EntryCode, NextUrl, Nonce, Order, State};
use enter::ids::{AppId, PartnerId};
use kernel::{Environment, Hashed, SafeUrl, Time};
use serde::{Deserialize, Serialize};

statements! {
    INSERT = "INSERT INTO entry_codes (hash, environment, partner_id, app_id, ordered, issued_at, redeemed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    BY_HASH = "SELECT hash, partner_id, app_id, ordered, issued_at, redeemed_at
        FROM entry_codes WHERE hash = $1 AND environment = $2";
    // The NULL guard is the one thing that makes a code single-use: of any number of browsers at once, on any node,
    // one sees its row written.
    MARK_REDEEMED = "UPDATE entry_codes SET redeemed_at = $3
        WHERE hash = $1 AND environment = $2 AND redeemed_at IS NULL";
    DELETE_BEFORE = "DELETE FROM entry_codes WHERE hash IN
        (SELECT hash FROM entry_codes WHERE issued_at < $1 ORDER BY issued_at LIMIT $2)";
}

/// What the partner ordered, as the column has it; partner and app stand in columns of their own. What was not
/// there is left out, so that rows of earlier versions can be read.
#[derive(Serialize, Deserialize)]
struct Ordered {
    user: PartnerUserId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Encoded.
    context: String,
    session: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<Nonce>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    back_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    back_url_text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    federated_identity_provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    impersonator: Option<PartnerUserId>,
}

impl From<&Order> for Ordered {
    fn from(order: &Order) -> Self {
        let pending = match &order.next_url {
            NextUrl::Pending(nonce) => Some(nonce.clone()),
            NextUrl::None | NextUrl::Page(_) => None,
        };
        // A dropped address was recorded when the code was made; from then on it is as if there had been none.
        let back_url = match &order.back_url {
            BackUrl::Kept(url) => Some(url.as_str().to_owned()),
            BackUrl::None | BackUrl::Dropped(_) => None,
        };
        Self {
            user: order.identity.partner_user.clone(),
            email: order.email.clone(),
            context: order.context.encoded(),
            session: order.partner_session.clone(),
            pending,
            page: order.next_url.page().map(|page| page.as_str().to_owned()),
            back_url,
            back_url_text: order.back_url_text.clone(),
            federated_identity_provider: order.federated_identity_provider.clone(),
            impersonator: order.impersonator.clone(),
        }
    }
}

impl Ordered {
    fn order(self, partner: PartnerId, app: AppId) -> Result<Order, DbError> {
        let corrupt = |what: &str| DbError::Corrupt(format!("an entry code's {what} cannot be read"));
        let url = |text: String| SafeUrl::parse(&text).map(ReturnUrl::from_stored);
        let page = self.page.map(url).transpose().map_err(|_| corrupt("page"))?;
        let back_url = self.back_url.map(url).transpose().map_err(|_| corrupt("back_url"))?;
        Ok(Order {
            identity: Identity { partner, partner_user: self.user },
            email: self.email,
            app,
            context: ServiceContext::parse(&self.context).map_err(|_| corrupt("context"))?,
            partner_session: self.session,
            next_url: match (self.pending, page) {
                (Some(nonce), _) => NextUrl::Pending(nonce),
                (None, Some(page)) => NextUrl::Page(page),
                (None, None) => NextUrl::None,
            },
            back_url: back_url.map_or(BackUrl::None, BackUrl::Kept),
            back_url_text: self.back_url_text,
            federated_identity_provider: self.federated_identity_provider,
            impersonator: self.impersonator,
        })
    }
}

fn code(mut row: Row) -> Result<EntryCode, DbError> {
    let (hash, partner, app) = (row.take()?, row.take()?, row.take()?);
    let ordered: Ordered = row.take_json()?;
    let (issued, redeemed) = (row.take()?, row.take::<Option<Time>>()?);
    let state = redeemed.map_or(State::Issued, |at| State::Redeemed { at });
    Ok(EntryCode { hash, order: ordered.order(partner, app)?, issued, state })
}

/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, environment: Environment, new: &EntryCode) -> Result<(), DbError> {
    let redeemed = match new.state {
        State::Issued => None,
        State::Redeemed { at } => Some(at),
    };
    let query = sql(INSERT).bind(&new.hash).bind(environment).bind(&new.order.identity.partner);
    let query = query.bind(&new.order.app).bind(json(&Ordered::from(&new.order))?);
    query.bind(new.issued).bind(redeemed).execute(tx).await.map(drop)
}

/// By the hash of what a browser presented, which is what names it. Also a used or late one: the rule decides.
///
/// # Errors
/// [`DbError`].
pub async fn by_hash(
    tx: &mut Tx,
    environment: Environment,
    hash: &Hashed,
) -> Result<Option<EntryCode>, DbError> {
    sql(BY_HASH).bind(hash).bind(environment).maybe(tx).await?.map(code).transpose()
}

/// Uses the code up: `true` for exactly one browser.
///
/// # Errors
/// [`DbError`].
pub async fn mark_redeemed(
    tx: &mut Tx,
    environment: Environment,
    hash: &Hashed,
    at: Time,
) -> Result<bool, DbError> {
    sql(MARK_REDEEMED).bind(hash).bind(environment).bind(at).wrote(tx).await
}

/// Deletes at most `limit` codes from before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_before(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_BEFORE).bind(before).bind(limit).execute(tx).await
}
