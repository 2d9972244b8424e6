//! `[payments]`: the payment gateway, refunds and reconciliation.

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Check;
use super::{Secret, Span};

/// The payment gateway, refunds and reconciliation.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Payments {
    /// The URL of Alipay's gateway: `"https://openapi.alipay.com/gateway.do"`. If empty, Alipay is disabled. The URL, the IDs and the
    /// keys belong together and must be changed together.
    pub alipay_url: String,
    /// The ID of the application at Alipay.
    pub alipay_app_id: String,
    /// The ID of the payee at Alipay. Notifications for another payee are rejected.
    pub alipay_seller_id: String,
    /// The application's private key, which signs requests: PEM (PKCS#1 or PKCS#8), or the base64 text on one line. In PEM on one
    /// line, write line breaks as \n. Set either this or the file.
    pub alipay_private_key: Secret,
    /// A file with the application's private key.
    pub alipay_private_key_file: String,
    /// Alipay's public key (not the application's), which verifies responses and notifications. Set either this or the file.
    pub alipay_public_key: Secret,
    /// A file with Alipay's public key.
    pub alipay_public_key_file: String,
    /// The public URL of this shop. The gateway sends notifications to `/payments/alipay/notify` under it, and browsers return to
    /// `/payments/alipay/return`.
    pub public_url: String,
    /// Origins that a browser may be redirected to after paying (`returnUrl` of `orderPay`). The origin of `public_url` is always
    /// allowed.
    pub return_origins: Vec<String>,
    /// The timeout for one call to the gateway. After that its outcome is unknown and is queried later.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1m"))]
    pub request_timeout: Span,
    /// How long the gateway may be unresponsive before the circuit breaker opens. While it is open, one call per 200 ms is let
    /// through and all others are deferred; the first success closes it.
    #[schemars(extend("x-hot" = true, "x-min" = "100ms", "x-max" = "1h"))]
    pub refuse_after: Span,
    /// The maximum number of payment attempts per order.
    #[schemars(range(min = 1, max = 1_000))]
    pub attempts_max: usize,
    /// How long a payment may be pending before the gateway is queried, in case its notification was lost.
    #[schemars(extend("x-hot" = true, "x-min" = "10ms", "x-max" = "1h"))]
    pub check_after: Span,
    /// The maximum delay between two such queries. The delay starts at `check_after` and doubles.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1d"))]
    pub check_max: Span,
    /// How long after the expiry of its payment page a payment that never started is queried once more.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1d"))]
    pub late_check_after: Span,
    /// How long an overdue order waits for an unresponsive gateway before it expires anyway. Money that arrives later is refunded
    /// automatically.
    #[schemars(extend("x-hot" = true, "x-min" = "0ms", "x-max" = "7d"))]
    pub close_within: Span,
    /// How long to wait before querying the outcome of a refund. Alipay requires 10 s.
    #[schemars(extend("x-hot" = true, "x-min" = "10ms", "x-max" = "1h"))]
    pub refund_check_after: Span,
    /// The minimum time between two refunds of one payment. Alipay requires 3 s.
    #[schemars(extend("x-hot" = true, "x-min" = "0ms", "x-max" = "1h"))]
    pub refund_spacing: Span,
    /// The maximum delay between two attempts of a refund. The delay starts at `refund_check_after` and doubles. Refunds are retried
    /// until their outcome is definite.
    #[schemars(extend("x-hot" = true, "x-min" = "10ms", "x-max" = "1d"))]
    pub refund_retry_max: Span,
    /// How often due payments and refunds are looked for.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub poll_every: Span,
    /// The maximum number of payments, and of refunds, processed at the same time, which is also the maximum number of concurrent
    /// gateway calls of each kind.
    #[schemars(range(min = 1, max = 256))]
    pub concurrency: usize,
    /// The maximum number of due payments or refunds read at once, longest waiting first. It must be larger than concurrency.
    #[schemars(range(min = 2, max = 10_000))]
    pub batch: usize,
    /// How long after the end of a day (UTC+8) its bill is compared with the records. Alipay provides it from about 9 o'clock.
    #[schemars(extend("x-min" = "0ms", "x-max" = "7d"))]
    pub bill_after: Span,
    /// How often to look for days that were not compared yet or whose bill has discrepancies.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1d"))]
    pub bill_every: Span,
    /// The number of past days whose bills are compared automatically.
    #[schemars(range(min = 1, max = 90))]
    pub bill_days: u32,
    /// How long a payment or refund may be pending before it is listed in `stuckPayments`.
    #[schemars(extend("x-hot" = true, "x-min" = "10ms", "x-max" = "30d"))]
    pub stuck_after: Span,
}

impl Payments {
    /// Whether there is a gateway.
    pub fn has_alipay(&self) -> bool {
        !self.alipay_url.is_empty()
    }

    pub(super) fn validate(&self, check: &mut Check<'_>) {
        for origin in &self.return_origins {
            let plain = is_http(origin) && !origin.trim_end_matches('/').replacen("://", "", 1).contains('/');
            check.require(plain, &["payments.return_origins"], "must be origins such as \"https://shop.example\"");
        }
        check.require(
            self.batch > self.concurrency,
            &["payments.batch", "payments.concurrency"],
            "batch must be larger than concurrency, or payments in progress hide others that are due",
        );
        if !self.has_alipay() {
            return;
        }
        check.require(is_http(&self.alipay_url), &["payments.alipay_url"], "must be \"https://…\", or empty");
        check.require(is_http(&self.public_url), &["payments.public_url"], "must be \"https://…\" with Alipay");
        for (value, key) in
            [(&self.alipay_app_id, "payments.alipay_app_id"), (&self.alipay_seller_id, "payments.alipay_seller_id")]
        {
            check.require(!value.is_empty(), &[key], "must not be empty with payments.alipay_url");
        }
        for (value, file, keys) in [
            (
                &self.alipay_private_key,
                &self.alipay_private_key_file,
                ["payments.alipay_private_key", "payments.alipay_private_key_file"],
            ),
            (
                &self.alipay_public_key,
                &self.alipay_public_key_file,
                ["payments.alipay_public_key", "payments.alipay_public_key_file"],
            ),
        ] {
            let one = value.expose().is_empty() != file.is_empty();
            check.require(one, &keys, "exactly one of the two must be set with payments.alipay_url");
        }
    }
}

fn is_http(text: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
}
