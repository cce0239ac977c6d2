//! The end of the process, told to whoever would otherwise wait without end, and the work that must not be cut off
//! half way.

use crate::Fault;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::watch;

/// Goes from "running" to "stopping" once and never back.
#[derive(Debug)]
pub struct Stopping {
    begun: watch::Sender<bool>,
    /// Pieces of work under way in tasks of their own.
    under_way: Arc<watch::Sender<usize>>,
}

impl Default for Stopping {
    fn default() -> Self {
        Self { begun: watch::Sender::new(false), under_way: Arc::new(watch::Sender::new(0)) }
    }
}

impl Stopping {
    /// From now on the process takes no new work. Everyone who waits in [`Self::begun`] is woken.
    pub fn begin(&self) {
        self.begun.send_replace(true);
    }

    pub fn has_begun(&self) -> bool {
        *self.begun.borrow()
    }

    /// Waits until the process stops; at once where it does already.
    pub async fn begun(&self) {
        // The sender lives as long as `self`, so the channel cannot close meanwhile.
        let _ = self.begun.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// Carries `work` to its end, also where whoever asked for it goes away: in a task of its own, which
    /// [`Self::idle`] waits for.
    ///
    /// # Errors
    /// What `work` returns; [`Fault::Broken`] where it panicked.
    pub async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        let busy = Busy::new(&self.under_way);
        let task = async move {
            let _busy = busy;
            work.await
        };
        let ended = tokio::spawn(crate::asked::carry_on(task)).await;
        ended.map_err(|error| Fault::broken(format!("a task ended before its work: {error}")))?
    }

    /// Waits until no such work is under way. It is bounded by the time-outs of the calls that it makes.
    pub async fn idle(&self) {
        let _ = self.under_way.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// One piece of work, for as long as it lives.
#[derive(Debug)]
struct Busy(Arc<watch::Sender<usize>>);

impl Busy {
    fn new(count: &Arc<watch::Sender<usize>>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(Arc::clone(count))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn those_who_wait_and_those_who_come_later_are_told() {
        let stopping = Arc::new(Stopping::default());
        assert!(!stopping.has_begun());
        let early = tokio::spawn({
            let stopping = Arc::clone(&stopping);
            async move { stopping.begun().await }
        });
        tokio::task::yield_now().await;
        assert!(!early.is_finished());
        stopping.begin();
        early.await.unwrap();
        stopping.begun().await;
        assert!(stopping.has_begun());
    }

    #[tokio::test]
    async fn work_goes_on_when_whoever_asked_has_gone() {
        let stopping = Stopping::default();
        stopping.idle().await;
        let (begun, begins) = oneshot::channel();
        let (go_on, goes_on) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let asked = stopping.to_its_end(async move {
            begun.send(()).unwrap();
            goes_on.await.unwrap();
            done.send(()).unwrap();
            Ok(())
        });
        // The caller is dropped in the middle, as that of a browser which closes its connection.
        tokio::select! {
            _ = asked => panic!("the work cannot have ended"),
            _ = begins => {}
        }
        assert!(tokio::time::timeout(std::time::Duration::ZERO, stopping.idle()).await.is_err());
        go_on.send(()).unwrap();
        stopping.idle().await;
        is_done.await.unwrap();
    }

    #[tokio::test]
    async fn work_that_panics_is_a_fault_and_under_way_no_more() {
        let stopping = Stopping::default();
        let ended = stopping.to_its_end::<()>(async { panic!("as a bug would") }).await;
        assert!(matches!(ended, Err(Fault::Broken(_))));
        stopping.idle().await;
    }
}
