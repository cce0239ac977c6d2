//! The first door's use cases, one file per verb.

pub mod announce;
pub mod callback;
pub mod choose_in_tab;
pub mod confirm;
pub mod disconnect;
pub mod enter_inputs;
pub(crate) mod fresh;
pub mod install;
pub mod land;
pub mod look_up;
mod plan;
pub mod receive_webhook;
pub mod refuse;
pub mod report_frame;
pub mod start;
pub mod turn;
pub mod users;
pub mod view;
