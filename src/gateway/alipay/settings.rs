//! From the settings' texts to a client.

use std::time::Duration;

use super::client::Alipay;
use super::keys::{SigningKey, VerifyingKey};
use super::merchant::{Merchant, MerchantError};
use crate::kernel::{Breaker, Clock};

/// Where the gateway posts notifications, below the shop's public URL.
pub const NOTIFY_PATH: &str = "/payments/alipay/notify";
/// Where browsers come back to, below the shop's public URL.
pub const RETURN_PATH: &str = "/payments/alipay/return";

/// What an operator says of the gateway. Has no `Debug`: it holds a key.
pub struct Settings<'a> {
    /// The gateway.
    pub gateway_url: &'a str,
    /// The application's id.
    pub app_id: &'a str,
    /// The payee's id.
    pub seller_id: &'a str,
    /// The application's private key, in any dress.
    pub private_key: &'a str,
    /// Alipay's public key; while keys are changed, the old and the new one after each other.
    pub public_keys: &'a str,
    /// Where the gateway and browsers reach this shop.
    pub public_url: &'a str,
    /// How long one call may take.
    pub timeout: Duration,
    /// How long it may have given no answer before it is asked only now and then.
    pub refuse_after: Duration,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The settings can't be right.
    #[error(transparent)]
    Merchant(#[from] MerchantError),
    /// The HTTP client could not be made.
    #[error("could not create the HTTP client")]
    Http,
}

impl Settings<'_> {
    /// The client; refuses what can't work or what anybody could forge messages for.
    pub fn open(&self, clock: Clock) -> Result<Alipay, SettingsError> {
        let public_url = self.public_url.trim_end_matches('/');
        let merchant = Merchant {
            gateway_url: self.gateway_url.to_owned(),
            app_id: self.app_id.to_owned(),
            seller_id: self.seller_id.to_owned(),
            key: SigningKey::parse(self.private_key).map_err(MerchantError::PrivateKey)?,
            alipay_keys: VerifyingKey::parse_all(self.public_keys).map_err(MerchantError::PublicKey)?,
            notify_url: format!("{public_url}{NOTIFY_PATH}"),
            return_url: format!("{public_url}{RETURN_PATH}"),
        };
        Alipay::new(merchant.check()?, self.timeout, Breaker::new(self.refuse_after), clock)
            .map_err(|_| SettingsError::Http)
    }
}
