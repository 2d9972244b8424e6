//! Money: an integer count of minor units with its currency. Never a float.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A currency the shop sells in; all of them have two decimal places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// Chinese yuan.
    Cny,
    /// United States dollar.
    Usd,
    /// Euro.
    Eur,
}

impl Currency {
    /// ISO 4217 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Cny => "CNY",
            Self::Usd => "USD",
            Self::Eur => "EUR",
        }
    }

    /// Digits after the decimal point.
    pub const fn scale(self) -> u32 {
        2
    }
}

impl FromStr for Currency {
    type Err = InvalidMoney;
    fn from_str(code: &str) -> Result<Self, InvalidMoney> {
        match code {
            "CNY" => Ok(Self::Cny),
            "USD" => Ok(Self::Usd),
            "EUR" => Ok(Self::Eur),
            _ => Err(InvalidMoney::Currency),
        }
    }
}

/// Why a text is not an amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMoney {
    /// Not a plain decimal number such as `19.90`.
    #[error("not a decimal number")]
    Number,
    /// More decimal places than the currency has.
    #[error("more decimal places than the currency has")]
    Scale,
    /// Below zero, or above [`Money::MAX_MINOR`].
    #[error("out of range")]
    Range,
    /// A currency the shop does not know.
    #[error("unknown currency")]
    Currency,
}

/// An amount of money, zero or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Count of minor units (fen, cents).
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// The largest amount that is accepted: ten thousand million major units.
    pub const MAX_MINOR: i64 = 1_000_000_000_000;

    /// Parses a plain decimal (`19.9`, `19.90`, `20`): no sign, exponent, or grouping.
    pub fn parse(amount: &str, currency: Currency) -> Result<Self, InvalidMoney> {
        let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if let Some(positive) = amount.strip_prefix('-').filter(|rest| !rest.starts_with('-')) {
            return Err(match Self::parse(positive, currency) {
                Ok(_) => InvalidMoney::Range,
                Err(error) => error,
            });
        }
        if whole.is_empty() || !digits(whole) || !digits(fraction) || amount.ends_with('.') {
            return Err(InvalidMoney::Number);
        }
        if fraction.len() > currency.scale() as usize {
            return Err(InvalidMoney::Scale);
        }
        let padded = format!("{whole}{fraction:0<width$}", width = currency.scale() as usize);
        let minor: i64 = padded.parse().map_err(|_| InvalidMoney::Range)?;
        if minor > Self::MAX_MINOR { Err(InvalidMoney::Range) } else { Ok(Self { minor, currency }) }
    }

    /// This amount `quantity` times; `None` when it leaves the range of `i64`.
    pub fn times(self, quantity: u32) -> Option<Self> {
        let minor = self.minor.checked_mul(i64::from(quantity))?;
        Some(Self { minor, ..self })
    }

    /// The amount without its currency, `19.90`.
    pub fn amount(self) -> String {
        decimal(self.minor)
    }
}

/// Minor units as a decimal of major ones: `1990` is `19.90`, `-5` is `-0.05`.
pub fn decimal(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", minor.unsigned_abs() / 100, minor.unsigned_abs() % 100)
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_exactly_what_it_prints() {
        let parse = |text| Money::parse(text, Currency::Cny).map(|m| m.minor);
        assert_eq!(parse("19.90"), Ok(1990));
        assert_eq!(parse("19.9"), Ok(1990));
        assert_eq!(parse("0"), Ok(0));
        assert_eq!(parse("19.901"), Err(InvalidMoney::Scale));
        assert_eq!(parse("-1"), Err(InvalidMoney::Range));
        assert_eq!(parse("99999999999999999999"), Err(InvalidMoney::Range));
        for bad in ["", ".", "1.", ".5", "1e3", "+1", "1,000", " 1", "٣", "-", "--1", "NaN"] {
            assert_eq!(parse(bad), Err(InvalidMoney::Number), "{bad}");
        }
        assert_eq!(Money { minor: 1905, currency: Currency::Usd }.to_string(), "19.05 USD");
    }

    #[test]
    fn amounts_below_one_and_below_zero_keep_their_digits_and_sign() {
        let pairs = [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (-1990, "-19.90"), (i64::MIN, "-92233720368547758.08")];
        for (minor, text) in pairs {
            assert_eq!(decimal(minor), text);
        }
    }
}
