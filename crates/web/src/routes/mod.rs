//! One file per resource; each handler proves its caller, makes one call and shapes the answer.

pub mod assets;
pub mod callback;
pub mod calls;
pub mod credentials;
pub mod dialogs;
pub mod enter;
pub mod health;
pub mod integrations;
pub mod jobs;
pub mod landing;
pub mod oidc;
pub mod reports;
pub mod service_tokens;
pub mod start;
pub mod tenants;
pub mod webhook_endpoints;
pub mod webhooks;
