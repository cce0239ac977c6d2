//! What is known of a browser and of the place that an authorize request is for, in one statement.

use crate::db::{Db, DbError, Row, sql};
use crate::revision::present;
use crate::standings::{Revision, entry, revision};
use crate::statements::statements;
use crate::{accounts, people, sessions};
use enter::account::{Account, Person};
use enter::ids::{AccountId, AppId, ClientId, PartnerId};
use enter::oidc::consent::Consent;
use enter::session::{Session, SessionApp};
use kernel::{Environment, Hashed};

statements! {
    // Whose session it is, is told apart from whose the place is: the rules compare them.
    VISIT = concat!("SELECT ", present!(), ", c.id, c.version, c.disabled_at,
        a.id, a.modified_at, CASE WHEN ao.disabled THEN COALESCE(a.disabled_at, a.modified_at) ELSE a.disabled_at END,
        v.app_id IS NOT NULL, r.roles, n.scopes, n.given_at,
        s.id, s.hash, s.partner_id, s.person_id, s.partner_session, s.authenticated_at, s.detail, s.created_at,
        s.touched_at, s.expires_at, s.ended_at,
        e.entered_at, e.account_id, e.back_url, e.back_url_text,
        u.id, u.partner_id, u.partner_user, u.email, u.email_verified, u.given_name, u.family_name, u.locale,
        u.picture, u.disabled_at,
        p.id, p.modified_at, CASE WHEN po.disabled THEN COALESCE(p.disabled_at, p.modified_at) ELSE p.disabled_at END,
        k.id, k.partner_id, k.name, k.customer_identifier, k.disabled_at,
        t.id, t.modified_at, CASE WHEN o.disabled THEN COALESCE(t.disabled_at, t.modified_at) ELSE t.disabled_at END
        FROM clients AS c
        JOIN apps AS a ON a.id = c.app_id
        JOIN organizations AS ao ON ao.id = a.organization_id
        LEFT JOIN sessions AS s ON s.hash = $2 AND s.environment = $3
        LEFT JOIN session_apps AS e ON e.session_id = s.id AND e.app_id = a.id
        LEFT JOIN people AS u ON u.id = s.person_id
        LEFT JOIN partners AS p ON p.id = s.partner_id AND p.environment = $3
        LEFT JOIN organizations AS po ON po.id = p.organization_id
        LEFT JOIN accounts AS k ON k.id = $4 AND k.environment = $3
        LEFT JOIN partners AS t ON t.id = COALESCE(k.partner_id, $5) AND t.environment = $3
        LEFT JOIN organizations AS o ON o.id = t.organization_id
        LEFT JOIN activations AS v ON v.app_id = a.id AND v.account_id = k.id
        LEFT JOIN associations AS r ON r.person_id = s.person_id AND r.account_id = k.id
        LEFT JOIN consents AS n ON n.person_id = s.person_id AND n.client_id = c.id
        WHERE c.id = $1 AND a.environment = $3");
    ENTERED = concat!("SELECT ", present!(), ", a.id, a.modified_at,
        CASE WHEN o.disabled THEN COALESCE(a.disabled_at, a.modified_at) ELSE a.disabled_at END,
        v.app_id IS NOT NULL, k.id, k.partner_id, k.name, k.customer_identifier, k.disabled_at
        FROM apps AS a
        JOIN organizations AS o ON o.id = a.organization_id
        LEFT JOIN accounts AS k ON k.id = $3 AND k.environment = $2
        LEFT JOIN activations AS v ON v.app_id = a.id AND v.account_id = k.id
        WHERE a.id = $1 AND a.environment = $2");
}

/// What an entry is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    /// The revision at which this was read; see [`crate::revision`].
    pub revision: i64,
    pub app: Revision<AppId>,
    pub account: Option<Account>,
    /// Whether the app was activated for the account.
    pub activated: bool,
}

/// `None` where there is no such app in this environment.
///
/// # Errors
/// [`DbError`].
pub async fn entered(
    db: &Db,
    environment: Environment,
    app: &AppId,
    account: Option<&AccountId>,
) -> Result<Option<Entered>, DbError> {
    let row = db.maybe(sql(ENTERED).bind(app).bind(environment).bind(account)).await?;
    let entered = |mut row: Row| {
        let (at, app, activated) = (row.take()?, revision(&mut row)?, row.take()?);
        Ok(Entered { revision: at, app, activated, account: row.maybe(5, accounts::account)? })
    };
    row.map(entered).transpose()
}

/// Who asks for what.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub client: &'a ClientId,
    /// Of the session's cookie.
    pub session: Option<&'a Hashed>,
    /// Of the request's context, one of both at most.
    pub account: Option<&'a AccountId>,
    pub partner: Option<&'a PartnerId>,
}

/// Everything as it is; also what is over or switched off: the rules decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The revision at which all but session, entry and consent was read; see [`crate::revision`].
    pub revision: i64,
    pub client: Revision<ClientId>,
    pub app: Revision<AppId>,
    /// Whether the app was activated for the account.
    pub activated: bool,
    /// Of the session's person at the account.
    pub roles: Option<Vec<String>>,
    /// What that person allowed the client before.
    pub consent: Option<Consent>,
    pub session: Option<Session>,
    /// What the session's entry for the app said.
    pub entry: Option<SessionApp>,
    pub person: Option<Person>,
    pub partner: Option<Revision<PartnerId>>,
    pub account: Option<Account>,
    /// The account's partner, or the one that was asked for.
    pub place: Option<Revision<PartnerId>>,
}

/// `None` where there is no such client in this environment.
///
/// # Errors
/// [`DbError`].
pub async fn find(db: &Db, environment: Environment, wanted: Wanted<'_>) -> Result<Option<Visit>, DbError> {
    let query = sql(VISIT).bind(wanted.client).bind(wanted.session).bind(environment);
    let Some(mut row) = db.maybe(query.bind(wanted.account).bind(wanted.partner)).await? else {
        return Ok(None);
    };
    let at = row.take()?;
    let (client, app) = (revision::<ClientId>(&mut row)?, revision::<AppId>(&mut row)?);
    let (activated, roles) = (row.take()?, row.take_json_or_null()?);
    let allowed = row.maybe(2, |row| Ok((row.take_json()?, row.take()?)))?;
    let session = row.maybe(11, sessions::session)?;
    let entry = match &session {
        Some(session) => entry(&mut row, session, &app.id)?,
        None => row.maybe(4, |_| Err(DbError::Corrupt("an entry without its session".to_owned())))?,
    };
    let person = row.maybe(10, people::person)?;
    let partner = row.maybe(3, revision)?;
    let account = row.maybe(5, accounts::account)?;
    let place = row.maybe(3, revision)?;
    let consent = allowed.zip(person.as_ref()).map(|((scopes, given), person)| Consent {
        person: person.id.clone(),
        client: client.id.clone(),
        scopes,
        given,
    });
    Ok(Some(Visit {
        revision: at,
        client,
        app,
        activated,
        roles,
        consent,
        session,
        entry,
        person,
        partner,
        account,
        place,
    }))
}
