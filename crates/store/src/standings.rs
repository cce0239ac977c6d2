//! What a grant rests on, in one statement, whichever of its tokens is shown.
//!
//! Clients, apps and partners change seldom and are wide, so that of them only the revision is read: callers keep the
//! rest in memory and compare. Everything else is read as it is now.

use crate::db::{Db, DbError, Row, Tx, sql};
use crate::revision::present;
use crate::sessions;
use crate::statements::statements;
use enter::account::Person;
use enter::context::ServiceContext;
use enter::ids::{AccountId, AppId, ClientId, GrantId, PartnerId};
use enter::oidc::{AuthorizationCode, CodeState, Grant, RefreshState, RefreshToken};
use enter::session::{Session, SessionApp};
use kernel::{Environment, Hashed, Time};

/// Something that callers have in memory, as it is now: one of another revision is to be read anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision<I> {
    pub id: I,
    /// Another one after every change.
    pub version: i64,
    /// Since when it is switched off, by itself or with its organization.
    pub disabled: Option<Time>,
}

/// All that a grant rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rests {
    /// The revision at which all but grant, session and entry was read; see [`crate::revision`].
    pub revision: i64,
    pub grant: Grant,
    pub client: Revision<ClientId>,
    pub app: Revision<AppId>,
    pub partner: Revision<PartnerId>,
    pub session: Session,
    pub person: Person,
    /// What the entry for this app said.
    pub entry: Option<SessionApp>,
    /// The grant's account is there, is the partner's, and is switched on.
    pub account_live: bool,
    /// The app was activated for it.
    pub activated: bool,
    /// The person's roles at it; `None` without an association.
    pub roles: Option<Vec<String>>,
}

/// A refresh token with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    pub token: RefreshToken,
    /// What was given out for it last.
    pub successor: Option<RefreshToken>,
    /// Its place in its family.
    pub number: i64,
    /// How many tokens the family has: the one that is written next has the number after it.
    pub last: i64,
}

/// A client, an app and a partner by their revisions: the columns that [`revision`] reads.
macro_rules! revisions {
    () => {
        "c.id, c.version, c.disabled_at,
        a.id, a.modified_at, CASE WHEN ao.disabled THEN COALESCE(a.disabled_at, a.modified_at) ELSE a.disabled_at END,
        p.id, p.modified_at, CASE WHEN po.disabled THEN COALESCE(p.disabled_at, p.modified_at) ELSE p.disabled_at END"
    };
}

macro_rules! columns {
    () => {
        concat!(
            present!(),
            ", g.id, g.client_id, g.person_id, g.session_id, g.account_id, g.scopes, g.claims, g.created_at,
            g.expires_at, g.revoked_at, ",
            revisions!(),
            ", s.id, s.hash, s.partner_id, s.person_id, s.partner_session, s.authenticated_at, s.detail, s.created_at,
            s.touched_at, s.expires_at, s.ended_at,
            u.id, u.partner_id, u.partner_user, u.email, u.email_verified, u.given_name, u.family_name, u.locale,
            u.picture, u.disabled_at,
            e.entered_at, e.account_id, e.back_url, e.back_url_text,
            k.id IS NOT NULL, v.app_id IS NOT NULL, r.roles"
        )
    };
}

macro_rules! rests {
    () => {
        "FROM grants AS g
        JOIN clients AS c ON c.id = g.client_id
        JOIN apps AS a ON a.id = c.app_id
        JOIN organizations AS ao ON ao.id = a.organization_id
        JOIN sessions AS s ON s.id = g.session_id
        JOIN partners AS p ON p.id = s.partner_id
        JOIN organizations AS po ON po.id = p.organization_id
        JOIN people AS u ON u.id = g.person_id
        LEFT JOIN session_apps AS e ON e.session_id = s.id AND e.app_id = a.id
        LEFT JOIN accounts AS k ON k.id = g.account_id AND k.environment = $2 AND k.partner_id = s.partner_id
            AND k.disabled_at IS NULL
        LEFT JOIN activations AS v ON v.app_id = a.id AND v.account_id = g.account_id
        LEFT JOIN associations AS r ON r.person_id = g.person_id AND r.account_id = g.account_id
        WHERE g.id = $1 AND a.environment = $2 AND s.environment = $2 AND p.environment = $2"
    };
}

statements! {
    OF_ACCESS_TOKEN = concat!("SELECT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = $3), ", columns!(), " ", rests!());
    OF_CODE = concat!("SELECT g.code_hash, g.redirect_uri, g.challenge, g.nonce, g.burnt_at,
        (SELECT issued_at FROM refresh_tokens WHERE grant_id = g.id AND number = 1), ", columns!(), " ", rests!());
    OF_REFRESH_TOKEN = concat!("SELECT (SELECT hash FROM refresh_tokens WHERE grant_id = g.id AND number = $3),
        (SELECT MAX(number) FROM refresh_tokens WHERE grant_id = g.id), ", columns!(), " ", rests!());
    // Whether what is in memory of a grant is still so: what is watched has one revision, grant and session are looked at.
    STILL = concat!("SELECT ", present!(), ", EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = $2) FROM grants AS g
        JOIN sessions AS s ON s.id = g.session_id
        WHERE g.id = $1 AND g.revoked_at IS NULL AND s.ended_at IS NULL");
    OF_CLIENT = "SELECT c.id, c.version, c.disabled_at,
        a.id, a.modified_at, CASE WHEN o.disabled THEN COALESCE(a.disabled_at, a.modified_at) ELSE a.disabled_at END
        FROM clients AS c JOIN apps AS a ON a.id = c.app_id JOIN organizations AS o ON o.id = a.organization_id
        WHERE c.id = $1 AND a.environment = $2";
    // A token's fate is told by the three that were given out next (see `fate`), and their own number by one more.
    NEXT = "SELECT number, hash, given_for, issued_at FROM refresh_tokens WHERE grant_id = $1 AND number >= $2
        ORDER BY number LIMIT 4";
}

pub(crate) fn revision<I: crate::db::FromCell>(row: &mut Row) -> Result<Revision<I>, DbError> {
    Ok(Revision { id: row.take()?, version: row.take()?, disabled: row.take()? })
}

fn rests(row: &mut Row) -> Result<Rests, DbError> {
    let revision = row.take()?;
    let grant = crate::grants::grant(row)?;
    let (client, app, partner) =
        (self::revision(row)?, self::revision(row)?, self::revision::<PartnerId>(row)?);
    let session = sessions::session(row)?;
    let person = crate::people::person(row)?;
    let entry = entry(row, &session, &app.id)?;
    let (account_live, activated, roles) = (row.take()?, row.take()?, row.take_json_or_null()?);
    Ok(Rests {
        revision,
        grant,
        client,
        app,
        partner,
        session,
        person,
        entry,
        account_live,
        activated,
        roles,
    })
}

/// What the entry for `app` said, from its four columns.
pub(crate) fn entry(row: &mut Row, session: &Session, app: &AppId) -> Result<Option<SessionApp>, DbError> {
    let (entered, account) = (row.take::<Option<Time>>()?, row.take::<Option<AccountId>>()?);
    let (back_url, back_url_text) = (row.take()?, row.take()?);
    // An entry that is for no account is for the session's own partner: no other context is let in.
    let partner = || ServiceContext::Partner(session.partner.clone());
    Ok(entered.map(|entered| SessionApp {
        session: session.id.clone(),
        app: app.clone(),
        context: account.map_or_else(partner, ServiceContext::Account),
        back_url,
        back_url_text,
        entered,
    }))
}

/// The revisions of a client and of its app.
///
/// # Errors
/// [`DbError`].
pub async fn of_client(
    tx: &mut Tx,
    environment: Environment,
    id: &ClientId,
) -> Result<Option<(Revision<ClientId>, Revision<AppId>)>, DbError> {
    let row = sql(OF_CLIENT).bind(id).bind(environment).maybe(tx).await?;
    row.map(|mut row| Ok((revision(&mut row)?, revision(&mut row)?))).transpose()
}

/// By the grant that an access token names, and whether the token itself was revoked.
///
/// # Errors
/// [`DbError`].
pub async fn of_access_token(
    db: &Db,
    environment: Environment,
    grant: &GrantId,
    jti: &str,
) -> Result<Option<(bool, Rests)>, DbError> {
    let row = db.maybe(sql(OF_ACCESS_TOKEN).bind(grant).bind(environment).bind(jti)).await?;
    row.map(|mut row| Ok((row.take()?, rests(&mut row)?))).transpose()
}

/// The revision at which what is in memory of a grant still counts; `None` where the grant has ended, its session has, or
/// the token with this `jti` was revoked by itself.
///
/// # Errors
/// [`DbError`].
pub async fn still(db: &Db, grant: &GrantId, jti: &str) -> Result<Option<i64>, DbError> {
    let Some(mut row) = db.maybe(sql(STILL).bind(grant).bind(jti)).await? else { return Ok(None) };
    let (revision, revoked) = (row.take()?, row.take::<bool>()?);
    Ok((!revoked).then_some(revision))
}

/// By the grant that an authorization code names. The caller compares the hash.
///
/// # Errors
/// [`DbError`].
pub async fn of_code(
    db: &Db,
    environment: Environment,
    grant: &GrantId,
) -> Result<Option<(AuthorizationCode, Rests)>, DbError> {
    let Some(mut row) = db.maybe(sql(OF_CODE).bind(grant).bind(environment)).await? else { return Ok(None) };
    let (hash, redirect_uri, challenge, nonce) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (burnt, redeemed) = (row.take::<Option<Time>>()?, row.take::<Option<Time>>()?);
    let rests = rests(&mut row)?;
    let state = redeemed.or(burnt).map_or(CodeState::Issued, |at| CodeState::Redeemed { at });
    let grant = &rests.grant;
    let code = AuthorizationCode {
        hash,
        client: grant.client.clone(),
        grant: grant.id.clone(),
        redirect_uri,
        challenge,
        nonce,
        scopes: grant.scopes.clone(),
        issued: grant.created,
        state,
    };
    Ok(Some((code, rests)))
}

/// By the grant and the number that a refresh token names, where `hash` is that token's.
///
/// # Errors
/// [`DbError`].
pub async fn of_refresh_token(
    db: &Db,
    environment: Environment,
    grant: &GrantId,
    number: i64,
    hash: &Hashed,
) -> Result<Option<(Family, Rests)>, DbError> {
    let query = sql(OF_REFRESH_TOKEN).bind(grant).bind(environment).bind(number);
    let Some(mut row) = db.maybe(query).await? else { return Ok(None) };
    let (known, last) = (row.take::<Option<Hashed>>()?, row.take::<Option<i64>>()?.unwrap_or(0));
    let rests = rests(&mut row)?;
    if known.as_ref() != Some(hash) {
        return Ok(None);
    }
    let live = |hash: &Hashed| RefreshToken {
        hash: hash.clone(),
        client: rests.grant.client.clone(),
        grant: grant.clone(),
        expires: rests.grant.expires,
        state: RefreshState::Live,
    };
    if last == number {
        return Ok(Some((Family { token: live(hash), successor: None, number, last }, rests)));
    }
    // The other way is that of a token that was used before, which is rare. It may see more than the first question
    // did; then the number that is written next is taken, and the decision made anew.
    let (wanted, id) = (sql(NEXT).bind(grant).bind(number), grant.clone());
    let read = db.read(move |tx| Box::pin(async move { wanted.all(tx).await }));
    let next = read.await?.into_iter().map(given).collect::<Result<Vec<_>, _>>()?;
    let Some(own) = next.iter().find(|one| one.number == number) else {
        return Err(DbError::Corrupt(format!("the family of {id} has no token {number}")));
    };
    let (state, successor) = fate(own, &next);
    let successor = successor.map(|one| RefreshToken { state: fate(one, &next).0, ..live(&one.hash) });
    let token = RefreshToken { state, ..live(hash) };
    Ok(Some((Family { token, successor, number, last }, rests)))
}

/// A row of a family.
struct Given {
    number: i64,
    hash: Hashed,
    given_for: i64,
    issued: Time,
}

fn given(mut row: Row) -> Result<Given, DbError> {
    Ok(Given { number: row.take()?, hash: row.take()?, given_for: row.take()?, issued: row.take()? })
}

/// Where a token stands, by what was given out after it: nothing for one that lives; something for it once, or twice
/// where a lost answer was forgiven; or something in its place, which is how a lost one is revoked.
fn fate<'a>(own: &Given, next: &'a [Given]) -> (RefreshState, Option<&'a Given>) {
    let mut later = next.iter().filter(|one| one.number > own.number && one.given_for == own.number);
    let (first, second) = (later.next(), later.next());
    let in_its_place = next.iter().any(|one| one.number > own.number && one.given_for == own.given_for);
    match (first, second) {
        (None, _) if in_its_place => (RefreshState::Revoked, None),
        (None, _) => (RefreshState::Live, None),
        (Some(first), None) => {
            (RefreshState::Rotated { at: first.issued, successor: first.hash.clone() }, Some(first))
        }
        (Some(first), Some(second)) => {
            (RefreshState::Forgiven { at: first.issued, successor: second.hash.clone() }, Some(second))
        }
    }
}
