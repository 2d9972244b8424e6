//! The shop as the gateway knows it, and the requests that it signs. No I/O.

use serde::Serialize;

use super::keys::{KeyError, SignError, SigningKey, VerifyingKey};
use super::wire::{Parameters, amount_text, time_text};
use crate::gateway::{PageError, PageRequest};
use crate::kernel::{Currency, Money, Timestamp};

/// The application id of the sandbox's merchant. The vendor's own sandbox uses the same prefix; production ids begin otherwise.
pub const SANDBOX_APP_ID: &str = "9021000000000001";
/// Hosts of the production gateway end so.
const PRODUCTION_DOMAIN: &str = ".alipay.com";
/// The largest amount of the gateway, in fen.
const AMOUNT_MAX: i64 = 10_000_000_000;
/// Characters of a subject at most.
const SUBJECT_MAX: usize = 256;

/// Why the settings can't be those of a merchant. Nothing here shows a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MerchantError {
    /// The application's private key was refused.
    #[error("the application's private key: {0}")]
    PrivateKey(KeyError),
    /// Alipay's public key was refused.
    #[error("alipay's public key: {0}")]
    PublicKey(KeyError),
    /// The commonest mistake.
    #[error("alipay's public key belongs to the application's own key; use the one shown in Alipay's console")]
    SwappedKeys,
    /// Anybody can sign with these.
    #[error("sandbox keys or a sandbox application can't be used with the production gateway")]
    SandboxInProduction,
    /// Not a URL of HTTP.
    #[error("the gateway's URL must be \"https://…\"")]
    Url,
    /// The production gateway without encryption.
    #[error("the production gateway is reached by https only")]
    Plain,
}

/// Keys, ids and addresses of one merchant. They belong together and change together.
#[derive(Debug, Clone)]
pub struct Merchant {
    /// The gateway.
    pub gateway_url: String,
    /// The application's id.
    pub app_id: String,
    /// The payee's id.
    pub seller_id: String,
    /// The application's private key.
    pub key: SigningKey,
    /// Alipay's public keys: the present one, and others while keys are changed.
    pub alipay_keys: Vec<VerifyingKey>,
    /// Where notifications are to be posted.
    pub notify_url: String,
    /// Where the browser is to go after paying.
    pub return_url: String,
}

/// A request that is ready to be sent: common parameters in the URL, business in the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// Where to.
    pub url: String,
    /// The form-encoded body.
    pub body: String,
}

fn host(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?.split(':').next()?;
    (matches!(scheme, "http" | "https") && !host.is_empty()).then_some(host)
}

impl Merchant {
    /// Refuses settings that can't work or that anybody could forge messages for.
    pub fn check(self) -> Result<Self, MerchantError> {
        let host = host(&self.gateway_url).ok_or(MerchantError::Url)?.to_ascii_lowercase();
        let own = self.key.public().map_err(MerchantError::PrivateKey)?;
        if self.alipay_keys.is_empty() {
            return Err(MerchantError::PublicKey(KeyError::Encoding));
        }
        if self.alipay_keys.contains(&own) {
            return Err(MerchantError::SwappedKeys);
        }
        if host.ends_with(PRODUCTION_DOMAIN) {
            let marked = own.is_from_sandbox() || self.alipay_keys.iter().any(VerifyingKey::is_from_sandbox);
            if marked || self.app_id == SANDBOX_APP_ID {
                return Err(MerchantError::SandboxInProduction);
            }
            if !self.gateway_url.starts_with("https://") {
                return Err(MerchantError::Plain);
            }
        }
        Ok(self)
    }

    /// The common parameters of a call, not signed yet.
    fn common(&self, method: &str, at: Timestamp) -> Parameters {
        let mut parameters = Parameters::default();
        for (name, value) in [
            ("app_id", self.app_id.as_str()),
            ("method", method),
            ("format", "JSON"),
            ("charset", "utf-8"),
            ("sign_type", "RSA2"),
            ("timestamp", &time_text(at)),
            ("version", "1.0"),
        ] {
            parameters.set(name, value);
        }
        parameters
    }

    fn sign(&self, mut parameters: Parameters) -> Result<Parameters, SignError> {
        let sign = self.key.sign(&parameters.canonical(&["sign"]))?;
        parameters.set("sign", sign);
        Ok(parameters)
    }

    /// A call of the server: `business` is the method's own part, one JSON object.
    pub fn call(&self, method: &str, business: &impl Serialize, at: Timestamp) -> Result<SignedRequest, SignError> {
        let mut parameters = self.common(method, at);
        parameters.set("biz_content", serde_json::to_string(business).map_err(|_| SignError)?);
        let parameters = self.sign(parameters)?;
        let url = format!("{}?{}", self.gateway_url, parameters.encode(|name| name != "biz_content"));
        Ok(SignedRequest { url, body: parameters.encode(|name| name == "biz_content") })
    }

    /// The URL of the page where the buyer pays (`alipay.trade.page.pay`).
    pub fn page_url(&self, request: &PageRequest) -> Result<String, PageError> {
        takes(request.amount)?;
        #[derive(Serialize)]
        struct Page<'a> {
            out_trade_no: &'a str,
            total_amount: String,
            subject: String,
            product_code: &'a str,
            time_expire: String,
        }
        let business = Page {
            out_trade_no: &request.number,
            total_amount: amount_text(request.amount.minor),
            subject: subject(&request.subject),
            product_code: "FAST_INSTANT_TRADE_PAY",
            time_expire: time_text(request.expires_at),
        };
        let mut parameters = self.common("alipay.trade.page.pay", request.at);
        parameters.set("notify_url", &self.notify_url);
        parameters.set("return_url", &self.return_url);
        parameters.set("biz_content", serde_json::to_string(&business).unwrap_or_default());
        let parameters = self.sign(parameters).map_err(|_| PageError::Amount)?;
        Ok(format!("{}?{}", self.gateway_url, parameters.encode(|_| true)))
    }
}

/// Whether the amount can be paid at all.
pub fn takes(amount: Money) -> Result<(), PageError> {
    if amount.currency != Currency::Cny {
        return Err(PageError::Currency);
    }
    if !(1..=AMOUNT_MAX).contains(&amount.minor) {
        return Err(PageError::Amount);
    }
    Ok(())
}

/// The subject without what the gateway refuses (`/ = &` and control characters), cut to its length, never empty.
fn subject(text: &str) -> String {
    let taken: String = text
        .chars()
        .map(|c| if matches!(c, '/' | '=' | '&') || c.is_control() { ' ' } else { c })
        .take(SUBJECT_MAX)
        .collect();
    if taken.trim().is_empty() { "order".to_owned() } else { taken }
}
