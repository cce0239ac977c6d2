//! Every use case, always the same way: begin, load, decide, save, tell.
//!
//! Decisions are made in `connect`, kept by `store`, carried outside by `outbound`. No SQL and no HTTP type
//! stands here. No transaction is open across an outgoing call.

pub mod admin;
pub mod asked;
pub mod bells;
pub mod config;
pub mod connect;
pub mod enter;
pub mod fault;
pub mod idempotency;
pub mod places;
mod ready;
pub mod stopping;
pub mod vault;
pub mod work;

pub use bells::Bells;
pub use config::{Configs, OrganizationConfig};
pub use fault::Fault;
pub use places::{Place, Places};
pub use stopping::Stopping;
pub use vault::Vault;

use ::connect::attempt::TicketKey;
use ::connect::connector::{Catalogue, Policy};
use kernel::{Chance, Clock, MasterKeys};
use std::sync::Arc;
use store::Db;
use zeroize::Zeroizing;

/// Everything a use case needs, each dependency by name.
#[derive(Debug)]
pub struct Service {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
    pub places: Places,
    pub vault: Vault,
    pub bells: Arc<Bells>,
    /// The connectors that ship with the program and those of the operator's folder.
    pub catalogue: Catalogue,
    pub outbound: outbound::Client,
    pub providers: outbound::Providers,
    pub jwks: outbound::JwksCache,
    pub configs: Configs,
    /// How definitions that organizations store are judged.
    pub policy: Policy,
    pub limits: Limits,
    /// What was chosen for the second door.
    pub enter: enter::Options,
    /// The gateway's own signing keys.
    pub(crate) issuers: enter::issuer::Issuers,
    pub(crate) remembered: enter::remembered::Remembered,
    /// Rung when a notice to an app was written, for the worker that tells it.
    pub(crate) notices: tokio::sync::Notify,
    /// What was chosen for the worker.
    pub work: work::Options,
    /// What this machine gives to programs.
    pub machine: work::Machine,
    /// Whoever unpacks a release holds it.
    pub(crate) unpacking: tokio::sync::Mutex<()>,
    /// What this process has under way, and the bell that is rung when something was enqueued.
    pub(crate) slots: Arc<work::slots::Slots>,
    /// Where tenants are laid down whose next run shall begin.
    pub(crate) beginnings: work::desk::Desk<work::run_begin::Asked, Result<work::run::Next, Fault>>,
    /// Integrations and releases of runs.
    pub(crate) recalled: Arc<work::recalled::Recalled>,
    /// Tenants that have nothing to do.
    pub(crate) idle: Arc<work::idle::Idle>,
    /// Rung when a delivery was kept.
    pub(crate) deliveries_bell: tokio::sync::Notify,
    /// Bounds what a flood of refusals can write.
    pub(crate) flood: connect::refuse::Flood,
    pub(crate) own_addresses: connect::receive_webhook::OwnAddresses,
    pub(crate) fresh: connect::fresh::Fresh,
    /// Who in this process waits for which credential to be renewed.
    pub(crate) renewals: work::refresh::Lines,
    /// How quick endpoints are.
    pub(crate) windows: work::notice::windows::Windows,
    /// Endpoints that notices go to, as they were read.
    pub(crate) endpoints_seen: work::notice::seen::Seen,
    /// Begun when the process shall end: streams end, and it is no longer ready.
    pub stopping: Stopping,
    ticket_key: TicketKey,
    recent_key: Zeroizing<[u8; 32]>,
}

/// Sizes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A tenant token in a query (contract `connect.md`, section 1: 8 KiB).
    pub token_get: usize,
    /// A tenant token in a form (64 kB).
    pub token_post: usize,
    /// A webhook's body (contract `connect.md`, section 7: 1 MiB).
    pub webhook_body: usize,
    /// The body of any other request.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let (token_get, token_post) = (::connect::token::GET_BYTES, ::connect::token::POST_BYTES);
        Self { token_get, token_post, webhook_body: 1024 * 1024, body: 256 * 1024 }
    }
}

/// What a service is made of.
#[derive(Debug)]
pub struct Parts {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
    pub places: Places,
    pub masters: MasterKeys,
    pub catalogue: Catalogue,
    pub outbound: outbound::Client,
    pub policy: Policy,
    pub limits: Limits,
}

impl Service {
    pub fn new(parts: Parts) -> Self {
        let Parts { db, clock, chance, places, masters, catalogue, outbound, policy, limits } = parts;
        let ticket_key = TicketKey::new(&masters.current().derive("start-ticket"));
        let recent_key = masters.current().derive("recent-partners");
        let vault = Vault::new(masters, Arc::clone(&clock), Arc::clone(&chance));
        let providers = outbound::Providers::new(outbound.clone());
        let jwks = outbound::JwksCache::new(outbound.clone(), Arc::clone(&clock));
        let (bells, configs) = (Arc::default(), Configs::default());
        Self {
            db,
            clock,
            chance,
            places,
            vault,
            bells,
            catalogue,
            outbound,
            providers,
            jwks,
            configs,
            policy,
            limits,
            enter: enter::Options::default(),
            issuers: enter::issuer::Issuers::default(),
            remembered: enter::remembered::Remembered::default(),
            notices: tokio::sync::Notify::new(),
            work: work::Options::default(),
            machine: work::Machine::default(),
            unpacking: tokio::sync::Mutex::default(),
            slots: Arc::default(),
            beginnings: work::desk::Desk::default(),
            recalled: Arc::default(),
            idle: Arc::default(),
            deliveries_bell: tokio::sync::Notify::new(),
            flood: connect::refuse::Flood::default(),
            own_addresses: connect::receive_webhook::OwnAddresses::default(),
            fresh: connect::fresh::Fresh::default(),
            renewals: work::refresh::Lines::default(),
            windows: work::notice::windows::Windows::default(),
            endpoints_seen: work::notice::seen::Seen::default(),
            stopping: Stopping::default(),
            ticket_key,
            recent_key,
        }
    }

    /// The key that start tickets are proven with ([decision 0004](../../docs/decisions)).
    pub(crate) fn ticket_key(&self) -> &TicketKey {
        &self.ticket_key
    }
}
