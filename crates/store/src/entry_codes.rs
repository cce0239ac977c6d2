//! Entry codes, found by their hash.

use crate::db::{Db, DbError, Row, Tx, json, sql};
use crate::standings::{Revision, revision};
use crate::statements::statements;
use crate::{accounts, people, sessions};
use enter::account::{Account, Identity, PartnerUserId, Person};
use enter::app::BackUrl;
use enter::context::ServiceContext;
use enter::domain::{PageUrl, ReturnUrl};
use enter::entry::{EntryCode, NextUrl, Nonce, Order, State};
use enter::ids::{AppId, PartnerId, sortable};
use enter::session::Session;
use kernel::{Environment, Hashed, SafeUrl, Time};
use serde::{Deserialize, Serialize};

statements! {
    INSERT = "INSERT INTO entry_codes (hash, environment, partner_id, app_id, partner_user, account_id, ordered,
        issued_at, redeemed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    // The code with everything that its entry depends on, and the session of the browser that brings it.
    ARRIVAL = "SELECT x.hash, x.partner_id, x.app_id, x.ordered, x.issued_at, x.redeemed_at,
        p.id, p.modified_at, CASE WHEN po.disabled THEN COALESCE(p.disabled_at, p.modified_at) ELSE p.disabled_at END,
        a.id, a.modified_at, CASE WHEN ao.disabled THEN COALESCE(a.disabled_at, a.modified_at) ELSE a.disabled_at END,
        v.app_id IS NOT NULL, r.roles,
        k.id, k.partner_id, k.name, k.customer_identifier, k.disabled_at,
        u.id, u.partner_id, u.partner_user, u.email, u.email_verified, u.given_name, u.family_name, u.locale,
        u.picture, u.disabled_at,
        s.id, s.hash, s.partner_id, s.person_id, s.partner_session, s.authenticated_at, s.detail, s.created_at,
        s.touched_at, s.expires_at, s.ended_at,
        h.id, h.partner_id, h.partner_user, h.email, h.email_verified, h.given_name, h.family_name, h.locale,
        h.picture, h.disabled_at,
        t.id, t.modified_at, CASE WHEN o.disabled THEN COALESCE(t.disabled_at, t.modified_at) ELSE t.disabled_at END
        FROM entry_codes AS x
        JOIN partners AS p ON p.id = x.partner_id AND p.environment = $2
        JOIN organizations AS po ON po.id = p.organization_id
        JOIN apps AS a ON a.id = x.app_id AND a.environment = $2
        JOIN organizations AS ao ON ao.id = a.organization_id
        LEFT JOIN people AS u ON u.partner_id = x.partner_id AND u.partner_user = x.partner_user
        LEFT JOIN accounts AS k ON k.id = x.account_id AND k.environment = $2
        LEFT JOIN activations AS v ON v.app_id = a.id AND v.account_id = k.id
        LEFT JOIN associations AS r ON r.person_id = u.id AND r.account_id = k.id
        LEFT JOIN sessions AS s ON s.hash = $3 AND s.environment = $2
        LEFT JOIN people AS h ON h.id = s.person_id
        LEFT JOIN partners AS t ON t.id = s.partner_id AND t.environment = $2
        LEFT JOIN organizations AS o ON o.id = t.organization_id
        WHERE x.hash = $1 AND x.environment = $2";
    // The NULL guard is the one thing that makes a code single-use: of any number of browsers at once, on any node,
    // one sees its row written.
    MARK_REDEEMED = "UPDATE entry_codes SET redeemed_at = $3
        WHERE hash = $1 AND environment = $2 AND redeemed_at IS NULL";
    DELETE_BEFORE = "DELETE FROM entry_codes WHERE hash IN
        (SELECT hash FROM entry_codes WHERE hash < $1 ORDER BY hash LIMIT $2)";
}

/// What the partner ordered, as the column has it; partner, app and user stand in columns of their own. What was not
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
        let page = self.page.map(PageUrl::from_stored);
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

fn code(row: &mut Row) -> Result<EntryCode, DbError> {
    let (hash, partner, app) = (row.take()?, row.take()?, row.take()?);
    let ordered: Ordered = row.take_json()?;
    let (issued, redeemed) = (row.take()?, row.take::<Option<Time>>()?);
    let state = redeemed.map_or(State::Issued, |at| State::Redeemed { at });
    Ok(EntryCode { hash, order: ordered.order(partner, app)?, issued, state })
}

/// A fresh code, by itself.
///
/// # Errors
/// [`DbError`].
pub async fn insert(db: &Db, environment: Environment, new: &EntryCode) -> Result<(), DbError> {
    let redeemed = match new.state {
        State::Issued => None,
        State::Redeemed { at } => Some(at),
    };
    let order = &new.order;
    let query = sql(INSERT).bind(&new.hash).bind(environment).bind(&order.identity.partner);
    let query = query.bind(&order.app).bind(&order.identity.partner_user).bind(order.context.account());
    let query = query.bind(json(&Ordered::from(order))?).bind(new.issued).bind(redeemed);
    db.execute(query).await.map(drop)
}

/// A code with everything that its entry depends on; also what is over or switched off: the rules decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    pub code: EntryCode,
    pub partner: Revision<PartnerId>,
    pub app: Revision<AppId>,
    /// Whether the app was activated for the account.
    pub activated: bool,
    /// Of the person at the account.
    pub roles: Option<Vec<String>>,
    pub account: Option<Account>,
    /// The user of this identity, where there is one.
    pub person: Option<Person>,
    /// The browser's, with whose it is.
    pub session: Option<Session>,
    pub holder: Option<Person>,
    pub holders_partner: Option<Revision<PartnerId>>,
}

/// By the hash of what a browser presented, which is what names it, and the one of its cookie. `None` also where the
/// code's partner or app is gone.
///
/// # Errors
/// [`DbError`].
pub async fn arrival(
    db: &Db,
    environment: Environment,
    hash: &Hashed,
    session: Option<&Hashed>,
) -> Result<Option<Arrived>, DbError> {
    let query = sql(ARRIVAL).bind(hash).bind(environment).bind(session);
    let Some(mut row) = db.maybe(query).await? else { return Ok(None) };
    let row = &mut row;
    Ok(Some(Arrived {
        code: code(row)?,
        partner: revision(row)?,
        app: revision(row)?,
        activated: row.take()?,
        roles: row.take_json_or_null()?,
        account: row.maybe(5, accounts::account)?,
        person: row.maybe(10, people::person)?,
        session: row.maybe(11, sessions::session)?,
        holder: row.maybe(10, people::person)?,
        holders_partner: row.maybe(3, revision)?,
    }))
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
    sql(DELETE_BEFORE).bind(sortable(before)).bind(limit).execute(tx).await
}
