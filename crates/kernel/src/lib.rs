//! Words that both doors share: ids, time, chance, secrets, organizations, users, actors and audit events.
//!
//! Nothing here does I/O. Time and randomness come in through [`Clock`] and [`Chance`], so that every rule
//! built on this room can be tested without waiting and without luck.

pub mod actor;
pub mod audit;
pub mod chance;
pub mod ids;
pub mod jose;
pub mod organization;
pub mod safe_url;
pub mod sealer;
pub mod secret;
pub mod time;
pub mod user;

pub use actor::Actor;
pub use chance::{Chance, SeededChance, SystemChance};
pub use organization::{Brand, Color, Environment, Organization, Slug};
pub use safe_url::{Origin, SafeUrl};
pub use sealer::{DataKey, MasterKey, MasterKeys, Sealed, WrappedKey};
pub use secret::{Hashed, Plain, SecretText};
pub use time::{Clock, SystemClock, TestClock, Time};
pub use user::User;
