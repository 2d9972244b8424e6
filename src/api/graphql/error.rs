//! Top-level errors: client and server faults. Business refusals are `userErrors` in payloads instead.

use async_graphql::{Error, ErrorExtensions as _};

use crate::accounts::AccountsError;
use crate::broker::BrokerError;
use crate::control::failures::FailuresError;
use crate::orders::OrdersError;
use crate::store::StoreError;

/// `extensions.code` of a top-level error. Stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// Nobody is signed in, and the field needs somebody.
    Unauthenticated,
    /// The user does not have permission.
    Forbidden,
    /// An argument can't be used.
    BadUserInput,
    /// Too many requests; `retryAfterSeconds` says when to come again.
    RateLimited,
    /// Something the answer depends on does not work now; `retryAfterSeconds` says when to come again.
    Unavailable,
    /// A fault of the server; logged with the request id.
    InternalServerError,
    /// The document is not GraphQL.
    GraphqlParseFailed,
    /// The document does not fit the schema.
    GraphqlValidationFailed,
    /// The operation to run is not clear.
    OperationResolutionFailure,
    /// The document is over a limit of size.
    DocumentTooLarge,
    /// The document is over a limit of cost.
    DocumentTooComplex,
    /// The document of this hash is not known.
    PersistedQueryNotFound,
}

impl Code {
    const ALL: [Self; 12] = [
        Self::Unauthenticated,
        Self::Forbidden,
        Self::BadUserInput,
        Self::RateLimited,
        Self::Unavailable,
        Self::InternalServerError,
        Self::GraphqlParseFailed,
        Self::GraphqlValidationFailed,
        Self::OperationResolutionFailure,
        Self::DocumentTooLarge,
        Self::DocumentTooComplex,
        Self::PersistedQueryNotFound,
    ];

    /// From its sent form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// As sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::RateLimited => "RATE_LIMITED",
            Self::Unavailable => "UNAVAILABLE",
            Self::InternalServerError => "INTERNAL_SERVER_ERROR",
            Self::GraphqlParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::GraphqlValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::OperationResolutionFailure => "OPERATION_RESOLUTION_FAILURE",
            Self::DocumentTooLarge => "DOCUMENT_TOO_LARGE",
            Self::DocumentTooComplex => "DOCUMENT_TOO_COMPLEX",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
        }
    }

    /// An error of this code.
    pub fn error(self, message: impl Into<String>) -> Error {
        Error::new(message).extend_with(|_, extensions| extensions.set("code", self.as_str()))
    }

    /// An error of this code that says when to come again.
    pub fn retry(self, message: impl Into<String>, after_seconds: u32) -> Error {
        self.error(message).extend_with(|_, extensions| extensions.set("retryAfterSeconds", after_seconds))
    }
}

/// The answer when the database fails: its words go to the log, not to the client.
pub fn store_fault(error: &StoreError) -> Error {
    if error.is_transient() {
        tracing::warn!(%error, "database unavailable");
        Code::Unavailable.retry("The service is temporarily unavailable. Please try again shortly.", 2)
    } else {
        tracing::error!(%error, "database error");
        Code::InternalServerError.error("Something went wrong on our side.")
    }
}

/// The answer when accounts can't answer.
pub fn accounts_fault(error: &AccountsError) -> Error {
    match error {
        AccountsError::Throttled { retry_after } | AccountsError::Busy { retry_after } => {
            let seconds = retry_after.as_millis().div_ceil(1000).clamp(1, u128::from(u32::MAX)) as u32;
            Code::RateLimited.retry("Too many attempts. Please wait a moment and try again.", seconds)
        }
        AccountsError::Store(error) => store_fault(error),
        AccountsError::Hashing(reason) => {
            tracing::error!(%reason, "password hashing failed");
            Code::InternalServerError.error("Something went wrong on our side.")
        }
        AccountsError::SecondFactor(error) => {
            tracing::error!(%error, "a second factor can't be read");
            Code::InternalServerError.error("Something went wrong on our side.")
        }
    }
}

/// The answer when buying or looking up an order fails: what happened is not known, and asking again is safe.
pub fn orders_fault(error: &OrdersError) -> Error {
    match error {
        OrdersError::Store(error) => store_fault(error),
        OrdersError::Gate(_) | OrdersError::Broker(_) => {
            tracing::warn!(%error, "the purchase path is unavailable");
            Code::Unavailable.retry("The service is temporarily unavailable. Please try again shortly.", 2)
        }
    }
}

/// The answer when the broker fails.
pub fn broker_fault(error: &BrokerError) -> Error {
    tracing::warn!(%error, "broker unavailable");
    Code::Unavailable.retry("The service is not available right now. Please try again shortly.", 2)
}

/// The error when dead-letter messages can't be read or processed.
pub fn failures_fault(error: &FailuresError) -> Error {
    match error {
        FailuresError::Store(error) => store_fault(error),
        FailuresError::Broker(error) => broker_fault(error),
    }
}
