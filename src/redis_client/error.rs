//! Why there is no result.

/// Redis did not do what it was asked to. Whether it acted is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RedisError(pub String);

impl RedisError {
    /// Somebody else writes to these keys, or another library has this one's name.
    pub fn unreadable(what: &str) -> Self {
        Self(format!("Redis contains data that doorbuster did not write: {what}"))
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// Nobody answers, or not in time; may pass.
    #[error("could not connect to Redis: {0}")]
    Unreachable(String),
    /// The server answers and can't be used as it is.
    #[error("this Redis can't be used: {0}")]
    Unusable(String),
}

impl From<redis::RedisError> for ConnectError {
    fn from(error: redis::RedisError) -> Self {
        let refused = error.kind() == redis::ErrorKind::AuthenticationFailed;
        let busy = matches!(error.code(), Some("LOADING" | "MASTERDOWN" | "BUSY"));
        let passes = error.is_io_error() || error.is_unrecoverable_error() || busy;
        if passes && !refused { Self::Unreachable(error.to_string()) } else { Self::Unusable(error.to_string()) }
    }
}

/// Why a call has no answer.
pub enum CallError {
    /// The server said no.
    Told(redis::RedisError),
    /// There is no connection, or no answer came: whether the server acted is unknown.
    Untold(String),
}

impl From<CallError> for RedisError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Told(error) => Self(error.to_string()),
            CallError::Untold(reason) => Self(reason),
        }
    }
}
