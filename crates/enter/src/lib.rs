//! The second door: a partner's signed-in user enters a marketplace app without another sign-in.
//!
//! The app, a plain OpenID Connect client, sends the browser here; the gateway sends it to the partner's
//! session-transfer endpoint; the partner's backend asks for an entry URL with a service account; the browser
//! comes back with a single-use code, and users and associations are made just in time. Like `connect`, this
//! room will hold decisions only: no async, no SQL, no HTTP, no clock. It is empty until the first door stands.
