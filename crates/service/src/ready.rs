//! Whether this process can serve.

use crate::{Fault, Service};
use store::pending;

impl Service {
    /// The process is not about to end, the database answers, and its schema is the one this program knows.
    ///
    /// # Errors
    /// What is missing, for the operator.
    pub async fn check_ready(&self) -> Result<(), String> {
        if self.stopping.has_begun() {
            return Err("the process is stopping".to_owned());
        }
        let missing = pending(&self.db).await.map_err(|error| Fault::from(error).to_string())?;
        match missing.first() {
            None => Ok(()),
            Some(first) => Err(format!("migration {} is missing; run `vestibule migrate`", first.name)),
        }
    }
}
