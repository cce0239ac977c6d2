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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

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
        let (desk, stuck) = (Arc::new(Desk::<u8, u8>::default()), Arc::new(Notify::new()));
        let first = {
            let (desk, stuck) = (Arc::clone(&desk), Arc::clone(&stuck));
            tokio::spawn(async move {
                let work = |_: Vec<u8>| {
                    stuck.notify_one();
                    std::future::pending()
                };
                desk.done(1, 8, work).await
            })
        };
        let second = {
            let desk = Arc::clone(&desk);
            tokio::spawn(async move { desk.done(2, 8, |items| std::future::ready(items)).await })
        };
        stuck.notified().await;
        first.abort();
        assert_eq!(second.await.unwrap(), 2);
    }
}
