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
