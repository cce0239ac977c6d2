//! The pages as people meet them: in real Chromium with third-party cookies blocked, embedded by a company's own
//! page, with an outside system and signing libraries that other people wrote.
//!
//! With `VESTIBULE_PICTURES` naming a folder, a picture of every page that is inspected is left there.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at the first thing that is not as it must be"
)]

mod deadline;
mod dialogs_of_keys;
mod framing;
mod gallery;
mod keyboard;
mod links;
mod listening;
mod refusals;
mod scene;
mod screens;
mod sign_in;
mod site;
