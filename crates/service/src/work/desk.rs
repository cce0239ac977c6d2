//! Pieces of work of many callers, done in one go: whoever has the turn does what has come together meanwhile.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

struct Waiting<T, R> {
    item: T,
    answer: oneshot::Sender<R>,
}

/// Where callers lay what they want done.
pub(crate) struct Desk<T, R> {
    waiting: Mutex<Vec<Waiting<T, R>>>,
    /// Held by the caller who does what waits.
    turn: tokio::sync::Mutex<()>,
}

impl<T, R> Default for Desk<T, R> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<T, R> std::fmt::Debug for Desk<T, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

impl<T: Clone, R> Desk<T, R> {
    /// Has `item` done, with those of others: `work` is given at most `most` of them and answers each, in their order.
    /// Where the caller whose turn it was went away in between, it is done once more.
    pub(super) async fn done<F>(&self, item: T, most: usize, mut work: impl FnMut(Vec<T>) -> F) -> R
    where
        F: Future<Output = Vec<R>>,
    {
        loop {
            let (answer, mut answered) = oneshot::channel();
            let waiting = Waiting { item: item.clone(), answer };
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(waiting);
            // Those who were woken with this caller lay theirs down first.
            tokio::task::yield_now().await;
            let _turn = tokio::select! {
                biased;
                done = &mut answered => match done {
                    Ok(done) => return done,
                    Err(_) => continue,
                },
                turn = self.turn.lock() => turn,
            };
            loop {
                match answered.try_recv() {
                    Ok(done) => return done,
                    Err(TryRecvError::Closed) => break,
                    Err(TryRecvError::Empty) => {}
                }
                let (items, answers) = self.next(most);
                if items.is_empty() {
                    break;
                }
                for (answer, done) in answers.into_iter().zip(work(items).await) {
                    // Whoever went away does not want to know.
                    answer.send(done).ok();
                }
            }
        }
    }

    fn next(&self, most: usize) -> (Vec<T>, Vec<oneshot::Sender<R>>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(most.max(1));
        waiting.drain(..count).map(|waiting| (waiting.item, waiting.answer)).unzip()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn what_comes_together_is_done_together_and_each_gets_its_own() {
        let (desk, rounds) = (Arc::new(Desk::<usize, usize>::default()), Arc::new(AtomicUsize::new(0)));
        let callers = (0..100).map(|number| {
            let (desk, rounds) = (Arc::clone(&desk), Arc::clone(&rounds));
            tokio::spawn(async move {
                let work = |items: Vec<usize>| {
                    rounds.fetch_add(1, Ordering::SeqCst);
                    assert!(items.len() <= 40);
                    std::future::ready(items.into_iter().map(|item| item * 2).collect())
                };
                desk.done(number, 40, work).await
            })
        });
        let callers: Vec<_> = callers.collect();
        for (number, caller) in callers.into_iter().enumerate() {
            assert_eq!(caller.await.unwrap(), number * 2);
        }
        assert!(rounds.load(Ordering::SeqCst) <= 4, "{rounds:?}");
    }

    #[tokio::test]
    async fn who_goes_away_leaves_nobody_waiting() {
        let (desk, begun) = (Desk::<u8, u8>::default(), AtomicUsize::new(0));
        let stuck = |items: Vec<u8>| {
            begun.store(items.len(), Ordering::SeqCst);
            std::future::pending()
        };
        let mut first = Box::pin(desk.done(1, 8, stuck));
        let mut second = Box::pin(desk.done(2, 8, std::future::ready));
        // Both lay theirs down, then the first has the turn and takes both.
        for _ in 0..2 {
            assert_eq!(first.as_mut().now_or_never(), None);
            assert_eq!(second.as_mut().now_or_never(), None);
        }
        assert_eq!(begun.load(Ordering::SeqCst), 2);
        drop(first);
        assert_eq!(second.await, 2);
    }
}
