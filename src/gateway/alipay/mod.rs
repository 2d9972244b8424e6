//! Alipay's "v2" protocol: one URL, form encoding, signatures in the "RSA2" scheme.
//!
//! The core knows no network: [`wire`] (parameters, the string that is signed, amounts, times), [`keys`], [`merchant`]
//! (requests), [`envelope`] and [`answers`] (what comes back), [`messages`] (notifications and browser returns), [`bill`].
//! Around it, [`client`] speaks HTTP and implements the contract. The sandbox (`src/bin/alipay-sandbox`) uses the same core
//! from the other side.
//!
//! Facts about the protocol come from the vendor's SDKs (`alipay-sdk-java-all`, `alipay-sdk-nodejs-all`,
//! `alipay-sdk-python-all`) and its open documentation; where those disagree, the Java SDK is followed.

pub mod answers;
pub mod bill;
pub mod client;
pub mod envelope;
pub mod keys;
pub mod merchant;
pub mod messages;
pub mod settings;
#[cfg(test)]
mod tests;
pub mod wire;

pub use client::Alipay;
pub use keys::{KeyError, SigningKey, VerifyingKey};
pub use merchant::{Merchant, MerchantError, SANDBOX_APP_ID};
pub use settings::Settings;
