//! Every function of the store on both databases, and what must hold when many call at once or the process dies.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test says so by ending")]

mod arriving;
mod at_a_stroke;
mod at_once;
mod concerning_db;
mod crash;
mod first_door;
mod idempotency;
mod jobs;
mod notices;
mod plans;
mod refreshing;
mod releases;
mod retention;
mod runs;
mod runs_together;
mod schema;
mod second_door;
mod world;

/// Runs each async function, which takes a [`world::World`], on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name(crate::world::World::on_sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name(crate::world::World::on_postgres().await).await;
            })*
        }
    };
}

pub(crate) use on_both;
