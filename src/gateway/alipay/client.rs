//! The gateway over HTTP: deadlines, bounded answers, no redirects. What an answer means is `answers.rs`' business.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use super::answers;
use super::bill;
use super::merchant::{self, Merchant, SignedRequest};
use super::messages;
use super::wire::amount_text;
use crate::gateway::{
    BadMessage, BillRow, Closed, Notification, Outcome, PageError, PageRequest, PaymentGateway, RefundFound, Returned,
    TradeSnapshot,
};
use crate::kernel::errors::chain;
use crate::kernel::{Breaker, Clock, Currency, Money};

/// Bytes of an answer at most.
const ANSWER_MAX: usize = 256 * 1024;
/// Bytes of a bill at most.
const BILL_MAX: usize = 64 * 1024 * 1024;
/// A bill takes longer than a call.
const BILL_TIMEOUT_FACTOR: u32 = 6;
/// Characters of a refund's reason at most.
const REASON_MAX: usize = 256;

/// Alipay's gateway.
pub struct Alipay {
    merchant: Merchant,
    http: reqwest::Client,
    timeout: Duration,
    breaker: Breaker,
    clock: Clock,
}

/// Why there is no answer. Recorded as it is, and logged with its cause.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("could not connect to the gateway")]
    Connect(#[source] reqwest::Error),
    #[error("no response within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("the connection was lost")]
    Broken(#[source] reqwest::Error),
    #[error("HTTP status {0}")]
    Status(u16),
    #[error("the response is too large")]
    TooLarge,
    #[error("the request could not be signed")]
    Sign,
    #[error("the circuit breaker is open because the gateway has not responded")]
    Refused,
}

fn unknown<T>(error: CallError) -> Outcome<T> {
    Outcome::Unknown { reason: error.to_string() }
}

#[derive(Serialize)]
struct Trade<'a> {
    out_trade_no: &'a str,
}

impl Alipay {
    /// A client with this deadline for each call. While `breaker` is open most calls are not made and end as unknown.
    pub fn new(merchant: Merchant, timeout: Duration, breaker: Breaker, clock: Clock) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(timeout).build()?;
        Ok(Self { merchant, http, timeout, breaker, clock })
    }

    /// Signs and sends; one more time when nothing was sent because there was no connection.
    async fn call(&self, method: &str, business: &impl Serialize) -> Result<Vec<u8>, CallError> {
        if !self.breaker.lets_through() {
            return Err(CallError::Refused);
        }
        let request = self.merchant.call(method, business, self.clock.now()).map_err(|_| CallError::Sign)?;
        let answer = match self.post(&request).await {
            Err(CallError::Connect(_)) => self.post(&request).await,
            other => other,
        };
        match &answer {
            Ok(_) => self.breaker.works(),
            Err(error) => {
                self.breaker.fails();
                tracing::warn!(method, error = chain(error), "the payment gateway did not respond");
            }
        }
        answer
    }

    async fn post(&self, request: &SignedRequest) -> Result<Vec<u8>, CallError> {
        let sending = self
            .http
            .post(&request.url)
            .header("content-type", "application/x-www-form-urlencoded;charset=utf-8")
            .body(request.body.clone())
            .send();
        read(sending.await.map_err(|error| reason(error, self.timeout))?, ANSWER_MAX, self.timeout).await
    }
}

/// The kind of a failure. Without the URL, which contains the signature. `within`: the deadline of the call.
fn reason(error: reqwest::Error, within: Duration) -> CallError {
    let error = error.without_url();
    match () {
        () if error.is_connect() => CallError::Connect(error),
        () if error.is_timeout() => CallError::Timeout(within),
        () => CallError::Broken(error),
    }
}

async fn read(mut answer: reqwest::Response, max: usize, within: Duration) -> Result<Vec<u8>, CallError> {
    // The gateway answers 200 also to what it refuses; anything else is not the gateway's word.
    if answer.status() != 200 {
        return Err(CallError::Status(answer.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| reason(error, within))? {
        if body.len() + chunk.len() > max {
            return Err(CallError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[async_trait]
impl PaymentGateway for Alipay {
    fn set_patience(&self, patience: Duration) {
        self.breaker.set_patience(patience);
    }

    fn refuses(&self) -> bool {
        self.breaker.is_open()
    }

    fn takes(&self, amount: Money) -> Result<(), PageError> {
        merchant::takes(amount)
    }

    fn page_url(&self, request: &PageRequest) -> Result<String, PageError> {
        self.merchant.page_url(request)
    }

    async fn query(&self, number: &str) -> Outcome<TradeSnapshot> {
        match self.call("alipay.trade.query", &Trade { out_trade_no: number }).await {
            Ok(body) => answers::query(&body, &self.merchant.alipay_keys, number),
            Err(error) => unknown(error),
        }
    }

    async fn close(&self, number: &str) -> Outcome<Closed> {
        match self.call("alipay.trade.close", &Trade { out_trade_no: number }).await {
            Ok(body) => answers::close(&body, &self.merchant.alipay_keys, number),
            Err(error) => unknown(error),
        }
    }

    async fn refund(&self, number: &str, refund_number: &str, amount: Money, reason: &str) -> Outcome<()> {
        #[derive(Serialize)]
        struct Business<'a> {
            out_trade_no: &'a str,
            refund_amount: String,
            out_request_no: &'a str,
            #[serde(skip_serializing_if = "String::is_empty")]
            refund_reason: String,
        }
        if amount.currency != Currency::Cny {
            return Outcome::Rejected { code: "currency".to_owned() };
        }
        let business = Business {
            out_trade_no: number,
            refund_amount: amount_text(amount.minor),
            out_request_no: refund_number,
            refund_reason: reason.chars().filter(|c| !c.is_control()).take(REASON_MAX).collect(),
        };
        match self.call("alipay.trade.refund", &business).await {
            Ok(body) => answers::refund(&body, &self.merchant.alipay_keys, number),
            Err(error) => unknown(error),
        }
    }

    async fn query_refund(&self, number: &str, refund_number: &str) -> Outcome<RefundFound> {
        #[derive(Serialize)]
        struct Query<'a> {
            out_trade_no: &'a str,
            out_request_no: &'a str,
        }
        let business = Query { out_trade_no: number, out_request_no: refund_number };
        match self.call("alipay.trade.fastpay.refund.query", &business).await {
            Ok(body) => answers::query_refund(&body, &self.merchant.alipay_keys, number, refund_number),
            Err(error) => unknown(error),
        }
    }

    async fn bill(&self, day: jiff::civil::Date) -> Outcome<Vec<BillRow>> {
        #[derive(Serialize)]
        struct Bill {
            bill_type: &'static str,
            bill_date: String,
        }
        let business = Bill { bill_type: "trade", bill_date: day.to_string() };
        let body = match self.call("alipay.data.dataservice.bill.downloadurl.query", &business).await {
            Ok(body) => body,
            Err(error) => return unknown(error),
        };
        let url = match answers::bill_url(&body, &self.merchant.alipay_keys) {
            Outcome::Succeeded(Some(url)) => url,
            Outcome::Succeeded(None) => return Outcome::Succeeded(Vec::new()),
            Outcome::Pending { code } => return Outcome::Pending { code },
            Outcome::Unknown { reason } => return Outcome::Unknown { reason },
            Outcome::Rejected { code } => return Outcome::Rejected { code },
            Outcome::Misconfigured { reason } => return Outcome::Misconfigured { reason },
        };
        let within = self.timeout * BILL_TIMEOUT_FACTOR;
        let sending = self.http.get(&url).timeout(within).send().await;
        let bytes = match sending {
            Ok(answer) => read(answer, BILL_MAX, within).await,
            Err(error) => Err(reason(error, within)),
        };
        match bytes.map(|bytes| bill::parse(&bytes)) {
            Ok(Ok(rows)) => Outcome::Succeeded(rows),
            Ok(Err(error)) => Outcome::Unknown { reason: chain(&error) },
            Err(error) => unknown(error),
        }
    }

    fn verify_notification(&self, body: &[u8]) -> Result<Notification, BadMessage> {
        messages::notification(&self.merchant, body)
    }

    fn verify_return(&self, query: &str) -> Result<Returned, BadMessage> {
        messages::returned(&self.merchant, query)
    }
}
