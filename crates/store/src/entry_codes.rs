//! Entry codes, found by their hash.

use crate::db::{Db, DbError, Query, Row, Tx, json, sql};
use crate::revision::present;
use crate::standings::{Revision, revision};
use crate::statements::statements;
use crate::{accounts, people, session_apps, sessions};
use enter::account::{Account, Identity, PartnerUserId, Person};
use enter::app::BackUrl;
use enter::context::ServiceContext;
use enter::domain::{PageUrl, ReturnUrl};
use enter::entry::{EntryCode, NextUrl, Nonce, Order, State};
use enter::ids::{AppId, PartnerId, sortable};
use enter::session::{Session, SessionApp};
use kernel::{Environment, Hashed, SafeUrl, Time};
use serde::{Deserialize, Serialize};

statements! {
    INSERT = "INSERT INTO entry_codes (hash, environment, partner_id, app_id, partner_user, account_id, ordered,
        issued_at, redeemed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    // What was decided from memory is confirmed with the row. SQLite does it in two statements, of which the second writes
    // one row and nothing else; PostgreSQL takes the codes of all who ask meanwhile in one.
    CONFIRMED = concat!("SELECT 1 WHERE COALESCE($1, ", present!(), ") = ", present!(), "
        AND NOT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = $2)");
    INSERT_CONFIRMED = "WITH new (hash, environment, partner_id, app_id, partner_user, account_id, ordered, issued_at,
            redeemed_at, revision, jti) AS (VALUES ($1, $2, $3, $4, $5, $6, $7, CAST($8 AS BIGINT), CAST($9 AS BIGINT),
            CAST($10 AS BIGINT), $11))
        INSERT INTO entry_codes (hash, environment, partner_id, app_id, partner_user, account_id, ordered, issued_at,
            redeemed_at)
        SELECT new.hash, new.environment, new.partner_id, new.app_id, new.partner_user, new.account_id, new.ordered,
            new.issued_at, new.redeemed_at
        FROM new JOIN revisions AS r ON r.name = 'second_door' AND r.value = COALESCE(new.revision, r.value)
        WHERE NOT EXISTS (SELECT 1 FROM revoked_tokens AS v WHERE v.jti = new.jti) RETURNING hash";
    // The code with everything that its entry depends on, and the session of the browser that brings it.
    ARRIVAL = concat!("SELECT ", present!(), ", x.hash, x.partner_id, x.app_id, x.ordered, x.issued_at, x.redeemed_at,
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
        WHERE x.hash = $1 AND x.environment = $2");
    // The NULL guard is the one thing that makes a code single-use: of any number of browsers at once, on any node,
    // one sees its row written.
    MARK_REDEEMED = "UPDATE entry_codes SET redeemed_at = $3
        WHERE hash = $1 AND environment = $2 AND redeemed_at IS NULL";
    // All that an entry which is written at once could fail by: SQLite asks it first, PostgreSQL within `ENTER`.
    UNUSED = concat!("SELECT 1 FROM entry_codes WHERE hash = $1 AND environment = $2 AND redeemed_at IS NULL
        AND $3 = ", present!());
    DELETE_BEFORE = "DELETE FROM entry_codes WHERE hash IN
        (SELECT hash FROM entry_codes WHERE hash < $1 ORDER BY hash LIMIT $2)";
}

// Uses a code up with all that an entry writes whose user is known and whose browser had no session: a new session, and
// what the entry says for its app. It was decided by what was read at a revision, which is confirmed with it. All who come
// meanwhile go in one statement, in which a code that several bring is used by the one that `used` names.
const ENTER: &str = "WITH new (session_id, code, environment, at, revision, hash, partner_id, person_id, partner_session, detail,
            expires_at, app_id, account_id, back_url, back_url_text) AS (VALUES ($1, $2, $3, CAST($4 AS BIGINT),
            CAST($5 AS BIGINT), $6, $7, $8, $9, $10, CAST($11 AS BIGINT), $12, $13, $14, $15)),
        used AS (UPDATE entry_codes AS x SET redeemed_at = new.at
            FROM new JOIN revisions AS r ON r.name = 'second_door' AND r.value = new.revision
            WHERE x.hash = new.code AND x.environment = new.environment AND x.redeemed_at IS NULL
            RETURNING new.session_id),
        opened AS (INSERT INTO sessions (id, hash, environment, partner_id, person_id, partner_session, authenticated_at,
            detail, created_at, touched_at, expires_at)
            SELECT new.session_id, new.hash, new.environment, new.partner_id, new.person_id, new.partner_session, new.at,
            new.detail, new.at, new.at, new.expires_at FROM new JOIN used ON used.session_id = new.session_id)
        INSERT INTO session_apps (session_id, app_id, account_id, back_url, back_url_text, entered_at)
        SELECT new.session_id, new.app_id, new.account_id, new.back_url, new.back_url_text, new.at
        FROM new JOIN used ON used.session_id = new.session_id RETURNING session_id";

/// The texts that only PostgreSQL is told.
pub(crate) const ON_POSTGRES: &[(&str, &str)] = &[("entry_codes::ENTER", ENTER)];

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

/// What a code was made by: the caller's token, and the revision of what was in memory ([`crate::revision`]), `None` where
/// everything was just read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MadeBy {
    pub revision: Option<i64>,
    /// Of an access token; empty where there is none.
    pub jti: String,
}

/// A fresh code, by itself. `false` where what it was made by is no more: nothing is kept then.
///
/// # Errors
/// [`DbError`].
pub async fn insert(
    db: &Db,
    environment: Environment,
    new: &EntryCode,
    by: &MadeBy,
) -> Result<bool, DbError> {
    if db.engine() == "postgres" {
        let query = inserting(INSERT_CONFIRMED, environment, new)?.for_many();
        return Ok(db.execute(query.bind(by.revision).bind(&by.jti)).await? > 0);
    }
    let confirmed = sql(CONFIRMED).bind(by.revision).bind(&by.jti);
    let query = inserting(INSERT, environment, new)?;
    Ok(db.write_after(confirmed, move |_| Ok((query, ()))).await?.is_some())
}

fn inserting(text: &'static str, environment: Environment, new: &EntryCode) -> Result<Query, DbError> {
    let redeemed = match new.state {
        State::Issued => None,
        State::Redeemed { at } => Some(at),
    };
    let order = &new.order;
    let query = sql(text).bind(&new.hash).bind(environment).bind(&order.identity.partner);
    let query = query.bind(&order.app).bind(&order.identity.partner_user).bind(order.context.account());
    Ok(query.bind(json(&Ordered::from(order))?).bind(new.issued).bind(redeemed))
}

/// A code with everything that its entry depends on; also what is over or switched off: the rules decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// The revision at which all but code and session was read; see [`crate::revision`].
    pub revision: i64,
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
        revision: row.take()?,
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

/// An entry whose user is known and whose browser had no session.
#[derive(Debug, Clone, Copy)]
pub struct FreshEntry<'a> {
    pub environment: Environment,
    /// The code's hash.
    pub code: &'a Hashed,
    /// Opened by it, at the time of the entry.
    pub session: &'a Session,
    /// What the entry says for its app.
    pub entry: &'a SessionApp,
    /// The revision at which all of it was decided; see [`crate::revision`].
    pub revision: i64,
}

/// Uses the code up and opens the session. `false` where the code was used, or something has changed: nothing is
/// written then.
///
/// # Errors
/// [`DbError`].
pub async fn enter(db: &Db, new: &FreshEntry<'_>) -> Result<bool, DbError> {
    let FreshEntry { environment, code, session, entry, revision } = *new;
    let at = session.created;
    if db.engine() == "postgres" {
        let query =
            sql(ENTER).for_many().bind(&session.id).bind(code).bind(environment).bind(at).bind(revision);
        let query = query.bind(&session.secret).bind(&session.partner).bind(&session.person);
        let query = query.bind(&session.partner_session).bind(json(&session.detail)?).bind(session.expires);
        let query = query.bind(&entry.app).bind(entry.context.account());
        let query = query.bind(entry.back_url.as_deref()).bind(entry.back_url_text.as_deref());
        return Ok(db.write_one(query).await?.is_some());
    }
    let unused = sql(UNUSED).bind(code).bind(environment).bind(revision);
    let used = sql(MARK_REDEEMED).bind(code).bind(environment).bind(at);
    let opened = sessions::inserting(environment, session)?;
    let read = db.write_all_after(unused, vec![used, opened, session_apps::inserting(entry)]).await?;
    Ok(read.is_some())
}

/// Deletes at most `limit` codes from before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_before(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_BEFORE).bind(sortable(before)).bind(limit).execute(tx).await
}
