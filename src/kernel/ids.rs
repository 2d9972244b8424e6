//! Typed ids. Outside the process an id is one opaque string, `<type>_<base64url>`; a string of another
//! type, or one that is not in canonical form, does not parse.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::{Clock, Rng, Timestamp};

/// The text is not the canonical form of an id of the wanted type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid ID")]
pub struct InvalidId;

/// Generation of a sale's gate; each rebuild of the gate raises it, to [`next_epoch`].
pub type Epoch = u32;

/// 2026-01-01T00:00:00Z.
const EPOCHS_BEGIN: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// The epoch that a gate is opened under at `now`, after one with the epoch `last`: the larger of the next number and the seconds since
/// 2026-01-01. A database that is restored from a backup has an old `last`. The numbers that were used since the backup are below the
/// seconds of today, so they are not used again, however the database was restored. (Minutes would not do: a node that restarts more often
/// than once a minute would run ahead of them. An operator who restores within a second or two of the last start must wait, or know the
/// last epoch.) A clock that is years ahead counts as the year 2094, so that numbers are left.
pub fn next_epoch(last: Epoch, now: Timestamp) -> Epoch {
    #[cfg(feature = "sabotage")]
    if super::sabotage::active("epoch.next_number") {
        return last + 1;
    }
    let seconds = now.since(EPOCHS_BEGIN).as_secs().min(i32::MAX as u64) as Epoch;
    seconds.max(last.saturating_add(1))
}

/// Position of an admission within an epoch, from 1.
pub type Seq = u64;

/// Characters of the longest id, without its prefix.
const BODY_MAX: usize = 38;

fn encode(prefix: &str, bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0; BODY_MAX];
    let text = &mut text[..BASE64URL_NOPAD.encode_len(bytes.len())];
    BASE64URL_NOPAD.encode_mut(bytes, text);
    f.write_str(prefix)?;
    f.write_str("_")?;
    f.write_str(str::from_utf8(text).map_err(|_| fmt::Error)?)
}

fn decode<const N: usize>(prefix: &str, text: &str) -> Result<[u8; N], InvalidId> {
    let body = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|body| body.len() == N.div_ceil(3) * 4 - (3 - N % 3) % 3)
        .ok_or(InvalidId)?;
    // The length is that of exactly so many bytes.
    let mut bytes = [0; N];
    BASE64URL_NOPAD.decode_mut(body.as_bytes(), &mut bytes).map_err(|_| InvalidId)?;
    Ok(bytes)
}

/// Reads an id from text that may be gone afterwards: messages are full of them, and none needs a copy.
struct TextForm<T>(PhantomData<T>);

impl<T: FromStr<Err = InvalidId>> Visitor<'_> for TextForm<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! text_form {
    ($name:ident, $prefix:literal, $size:literal) => {
        impl $name {
            /// The prefix of the text form, before the underscore.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                encode($prefix, &self.to_bytes(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                decode::<$size>($prefix, text).map(Self::from_bytes)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(TextForm(PhantomData))
            }
        }
    };
}

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, ordered by the clock's time (UUID version 7).
            pub fn generate(clock: &Clock, rng: &Rng) -> Self {
                Self(uuid_v7(clock, rng))
            }

            /// The id with these 16 bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The 16 bytes that are stored.
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.into_bytes()
            }
        }

        text_form!($name, $prefix, 16);
    )*};
}

uuid_ids! {
    /// A signed-up person, buyer or operator.
    UserId = "user";
    /// A catalog product.
    ProductId = "product";
    /// A time slot in which sales run.
    SessionId = "session";
    /// One product in one session.
    SaleId = "sale";
    /// One operator act in the audit log.
    AuditId = "audit";
    /// One attempt to sign in or up, in the login log.
    LoginEventId = "login";
    /// One attempt to pay an order.
    PaymentId = "payment";
    /// Money going back.
    RefundId = "refund";
    /// Something in which a bill of the payment gateway and the records differ.
    BillDifferenceId = "difference";
    /// One movement of loyalty points.
    TransferId = "points";
    /// A global transaction: work in several databases that is done in all of them or in none.
    Xid = "tx";
}

/// A dead-letter message, by its position among those that were dead-lettered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FailureId(pub u64);

impl FailureId {
    /// Big-endian: ids sort by position.
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// The reverse of [`Self::to_bytes`].
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(bytes))
    }
}

text_form!(FailureId, "failure", 8);

macro_rules! numbers {
    ($($name:ident = $letter:literal;)*) => {$(
        impl $name {
            /// The id as a payment gateway takes it: a letter and 32 hexadecimal digits.
            pub fn number(self) -> String {
                format!(concat!($letter, "{}"), HEXLOWER.encode(&self.to_bytes()))
            }

            /// The reverse of [`Self::number`]; `None` for what is not exactly that.
            pub fn from_number(number: &str) -> Option<Self> {
                let bytes = HEXLOWER.decode(number.strip_prefix($letter)?.as_bytes()).ok()?;
                bytes.try_into().ok().map(Self::from_bytes)
            }
        }
    )*};
}

numbers! {
    PaymentId = "p";
    RefundId = "r";
}

fn uuid_v7(clock: &Clock, rng: &Rng) -> Uuid {
    let millis = clock.now().as_millis().max(0) as u64;
    uuid::Builder::from_unix_timestamp_millis(millis, &rng.bytes::<10>()).into_uuid()
}

/// An admission: `(sale, epoch, seq)`. The gate hands it out, every node derives the same id from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketId {
    /// The sale that admitted.
    pub sale: SaleId,
    /// The generation of its gate.
    pub epoch: Epoch,
    /// The position within the generation.
    pub seq: Seq,
}

impl TicketId {
    /// Sale (16 bytes), epoch (4) and seq (8), big-endian: tickets of a sale sort by admission.
    pub fn to_bytes(self) -> [u8; 28] {
        let mut bytes = [0; 28];
        bytes[..16].copy_from_slice(&self.sale.to_bytes());
        bytes[16..20].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[20..].copy_from_slice(&self.seq.to_be_bytes());
        bytes
    }

    /// The reverse of [`Self::to_bytes`].
    pub fn from_bytes(bytes: [u8; 28]) -> Self {
        let (mut sale, mut epoch, mut seq) = ([0; 16], [0; 4], [0; 8]);
        sale.copy_from_slice(&bytes[..16]);
        epoch.copy_from_slice(&bytes[16..20]);
        seq.copy_from_slice(&bytes[20..]);
        Self { sale: SaleId::from_bytes(sale), epoch: Epoch::from_be_bytes(epoch), seq: Seq::from_be_bytes(seq) }
    }

    /// The order that this ticket becomes if it gets stock.
    pub const fn order(self) -> OrderId {
        OrderId(self)
    }
}

text_form!(TicketId, "ticket", 28);

/// An order has the identity of the ticket it came from: one ticket can never make two orders.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(TicketId);

impl OrderId {
    /// The ticket behind the order.
    pub const fn ticket(self) -> TicketId {
        self.0
    }

    /// See [`TicketId::to_bytes`].
    pub fn to_bytes(self) -> [u8; 28] {
        self.0.to_bytes()
    }

    /// See [`TicketId::from_bytes`].
    pub fn from_bytes(bytes: [u8; 28]) -> Self {
        Self(TicketId::from_bytes(bytes))
    }
}

text_form!(OrderId, "order", 28);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn text_round_trips_and_is_canonical() {
        let ticket = TicketId { sale: SaleId::from_bytes([7; 16]), epoch: 3, seq: 258 };
        let text = ticket.to_string();
        assert_eq!(text.parse(), Ok(ticket));
        assert_eq!(ticket.order().to_string().parse::<OrderId>(), Ok(ticket.order()));
        assert_eq!(ticket.sale.to_string().parse(), Ok(ticket.sale));
        for bad in ["", "sale", "sale_", "ticket_AAAA", "sale_!", &text[1..], &format!("{text}A")] {
            assert_eq!(bad.parse::<TicketId>(), Err(InvalidId), "{bad}");
        }
        // The last symbol of a 16-byte body carries four unused bits: only zeros are canonical.
        let sale = ticket.sale.to_string();
        let twin = format!("{}{}", &sale[..sale.len() - 1], "x");
        assert_eq!(twin.parse::<SaleId>(), Err(InvalidId));
    }

    #[test]
    fn an_epoch_of_later_is_above_all_that_were_used() {
        let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        assert_eq!(next_epoch(0, at("2026-01-01T00:01:00Z")), 60);
        assert_eq!(next_epoch(60, at("2026-01-01T00:01:00Z")), 61, "a second rebuild in one second");
        assert_eq!(next_epoch(61, at("2026-01-01T00:01:02Z")), 62);
        // Restored from a copy of epoch 1, after a shop that restarted each second for an hour.
        let rush = at("2026-11-29T12:00:00Z");
        let last = (0..3_600).fold(1, |last, second| next_epoch(last, rush.plus(Duration::from_secs(second))));
        assert!(next_epoch(1, rush.plus(Duration::from_secs(3_600))) > last);
        // Clocks that are wrong.
        assert_eq!(next_epoch(7, at("1970-01-01T00:00:00Z")), 8);
        assert_eq!(next_epoch(7, Timestamp::MAX), i32::MAX as u32);
        assert_eq!(next_epoch(i32::MAX as u32, Timestamp::MAX), i32::MAX as u32 + 1);
    }

    #[test]
    fn a_type_does_not_parse_as_another() {
        let user = UserId::from_bytes([1; 16]).to_string();
        assert_eq!(user.parse::<SaleId>(), Err(InvalidId));
    }
}
