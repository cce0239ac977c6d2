//! An organization's users, for programs: as a tenant shows whose it is (contract `connect.md`, sections 5 and 6).

use super::look_up::Caller;
use crate::{Fault, Place, Service};
use ::connect::tenant_json;
use kernel::User;
use kernel::ids::UserId;
use store::{Page, users};

pub use store::users::Sort as UserSort;

impl Service {
    /// A page of the users of the caller's organization and environment, and how many there are in all.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn users(
        &self,
        caller: &Caller,
        page: Page<UserSort>,
    ) -> Result<(Vec<serde_json::Value>, i64), Fault> {
        let (owner, environment) = (caller.organization.clone(), caller.environment);
        let read =
            self.db.read(move |tx| Box::pin(async move { users::list(tx, &owner, environment, page).await }));
        let found = read.await?;
        Ok((found.rows.iter().map(|user| self.shown_user(caller, user)).collect(), found.total))
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn user(&self, caller: &Caller, id: UserId) -> Result<Option<serde_json::Value>, Fault> {
        let owner = caller.organization.clone();
        let read = self.db.read(move |tx| Box::pin(async move { users::by_id(tx, &owner, id).await }));
        let found: Option<User> = read.await?;
        let found = found.filter(|user| user.environment == caller.environment);
        Ok(found.map(|user| self.shown_user(caller, &user)))
    }

    fn shown_user(&self, caller: &Caller, user: &User) -> serde_json::Value {
        let namespace = caller.config.organization.namespace(caller.environment);
        let issuer = self.places.of(caller.environment).map_or("", Place::url);
        tenant_json::user(user, &namespace, issuer)
    }
}
