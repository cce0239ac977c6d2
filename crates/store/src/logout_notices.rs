//! The end of sessions, and the notices that tell apps of it.

use crate::db::{DbError, Row, Tx, sql};
use crate::grants;
use crate::statements::statements;
use enter::ids::{AccountId, AppId, ClientId, PartnerId, PersonId, SessionId};
use enter::notice::{After, EndedSession, Listener, LogoutNotice};
use kernel::ids::OrganizationId;
use kernel::jose::Algorithm;
use kernel::{Environment, SafeUrl, Time};
use std::collections::HashSet;

statements! {
    // The NULL guards let exactly one caller end a session, and so write its notices once.
    END_ONE = "UPDATE sessions SET ended_at = $3 WHERE id = $1 AND environment = $2 AND ended_at IS NULL
        RETURNING id, person_id, partner_id";
    END_OF_PARTNER_SESSION = "UPDATE sessions SET ended_at = $4
        WHERE partner_id = $1 AND partner_session = $2 AND environment = $3 AND ended_at IS NULL
        RETURNING id, person_id, partner_id";
    END_OF_PERSON = "UPDATE sessions SET ended_at = $4
        WHERE person_id = $1 AND partner_id = $2 AND environment = $3 AND ended_at IS NULL
        RETURNING id, person_id, partner_id";
    END_OF_PARTNER = "UPDATE sessions SET ended_at = $3 WHERE partner_id = $1 AND environment = $2 AND ended_at IS NULL
        RETURNING id, person_id, partner_id";
    // Every client that got tokens in the session, also by a grant that has ended since.
    CLIENTS_TO_TELL = "SELECT DISTINCT c.id, c.backchannel_logout_uri FROM grants AS g
        JOIN clients AS c ON c.id = g.client_id
        WHERE g.session_id = $1 AND c.backchannel_logout_uri IS NOT NULL ORDER BY c.id";
    APPS_TO_TELL = "SELECT a.id, a.logout_url FROM session_apps AS s JOIN apps AS a ON a.id = s.app_id
        WHERE s.session_id = $1 AND a.session_url IS NOT NULL AND a.logout_url IS NOT NULL ORDER BY a.id";
    // Who holds something for an account or an app in a session that goes on: `''` stands for all of a kind. By the
    // sessions that live, which have an index for it: SQLite keeps the order of a CROSS JOIN.
    CLIENTS_WITH_ACCESS = "SELECT s.id, s.person_id, s.partner_id, c.id, c.backchannel_logout_uri
        FROM sessions AS s CROSS JOIN grants AS g JOIN clients AS c ON c.id = g.client_id
        WHERE g.session_id = s.id AND s.environment = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND g.revoked_at IS NULL
        AND c.backchannel_logout_uri IS NOT NULL
        AND (c.app_id = $3 OR $3 = '') AND (g.account_id = $4 OR $4 = '')";
    APPS_WITH_ACCESS = "SELECT s.id, s.person_id, s.partner_id, a.id, a.logout_url
        FROM sessions AS s CROSS JOIN session_apps AS e JOIN apps AS a ON a.id = e.app_id
        WHERE e.session_id = s.id AND s.environment = $1 AND s.ended_at IS NULL AND s.expires_at > $2
        AND a.session_url IS NOT NULL AND a.logout_url IS NOT NULL
        AND (a.id = $3 OR $3 = '') AND (e.account_id = $4 OR $4 = '')";
    INSERT = "INSERT INTO logout_notices (id, session_id, client_id, app_id, uri, attempts, next_at, told_at, failure,
        created_at, environment, person_id, partner_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    IS_DUE = "SELECT 1 FROM logout_notices WHERE next_at IS NOT NULL AND next_at <= $1 LIMIT 1";
    // A few of each address, so that an app which does not answer holds up nobody but itself.
    DUE = "SELECT n.id, n.session_id, n.client_id, n.app_id, n.uri, n.attempts, n.next_at, n.told_at, n.failure,
        n.created_at, n.environment, n.person_id, n.partner_id, c.id_token_algorithm, a.organization_id
        FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY uri ORDER BY next_at, id) AS place
            FROM logout_notices WHERE next_at IS NOT NULL AND next_at <= $1) AS d
        JOIN logout_notices AS n ON n.id = d.id
        LEFT JOIN clients AS c ON c.id = n.client_id
        JOIN apps AS a ON a.id = COALESCE(n.app_id, c.app_id)
        WHERE d.place <= 8 ORDER BY n.next_at, n.id LIMIT $2";
    // The time that was read is the guard: of two workers that saw the same notice, one moves it.
    CLAIM = "UPDATE logout_notices SET next_at = $3, attempts = attempts + 1 WHERE id = $1 AND next_at = $2";
    // The lease is the guard: a worker that took longer than it changes nothing of what the next one found.
    SAVE = "UPDATE logout_notices SET next_at = $3, told_at = $4, failure = $5 WHERE id = $1 AND next_at = $2";
    OF_SESSION = "SELECT id, session_id, client_id, app_id, uri, attempts, next_at, told_at, failure, created_at
        FROM logout_notices WHERE session_id = $1 ORDER BY created_at, id";
    DELETE_OVER = "DELETE FROM logout_notices WHERE id IN (SELECT id FROM logout_notices
        WHERE next_at IS NULL AND created_at < $1 ORDER BY created_at LIMIT $2)";
}

/// Which sessions end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    One(SessionId),
    /// By what the partner calls its session: of this partner's alone.
    PartnerSession {
        partner: PartnerId,
        session: String,
    },
    /// All of a user's.
    Person {
        partner: PartnerId,
        person: PersonId,
    },
    /// All of a partner's users.
    Partner(PartnerId),
}

/// What is taken away from people whose sessions go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Withdrawn {
    Account(AccountId),
    App(AppId),
    /// The app, for this account alone.
    Activation(AppId, AccountId),
}

/// A notice that is due, with what it needs to be sent and recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub notice: LogoutNotice,
    pub environment: Environment,
    pub ended: EndedSession,
    /// The client's `id_token_signed_response_alg`; `None` for an app of the older kind.
    pub algorithm: Option<Algorithm>,
    /// Whose app it is.
    pub organization: OrganizationId,
}

fn ended(mut row: Row) -> Result<EndedSession, DbError> {
    let (session, person, partner) = (row.take()?, row.take()?, row.take()?);
    Ok(EndedSession { session, person, partner })
}

fn notice(row: &mut Row) -> Result<LogoutNotice, DbError> {
    let (id, session) = (row.take()?, row.take()?);
    let listener = match (row.take::<Option<ClientId>>()?, row.take::<Option<AppId>>()?) {
        (Some(client), None) => Listener::Client(client),
        (None, Some(app)) => Listener::App(app),
        _ => {
            return Err(DbError::Corrupt(
                "a notice is for a client or an app, and for one of them".to_owned(),
            ));
        }
    };
    let (uri, attempts) = (row.take()?, row.take::<i64>()?);
    let attempts =
        u32::try_from(attempts).map_err(|_| DbError::Corrupt("a notice has too many attempts".to_owned()))?;
    let (next, told, failure, created) = (row.take()?, row.take()?, row.take()?, row.take()?);
    Ok(LogoutNotice { id, session, listener, uri, attempts, next, told, failure, created })
}

/// Ends the sessions that are still open, and revokes what was granted in them. Those that had ended are left as they
/// are, so that their apps are not told twice.
///
/// # Errors
/// [`DbError`].
pub async fn end_sessions(
    tx: &mut Tx,
    environment: Environment,
    which: &Ending,
    now: Time,
) -> Result<Vec<EndedSession>, DbError> {
    let query = match which {
        Ending::One(id) => sql(END_ONE).bind(id).bind(environment),
        Ending::PartnerSession { partner, session } => {
            sql(END_OF_PARTNER_SESSION).bind(partner).bind(session).bind(environment)
        }
        Ending::Person { partner, person } => sql(END_OF_PERSON).bind(person).bind(partner).bind(environment),
        Ending::Partner(partner) => sql(END_OF_PARTNER).bind(partner).bind(environment),
    };
    let rows = query.bind(now).all(tx).await?;
    let sessions = rows.into_iter().map(ended).collect::<Result<Vec<_>, _>>()?;
    for session in &sessions {
        grants::revoke_of_session(tx, &session.session, now).await?;
    }
    Ok(sessions)
}

/// Who took part in a session and can be told of its end, and where.
///
/// # Errors
/// [`DbError`].
pub async fn to_tell(tx: &mut Tx, session: &SessionId) -> Result<Vec<(Listener, SafeUrl)>, DbError> {
    let clients = sql(CLIENTS_TO_TELL).bind(session).all(tx).await?;
    let apps = sql(APPS_TO_TELL).bind(session).all(tx).await?;
    let clients = clients.into_iter().map(|mut row| Ok((Listener::Client(row.take()?), row.take()?)));
    let apps = apps.into_iter().map(|mut row| Ok((Listener::App(row.take()?), row.take()?)));
    clients.chain(apps).collect()
}

/// In which sessions somebody holds something for what is withdrawn, who is to hear of it, and where.
///
/// # Errors
/// [`DbError`].
pub async fn holders(
    tx: &mut Tx,
    environment: Environment,
    which: &Withdrawn,
    now: Time,
) -> Result<Vec<(EndedSession, Listener, SafeUrl)>, DbError> {
    let (app, account) = match which {
        Withdrawn::Account(account) => ("", account.as_str()),
        Withdrawn::App(app) => (app.as_str(), ""),
        Withdrawn::Activation(app, account) => (app.as_str(), account.as_str()),
    };
    let bound = |text: &'static str| sql(text).bind(environment).bind(now).bind(app).bind(account);
    let (mut all, mut told) = (Vec::new(), HashSet::new());
    for mut row in bound(CLIENTS_WITH_ACCESS).all(tx).await? {
        let session = EndedSession { session: row.take()?, person: row.take()?, partner: row.take()? };
        let one = (session, Listener::Client(row.take()?), row.take()?);
        // A client may have several grants in a session. To sort them out here leaves the index to the times.
        if told.insert(format!("{} {:?}", one.0.session, one.1)) {
            all.push(one);
        }
    }
    for mut row in bound(APPS_WITH_ACCESS).all(tx).await? {
        let session = EndedSession { session: row.take()?, person: row.take()?, partner: row.take()? };
        all.push((session, Listener::App(row.take()?), row.take()?));
    }
    Ok(all)
}

/// Of a session of `ended`'s.
///
/// # Errors
/// [`DbError`].
pub async fn insert(
    tx: &mut Tx,
    environment: Environment,
    ended: &EndedSession,
    new: &LogoutNotice,
) -> Result<(), DbError> {
    let (client, app) = match &new.listener {
        Listener::Client(client) => (Some(client), None),
        Listener::App(app) => (None, Some(app)),
    };
    let query = sql(INSERT).bind(&new.id).bind(&new.session).bind(client).bind(app).bind(&new.uri);
    let query = query.bind(i64::from(new.attempts)).bind(new.next).bind(new.told);
    let query = query.bind(new.failure.as_deref()).bind(new.created).bind(environment);
    query.bind(&ended.person).bind(&ended.partner).execute(tx).await.map(drop)
}

/// Whether there is anything to claim: a look that costs no writer's time.
///
/// # Errors
/// [`DbError`].
pub async fn is_due(tx: &mut Tx, now: Time) -> Result<bool, DbError> {
    Ok(sql(IS_DUE).bind(now).maybe(tx).await?.is_some())
}

/// Claims at most `limit` notices that are due until `lease`, each for this caller alone; what is returned counts the
/// try that is about to be made, and has `lease` as [`LogoutNotice::next`].
///
/// # Errors
/// [`DbError`].
pub async fn claim(tx: &mut Tx, now: Time, lease: Time, limit: i64) -> Result<Vec<Due>, DbError> {
    let mut claimed = Vec::new();
    for mut row in sql(DUE).bind(now).bind(limit).all(tx).await? {
        let mut notice = notice(&mut row)?;
        let (environment, person, partner) = (row.take()?, row.take()?, row.take()?);
        let (algorithm, organization) = (row.take()?, row.take()?);
        if sql(CLAIM).bind(&notice.id).bind(notice.next).bind(lease).wrote(tx).await? {
            let ended = EndedSession { session: notice.session.clone(), person, partner };
            notice.attempts = notice.attempts.saturating_add(1);
            notice.next = Some(lease);
            claimed.push(Due { notice, environment, ended, algorithm, organization });
        }
    }
    Ok(claimed)
}

/// What became of a try; `false` where its lease was over and another worker has the notice.
///
/// # Errors
/// [`DbError`].
pub async fn save(
    tx: &mut Tx,
    notice: &LogoutNotice,
    after: After,
    failure: Option<&str>,
    now: Time,
) -> Result<bool, DbError> {
    let (next, told) = match after {
        After::Told => (None, Some(now)),
        After::Again(at) => (Some(at), None),
        After::GivenUp => (None, None),
    };
    let query = sql(SAVE).bind(&notice.id).bind(notice.next).bind(next);
    query.bind(told).bind(failure).wrote(tx).await
}

/// Those of one session, for its record.
///
/// # Errors
/// [`DbError`].
pub async fn of_session(tx: &mut Tx, session: &SessionId) -> Result<Vec<LogoutNotice>, DbError> {
    let rows = sql(OF_SESSION).bind(session).all(tx).await?;
    rows.into_iter().map(|mut row| notice(&mut row)).collect()
}

/// Deletes at most `limit` notices from before `before` that were told or given up.
///
/// # Errors
/// [`DbError`].
pub async fn delete_over(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_OVER).bind(before).bind(limit).execute(tx).await
}
