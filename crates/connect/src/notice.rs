//! Notices out: an organization is told of events by signed POSTs (contract `runs.md`, section "Notices out";
//! Standard Webhooks, <https://www.standardwebhooks.com>).
//!
//! An event is one thing that happened; a message is that event for one endpoint. Here stands what is said, how it is
//! signed, what an answer means and when it is tried again.

pub mod answer;
pub mod back_off;
pub mod endpoint;
pub mod event;
pub mod json;
pub mod lane;
pub mod message;
pub mod new_event;
pub mod secret;
pub mod signature;
pub mod window;

pub use answer::Heard;
pub use endpoint::{Disabled, Endpoint, EndpointUrl, Standing};
pub use event::EventType;
pub use lane::Subject;
pub use message::{After, Attempt, Message, Place, State};
pub use new_event::NewEvent;
pub use secret::EndpointSecret;
pub use signature::sign;
pub use window::Window;
