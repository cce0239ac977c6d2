//! One file per resource; each handler proves its caller, makes one call and shapes the answer.

pub mod assets;
pub mod callback;
pub mod calls;
pub mod credentials;
pub mod dialogs;
pub mod enter;
pub mod health;
pub mod integration_changes;
pub mod integrations;
pub mod jobs;
pub mod landing;
pub mod metadata;
pub mod oidc;
pub mod releases;
pub mod reports;
pub mod run_reports;
pub mod runs;
pub mod service_tokens;
pub mod settings;
pub mod start;
pub mod tenant_changes;
pub mod tenants;
pub mod webhook_endpoints;
pub mod webhooks;
