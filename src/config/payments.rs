//! `[payments]`: the gateway, and how long money may be under way.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Secret, Span};

/// The gateway, and how long money may be under way.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Payments {
    /// Alipay's gateway, `https://openapi.alipay.com/gateway.do`; empty: orders can't be paid with Alipay.
    pub alipay_url: String,
    /// The application's id at Alipay.
    pub alipay_app_id: String,
    /// The payee's id at Alipay.
    pub alipay_seller_id: String,
    /// The application's private key: PEM, or its base64 text on one line.
    pub alipay_private_key: Secret,
    /// A file with the application's private key.
    pub alipay_private_key_file: String,
    /// Alipay's public key: PEM, or its base64 text on one line.
    pub alipay_public_key: Secret,
    /// A file with Alipay's public key.
    pub alipay_public_key_file: String,
    /// Where the gateway and browsers reach this shop, `https://shop.example`.
    pub public_url: String,
    /// Origins that a browser may be sent to after paying, `https://shop.example`.
    pub return_origins: Vec<String>,
    /// How long one call of the gateway may take.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1m"))]
    pub request_timeout: Span,
    /// How long the gateway may have given no answer before calls are put off at once, but for a few that look whether it is back.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1h"))]
    pub refuse_after: Span,
    /// Attempts to pay one order at most.
    #[schemars(range(min = 1, max = 1_000))]
    pub attempts_max: usize,
    /// How long a payment may be pending before the gateway is asked.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub check_after: Span,
    /// The longest wait between two such questions.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1d"))]
    pub check_max: Span,
    /// How long after its page's end a payment that never began is asked for once more.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1d"))]
    pub late_check_after: Span,
    /// How long an overdue order waits for a gateway that does not answer before it expires all the same.
    #[schemars(extend("x-min" = "0ms", "x-max" = "7d"))]
    pub close_within: Span,
    /// How long to wait before asking what became of a refund.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub refund_check_after: Span,
    /// The least time between two refunds of one payment.
    #[schemars(extend("x-min" = "0ms", "x-max" = "1h"))]
    pub refund_spacing: Span,
    /// The longest wait between two tries of a refund.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1d"))]
    pub refund_retry_max: Span,
    /// How often payments and refunds that are due are looked for.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub poll_every: Span,
    /// Payments or refunds brought further at the same time.
    #[schemars(range(min = 1, max = 256))]
    pub concurrency: usize,
    /// Payments or refunds that are looked up at once.
    #[schemars(range(min = 2, max = 10_000))]
    pub batch: usize,
    /// How long after a day's end (UTC+8) its bill is compared with the books.
    #[schemars(extend("x-min" = "0ms", "x-max" = "7d"))]
    pub bill_after: Span,
    /// How often days that were not compared yet, or whose bill differs, are looked for.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1d"))]
    pub bill_every: Span,
    /// Days back for which bills are compared by themselves.
    #[schemars(range(min = 1, max = 90))]
    pub bill_days: u32,
    /// How long a payment or refund may be open before operators find it among the stuck ones.
    #[schemars(extend("x-min" = "10ms", "x-max" = "30d"))]
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
