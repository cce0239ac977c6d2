//! What goes on after connecting: runs, refreshes, calls, releases, schedules, notices.

mod api_outside;
mod api_runs;
mod api_tenants;
mod calls;
mod credentials;
mod faults;
mod git_server;
mod http_runs;
mod idempotency;
mod lists;
mod notices;
mod queue;
mod refresh;
mod releases;
mod runs;
mod scene;
mod tide;
mod wakes;
