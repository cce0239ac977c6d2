//! Waiting for a thing itself, and not for ever.

use std::future::Future;
use std::time::Duration;

/// For one thing that a page or a server does at once.
pub(super) const SOON: Duration = Duration::from_secs(30);
/// For many things together.
pub(super) const LONG: Duration = Duration::from_secs(150);

/// How often a page is looked at.
const GLANCE: Duration = Duration::from_millis(40);

/// What comes of `future`.
///
/// # Panics
/// When it takes longer than `limit`.
pub(super) async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(limit, future).await {
        Ok(done) => done,
        Err(_) => panic!("{what}: not within {limit:?}"),
    }
}

/// Looks until there is an answer.
///
/// # Panics
/// When there is none [`SOON`].
pub(super) async fn until<T, Fut>(what: &str, look: impl Fn() -> Fut) -> T
where
    Fut: Future<Output = Option<T>>,
{
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(GLANCE).await;
        }
    };
    within(SOON, what, found).await
}
