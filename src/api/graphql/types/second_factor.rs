//! Where somebody stands with the second factor.

use async_graphql::{Enum, Object, Result};
use qrcode::{Color, EcLevel, QrCode};

use super::int::clamped;
use super::scalars::DateTime;
use crate::accounts::FactorState;
use crate::api::graphql::error::Code;
use crate::config;

/// Whether the shop asks its staff for a second factor.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "config::SecondFactor")]
pub enum SecondFactorPolicy {
    /// Nobody is asked for one.
    Off,
    /// Those who have set one up are asked for it.
    Optional,
    /// Staff without one can sign in, but has no rights until one is set up.
    Required,
}

/// Where the viewer stands with the second factor.
pub struct SecondFactor(pub FactorState);

/// Where the viewer stands with the second factor.
#[Object]
impl SecondFactor {
    /// What the shop asks for.
    async fn policy(&self) -> SecondFactorPolicy {
        self.0.policy.into()
    }

    /// Since when the second factor is in force. Null if none is.
    async fn enabled_at(&self) -> Option<DateTime> {
        self.0.enabled_at.map(DateTime)
    }

    /// The number of recovery codes that have not been used.
    async fn recovery_codes_left(&self) -> i32 {
        clamped(self.0.recovery_codes_left as u64)
    }
}

/// The text as a QR code: one string per row, `1` for dark.
pub fn modules(text: &str) -> Result<Vec<String>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(|error| {
        tracing::error!(%error, "could not make a QR code");
        Code::InternalServerError.error("Something went wrong on our side.")
    })?;
    let digit = |colour: &Color| if *colour == Color::Dark { '1' } else { '0' };
    Ok(code.to_colors().chunks(code.width()).map(|row| row.iter().map(digit).collect()).collect())
}
