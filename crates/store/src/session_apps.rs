//! What each entry said for one app within a session.

use crate::db::{DbError, Query, Row, Tx, sql};
use crate::statements::statements;
use enter::context::ServiceContext;
use enter::ids::{AccountId, AppId, SessionId};
use enter::session::SessionApp;

statements! {
    INSERT = "INSERT INTO session_apps (session_id, app_id, account_id, back_url, back_url_text, entered_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    UPSERT = "INSERT INTO session_apps (session_id, app_id, account_id, back_url, back_url_text, entered_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (session_id, app_id) DO UPDATE SET
        account_id = excluded.account_id, back_url = excluded.back_url, back_url_text = excluded.back_url_text,
        entered_at = excluded.entered_at";
    FIND = "SELECT s.partner_id, a.account_id, a.back_url, a.back_url_text, a.entered_at FROM session_apps AS a
        JOIN sessions AS s ON s.id = a.session_id WHERE a.session_id = $1 AND a.app_id = $2";
}

/// The latest entry of a session into an app takes the place of the one before.
///
/// # Errors
/// [`DbError`].
pub async fn upsert(tx: &mut Tx, new: &SessionApp) -> Result<(), DbError> {
    bound(UPSERT, new).execute(tx).await.map(drop)
}

/// The first of a session that is new.
pub(crate) fn inserting(new: &SessionApp) -> Query {
    bound(INSERT, new)
}

fn bound(text: &'static str, new: &SessionApp) -> Query {
    let query = sql(text).bind(&new.session).bind(&new.app).bind(new.context.account());
    query.bind(new.back_url.as_deref()).bind(new.back_url_text.as_deref()).bind(new.entered)
}

/// # Errors
/// [`DbError`].
pub async fn find(tx: &mut Tx, session: &SessionId, app: &AppId) -> Result<Option<SessionApp>, DbError> {
    let row = sql(FIND).bind(session).bind(app).maybe(tx).await?;
    row.map(|row| session_app(row, session, app)).transpose()
}

fn session_app(mut row: Row, session: &SessionId, app: &AppId) -> Result<SessionApp, DbError> {
    let (partner, account) = (row.take()?, row.take::<Option<AccountId>>()?);
    Ok(SessionApp {
        session: session.clone(),
        app: app.clone(),
        // An entry that is for no account is for the session's own partner: no other context is let in.
        context: account.map_or(ServiceContext::Partner(partner), ServiceContext::Account),
        back_url: row.take()?,
        back_url_text: row.take()?,
        entered: row.take()?,
    })
}
