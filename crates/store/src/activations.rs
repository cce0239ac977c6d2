//! For which accounts an app is active. An app that is open to everybody has no need of it
//! ([`enter::app::App::open_to_all`]).

use crate::db::{DbError, Tx, sql};
use crate::statements::statements;
use enter::ids::{AccountId, AppId};
use kernel::Time;

statements! {
    // Both in the same environment, or the row is not written.
    INSERT = "INSERT INTO activations (app_id, account_id, activated_at)
        SELECT p.id, a.id, $3 FROM apps AS p JOIN accounts AS a ON a.environment = p.environment
        WHERE p.id = $1 AND a.id = $2 ON CONFLICT (app_id, account_id) DO NOTHING";
    FIND = "SELECT activated_at FROM activations WHERE app_id = $1 AND account_id = $2";
    OF_ACCOUNT = "SELECT app_id, activated_at FROM activations WHERE account_id = $1 ORDER BY app_id";
    OF_APP = "SELECT account_id, activated_at FROM activations WHERE app_id = $1 AND account_id > $2
        ORDER BY account_id LIMIT $3";
    DELETE = "DELETE FROM activations WHERE app_id = $1 AND account_id = $2";
}

/// `false` where it is active already, or where app and account are not of one environment.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, app: &AppId, account: &AccountId, now: Time) -> Result<bool, DbError> {
    sql(INSERT).bind(app).bind(account).bind(now).wrote(tx).await
}

/// Whether the app was activated for the account.
///
/// # Errors
/// [`DbError`].
pub async fn is_active(tx: &mut Tx, app: &AppId, account: &AccountId) -> Result<bool, DbError> {
    Ok(sql(FIND).bind(app).bind(account).maybe(tx).await?.is_some())
}

/// The account's apps and since when each is active, by app.
///
/// # Errors
/// [`DbError`].
pub async fn of_account(tx: &mut Tx, account: &AccountId) -> Result<Vec<(AppId, Time)>, DbError> {
    let rows = sql(OF_ACCOUNT).bind(account).all(tx).await?;
    rows.into_iter().map(|mut row| Ok((row.take()?, row.take()?))).collect()
}

/// At most `limit` of the app's accounts and since when it is active for each, by account, those after `after`.
///
/// # Errors
/// [`DbError`].
pub async fn of_app(
    tx: &mut Tx,
    app: &AppId,
    after: Option<&AccountId>,
    limit: i64,
) -> Result<Vec<(AccountId, Time)>, DbError> {
    let after = after.map_or("", AccountId::as_str);
    let rows = sql(OF_APP).bind(app).bind(after).bind(limit).all(tx).await?;
    rows.into_iter().map(|mut row| Ok((row.take()?, row.take()?))).collect()
}

/// `false` where it was not active.
///
/// # Errors
/// [`DbError`].
pub async fn delete(tx: &mut Tx, app: &AppId, account: &AccountId) -> Result<bool, DbError> {
    sql(DELETE).bind(app).bind(account).wrote(tx).await
}
