//! Harbor CRM: the outside system. A real OAuth 2 server with PKCE, an API, and webhooks that it signs.

mod api;
mod books;
mod pages;
mod send;

use super::Stage;
use super::sites::with_files;
use axum::routing::{get, post};
use books::Books;
pub(crate) use send::News;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(crate) struct Harbor {
    stage: Arc<Stage>,
    books: Mutex<Books>,
}

impl Harbor {
    pub(crate) fn new(stage: Arc<Stage>) -> Self {
        Self { stage, books: Mutex::default() }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn router(harbor: Arc<Harbor>) -> axum::Router {
    with_files(axum::Router::new())
        .route("/", get(pages::home))
        .route("/signin", post(pages::sign_in))
        .route("/signout", post(pages::sign_out))
        .route("/deals/{deal}/won", post(pages::won))
        .route("/oauth/authorize", get(pages::authorize))
        .route("/oauth/consent/{request}", get(pages::consent).post(pages::decide))
        .route("/oauth/token", post(api::token))
        .route("/oauth/revoke", post(api::revoke))
        .route("/oauth/userinfo", get(api::me))
        .route("/api/me", get(api::me))
        .route("/api/webhooks", post(api::register))
        .with_state(harbor)
}
