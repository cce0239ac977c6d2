//! One text of a test for both databases.

/// Makes of each test two, one for each database: `name::sqlite` and `name::postgres`.
#[macro_export]
macro_rules! on_both {
    ($($(#[$attribute:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {$(
        $(#[$attribute])*
        async fn $name($world: $crate::world::World) $body

        // A function and a module may share a name: the test reads as one sentence with two databases.
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name($crate::world::World::on($crate::world::Engine::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name($crate::world::World::on($crate::world::Engine::Postgres).await).await;
            }
        }
    )*};
    // The same with a world of the test's own making: `async fn name(engine: Engine)`.
    ($($(#[$attribute:meta])* async fn $name:ident($engine:ident: Engine) $body:block)*) => {$(
        $(#[$attribute])*
        async fn $name($engine: $crate::world::Engine) $body

        // A function and a module may share a name: the test reads as one sentence with two databases.
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name($crate::world::Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name($crate::world::Engine::Postgres).await;
            }
        }
    )*};
}
