//! Refusals of `sso.v1`: a gRPC status code, and a message that names the field and says what to do.

use serde_json::{Value, json};

/// The gRPC status codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl Code {
    pub const ALL: [Self; 16] = [
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The HTTP status of the JSON answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidArgument => 400,
            Self::Unauthenticated => 401,
            Self::PermissionDenied => 403,
            Self::NotFound => 404,
            Self::DeadlineExceeded => 408,
            Self::AlreadyExists => 409,
            Self::FailedPrecondition => 412,
            Self::ResourceExhausted => 429,
            Self::Unimplemented => 501,
            Self::Cancelled | Self::Aborted | Self::Unavailable => 503,
            Self::Unknown | Self::OutOfRange | Self::Internal | Self::DataLoss => 500,
        }
    }
}

/// A call that was refused. The message is for the partner's engineer, and holds nothing that came in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    pub code: Code,
    pub message: String,
}

impl Refused {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Code 3: `field` as the .proto file has it, and what to do about it.
    pub fn field(field: &str, what: impl std::fmt::Display) -> Self {
        Self::new(Code::InvalidArgument, format!("{field}: {what}"))
    }

    /// Code 5.
    pub fn not_found(field: &str, what: impl std::fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("{field}: {what}"))
    }

    /// The JSON answer's body.
    pub fn body(&self) -> Value {
        json!({ "code": self.code.number(), "message": self.message, "details": [] })
    }
}
