//! The end of the process, told to whoever would otherwise wait without end.

use tokio::sync::watch;

/// Goes from "running" to "stopping" once and never back.
#[derive(Debug)]
pub struct Stopping(watch::Sender<bool>);

impl Default for Stopping {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Stopping {
    /// From now on the process takes no new work. Everyone who waits in [`Self::begun`] is woken.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the process stops; at once where it does already.
    pub async fn begun(&self) {
        // The sender lives as long as `self`, so the channel cannot close meanwhile.
        let _ = self.0.subscribe().wait_for(|stopping| *stopping).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_wait_and_those_who_come_later_are_told() {
        let stopping = std::sync::Arc::new(Stopping::default());
        assert!(!stopping.has_begun());
        let early = tokio::spawn({
            let stopping = std::sync::Arc::clone(&stopping);
            async move { stopping.begun().await }
        });
        tokio::task::yield_now().await;
        assert!(!early.is_finished());
        stopping.begin();
        early.await.unwrap();
        stopping.begun().await;
        assert!(stopping.has_begun());
    }
}
