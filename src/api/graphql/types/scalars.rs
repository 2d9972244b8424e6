//! Scalars that every slice uses.

use async_graphql::{
    Enum, InputObject, InputValueError, InputValueResult, Object, Scalar, ScalarType, SimpleObject, Value,
};

use crate::kernel::{Currency, Money as Amount, Timestamp};

/// A timestamp: RFC 3339 in UTC with milliseconds, such as `2026-11-23T10:00:00.000Z`. Input may use any UTC offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime(pub Timestamp);

/// A timestamp: RFC 3339 in UTC with milliseconds, such as `2026-11-23T10:00:00.000Z`. Input may use any UTC offset.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Timestamp::parse_rfc3339(text)
                .map(Self)
                .ok_or_else(|| InputValueError::custom("not an RFC 3339 date and time")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339())
    }
}

/// A decimal number as a string, such as `"19.90"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal(pub String);

/// A decimal number as a string, such as `"19.90"`.
#[Scalar]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// A calendar date: RFC 3339 full-date, such as `2026-11-23`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date(pub jiff::civil::Date);

/// A calendar date: RFC 3339 full-date, such as `2026-11-23`.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/local-date")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            // Exactly the ten characters: the parser itself would also take a time, which would then be cut off silently.
            Value::String(text) if text.len() == 10 => jiff::civil::Date::strptime("%Y-%m-%d", text)
                .map(Self)
                .map_err(|_| InputValueError::custom("not an RFC 3339 date")),
            Value::String(_) => Err(InputValueError::custom("not an RFC 3339 date")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A location: an absolute URL, or a path on this server that begins with a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url(pub String);

/// A location: an absolute URL, or a path on this server that begins with a slash.
#[Scalar(name = "URL", specified_by_url = "https://url.spec.whatwg.org/")]
impl ScalarType for Url {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// A currency that the shop sells in (ISO 4217).
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum CurrencyCode {
    /// Chinese yuan.
    Cny,
    /// United States dollar.
    Usd,
    /// Euro.
    Eur,
}

impl From<Currency> for CurrencyCode {
    fn from(currency: Currency) -> Self {
        match currency {
            Currency::Cny => Self::Cny,
            Currency::Usd => Self::Usd,
            Currency::Eur => Self::Eur,
        }
    }
}

impl From<CurrencyCode> for Currency {
    fn from(code: CurrencyCode) -> Self {
        match code {
            CurrencyCode::Cny => Self::Cny,
            CurrencyCode::Usd => Self::Usd,
            CurrencyCode::Eur => Self::Eur,
        }
    }
}

/// An amount of money.
pub struct Money(pub Amount);

/// An amount of money.
#[Object]
impl Money {
    /// The amount in major units, with as many decimal places as the currency has.
    async fn amount(&self) -> Decimal {
        Decimal(self.0.amount())
    }

    /// The currency of the amount.
    async fn currency_code(&self) -> CurrencyCode {
        self.0.currency.into()
    }
}

/// An amount of money, as input.
#[derive(InputObject, Debug, Clone)]
pub struct MoneyInput {
    /// The amount in major units, such as `"19.90"`, without a sign or digit grouping, and with no more decimal
    /// places than the currency has.
    pub amount: Decimal,
    /// The currency of the amount.
    #[graphql(default_with = "CurrencyCode::Cny")]
    pub currency_code: CurrencyCode,
}

/// Pagination details of a page.
#[derive(SimpleObject, Debug, Clone, Default)]
pub struct PageInfo {
    /// Whether more items precede this page.
    pub has_previous_page: bool,
    /// Whether more items follow this page.
    pub has_next_page: bool,
    /// The cursor of the first edge.
    pub start_cursor: Option<String>,
    /// The cursor of the last edge.
    pub end_cursor: Option<String>,
}
