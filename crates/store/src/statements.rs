//! The registry of SQL texts, so that one test can have both databases check all of them.

/// Declares the constants of a file and lists them.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        $($(#[$doc])* const $name: &str = $text;)*

        /// Every statement of this file, for the test that prepares them.
        pub(crate) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $text)),*];
    };
}

pub(crate) use statements;

/// That a time of a row which its key names was never set. In the words of a partial index, `IS NULL`, PostgreSQL may look
/// for the one row among all that the index has.
macro_rules! never_set {
    ($time:literal) => {
        concat!("COALESCE(", $time, ", 0) = 0")
    };
}

pub(crate) use never_set;
