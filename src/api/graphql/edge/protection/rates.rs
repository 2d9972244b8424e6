//! Adapts the rate limits ([`crate::limits`]) to the edge: which client and kind of operation a request counts as, and the response to a
//! client over its limit.

use super::exhausted::Exhausted;
use super::load::Class;
use crate::api::graphql::context::RequestInfo;
use crate::api::graphql::edge::response::refusal::{Cause, Refusal};
use crate::api::graphql::error::Code;
use crate::limits::{Act, Asker, OverLimit};

/// The client that sent a request.
pub fn asker(info: &RequestInfo) -> Asker {
    Asker { address: info.address, user: info.viewer.map(|viewer| viewer.id) }
}

impl From<Class> for Act {
    fn from(class: Class) -> Self {
        match class {
            Class::List | Class::Query => Self::Query,
            Class::Change => Self::Change,
            Class::Purchase => Self::Purchase,
        }
    }
}

impl From<OverLimit> for Refusal {
    fn from(over: OverLimit) -> Self {
        let OverLimit { limit: name, quota, window_seconds, wait } = over;
        let wait_seconds = wait.as_millis().div_ceil(1000).clamp(1, u128::from(u32::MAX)) as u32;
        let message = "Too many requests. Please wait a moment and try again.";
        let refusal = Self::retry(Cause::RateLimited, Code::RateLimited, message, wait_seconds);
        Self { exhausted: Some(Exhausted { name, quota, window_seconds, wait_seconds }), ..refusal }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;

    use super::*;
    use crate::api::graphql::edge::protection::exhausted::{POLICY, STATE};

    #[test]
    fn who_is_over_a_limit_is_told_which_and_when_to_come_again() {
        for (millis, seconds) in [(0, 1), (1, 1), (500, 1), (1_000, 1), (1_001, 2), (30_000, 30), (u64::MAX, u32::MAX)]
        {
            let wait = Duration::from_millis(millis);
            let refusal = Refusal::from(OverLimit { limit: "address", quota: 2, window_seconds: 1, wait });
            assert_eq!((refusal.cause, refusal.retry_after), (Cause::RateLimited, Some(seconds)));
            let mut headers = HeaderMap::new();
            refusal.exhausted.unwrap().write(&mut headers);
            assert_eq!(headers[POLICY], "\"address\";q=2;w=1");
            assert_eq!(headers[STATE], format!("\"address\";r=0;t={seconds}"));
        }
    }
}
