//! Connectors: outside systems as data. One TOML file each, parsed and checked here, never code
//! (contract `connectors.md`).

mod address;
mod catalogue;
mod check;
mod definition;
pub mod flow;
mod inputs;
mod parse;
mod request;
mod source;
mod template;
mod webhook;

pub use address::{AddressRefused, HostPattern, Loopback, UrlTemplate, declares};
pub use catalogue::{Catalogue, shipped, shipped_files};
pub use definition::{
    Api, Authorize, BasicTemplate, BodyForm, BodyTemplate, CallbackSignature, Capture, Choose, ClientAuth,
    Definition, EnvironmentName, Extract, JsonTemplate, Kind, Method, Pkce, Pointer, Refresh, RefreshGrant,
    RequestTemplate, Retry, Save, SaveTo, Scopes, Step, TokenRules, Unit, Verify, Way,
};
pub use inputs::{Condition, FieldProblem, Format, Input, InputOption, LONGEST_INPUT, Pattern};
pub use parse::Policy;
pub use request::{Answer, OutgoingHeader, OutgoingRequest};
pub use source::Problem;
pub(crate) use source::nearest;
pub use template::{Filter, Template, TemplateFailed, TemplateRefused, Variable, Variables};
pub use webhook::{
    Challenge, Dedupe, DeliveryPart, Encoding, Expected, HmacAlgorithm, ReplyAs, Scheme, SignedPart,
    VerifyRules, WebhookRules,
};
