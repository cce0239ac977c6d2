//! Which request a task carries out: what every line of the log says that is written meanwhile.
//!
//! It travels with the task and costs a request nothing but its making, where a span would be kept, formatted and
//! looked up again for each of them.

use kernel::ids::RequestId;
use std::future::Future;

tokio::task_local! {
    static ASKED: Asked;
}

/// What the log says of a request. Never more: no URL, no token, no dialog's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub id: RequestId,
    pub method: &'static str,
    /// The route's pattern.
    pub route: &'static str,
}

impl Asked {
    /// Carries `work` out as a part of this request.
    pub fn within<T>(self, work: impl FnOnce() -> T) -> T {
        ASKED.sync_scope(self, work)
    }

    /// The same for what is awaited.
    pub fn carry_out<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        ASKED.scope(self, work)
    }
}

/// Tells of the request that this task carries out; `None` in every other task.
pub fn asked<T>(tell: impl FnOnce(&Asked) -> T) -> Option<T> {
    ASKED.try_with(tell).ok()
}

/// `work` as a part of the present request, if there is one, for a task of its own.
pub fn carry_on<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let asked = asked(Asked::clone);
    async move {
        match asked {
            Some(asked) => asked.carry_out(work).await,
            None => work.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::ids::RequestIds;
    use kernel::{SeededChance, Time};

    #[tokio::test]
    async fn a_task_of_its_own_knows_what_was_asked() {
        let id = RequestIds::new(&SeededChance::new(1)).next(Time::from_seconds(1));
        let known = Asked { id, method: "GET", route: "/" };
        let seen = known.clone().carry_out(async {
            let bare = tokio::spawn(async { asked(Asked::clone) }).await.unwrap();
            assert_eq!(bare, None);
            tokio::spawn(carry_on(async { asked(Asked::clone) })).await.unwrap()
        });
        assert_eq!(seen.await, Some(known));
        assert_eq!(carry_on(async { asked(Asked::clone) }).await, None);
    }
}
