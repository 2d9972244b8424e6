//! Orders of all buyers, for operators: by number, buyer, sale, state and time.

use super::{Orders, OrdersError};
use crate::kernel::{Epoch, Listed, Place, SaleId, Seq, TicketId, UserId, Wanted};
use crate::model::orders::{Among, Order, OrderSearch};
use crate::store;

/// Characters of a number that are needed to look for what begins so.
const NUMBER_MIN: usize = 4;
/// Characters of a username that are needed to look for what begins so.
const BUYER_MIN: usize = 3;
/// Buyers whose usernames begin alike, of whom orders are shown together, at most.
const BUYERS_MAX: usize = 100;
/// Digits with which a seq is written at least.
const SEQ_DIGITS: usize = 6;
/// Digits of the largest seq that the database can hold.
const SEQ_DIGITS_MAX: usize = 19;
/// Digits of the largest epoch.
const EPOCH_DIGITS_MAX: usize = 10;

/// Why nothing was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchRefusal {
    /// Fewer than 4 characters of the number.
    NumberTooShort,
    /// Fewer than 3 characters of the username.
    BuyerTooShort,
    /// More than 100 usernames begin so.
    BuyerTooCommon,
}

impl SearchRefusal {
    /// A sentence for the operator.
    pub const fn message(self) -> &'static str {
        match self {
            Self::NumberTooShort => "Give at least 4 characters of the order's number.",
            Self::BuyerTooShort => "Give at least 3 characters of the buyer's username.",
            Self::BuyerTooCommon => "More than 100 usernames begin so: give more of the buyer's username.",
        }
    }
}

impl Orders {
    /// A page of the orders that are looked for, the newest first. Refused tickets are none.
    pub async fn search(
        &self,
        search: OrderSearch,
        wanted: Wanted<Place<TicketId>>,
    ) -> Result<Result<Listed<Order>, SearchRefusal>, OrdersError> {
        let buyers = match search.buyer.as_deref().map(str::trim) {
            None => None,
            Some(name) => match self.buyers(&name.to_ascii_lowercase()).await? {
                Ok(buyers) => Some(buyers),
                Err(refusal) => return Ok(Err(refusal)),
            },
        };
        let ranges = match search.number.as_deref().map(str::trim) {
            Some(number) if number.chars().count() < NUMBER_MIN => return Ok(Err(SearchRefusal::NumberTooShort)),
            Some(number) => Some(self.ranges(number, search.sale).await?),
            None => search.sale.map(|sale| vec![of_sale(sale)]),
        };
        let among = match (ranges, buyers) {
            (Some(ranges), buyers) => Among::Ids(ranges, buyers),
            (None, Some(buyers)) => Among::Buyers(buyers),
            (None, None) => Among::All,
        };
        let found = store::read!(&self.0.db, |conn| sql::order_search::list(conn, &among, &search, &wanted).await);
        Ok(Ok(found?))
    }

    /// Whose username begins so. Who is called exactly so is found however many others begin so.
    async fn buyers(&self, beginning: &str) -> Result<Result<Vec<UserId>, SearchRefusal>, OrdersError> {
        if beginning.chars().count() < BUYER_MIN {
            return Ok(Err(SearchRefusal::BuyerTooShort));
        }
        let name = beginning.to_owned();
        let found = store::read!(&self.0.db, |conn| sql::people::named(conn, &name, BUYERS_MAX + 1).await)?;
        Ok(match found.first() {
            Some((id, username)) if found.len() > BUYERS_MAX && username == beginning => Ok(vec![*id]),
            _ if found.len() > BUYERS_MAX => Err(SearchRefusal::BuyerTooCommon),
            _ => Ok(found.into_iter().map(|(id, _)| id).collect()),
        })
    }

    async fn ranges(&self, number: &str, sale: Option<SaleId>) -> Result<Vec<(TicketId, TicketId)>, OrdersError> {
        let (of, rest) = number.split_once('-').map_or((number, None), |(of, rest)| (of, Some(rest)));
        let Some(of) = whole(of) else { return Ok(Vec::new()) };
        let found = store::read!(&self.0.db, |conn| sql::sales::id_of_number(conn, of).await)?;
        let found = found.filter(|found| sale.is_none_or(|sale| sale == *found));
        Ok(found.map(|sale| ranges_in(sale, rest)).unwrap_or_default())
    }
}

const fn of_sale(sale: SaleId) -> (TicketId, TicketId) {
    (TicketId { sale, epoch: 0, seq: 0 }, TicketId { sale, epoch: Epoch::MAX, seq: Seq::MAX })
}

/// A number without a sign that the database can hold.
fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && i64::try_from(*number).is_ok())
}

/// The ids of orders of a sale whose number goes on so behind the sale's, the highest first.
fn ranges_in(sale: SaleId, rest: Option<&str>) -> Vec<(TicketId, TicketId)> {
    let mut ranges = match rest.map(|rest| rest.split_once('-').map_or((rest, None), |(e, s)| (e, Some(s)))) {
        None | Some(("", None)) => vec![of_sale(sale)],
        Some((beginning, None)) => beginning_so(beginning, 1, EPOCH_DIGITS_MAX)
            .into_iter()
            .filter_map(|(low, high)| {
                let (low, high) = (Epoch::try_from(low).ok()?, high.min(u64::from(Epoch::MAX)) as Epoch);
                Some((TicketId { sale, epoch: low, seq: 0 }, TicketId { sale, epoch: high, seq: Seq::MAX }))
            })
            .collect(),
        Some((epoch, Some(beginning))) => {
            let Some(epoch) = whole(epoch).and_then(|epoch| Epoch::try_from(epoch).ok()) else { return Vec::new() };
            let id = |seq: u64| TicketId { sale, epoch, seq };
            match beginning {
                "" => vec![(id(0), id(Seq::MAX))],
                beginning => {
                    let seqs = beginning_so(beginning, SEQ_DIGITS, SEQ_DIGITS_MAX);
                    seqs.into_iter().map(|(low, high)| (id(low), id(high))).collect()
                }
            }
        }
    };
    ranges.sort_unstable_by(|a, b| b.cmp(a));
    ranges
}

/// The numbers that begin so when they are written with at least `digits` digits, as ranges, both ends included.
fn beginning_so(beginning: &str, digits: usize, most: usize) -> Vec<(u64, u64)> {
    if beginning.is_empty() || !beginning.bytes().all(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    let mut ranges = Vec::new();
    // With zeros in front there is one length only.
    let lengths = if beginning.starts_with('0') { digits..=digits } else { digits..=most };
    for length in lengths.filter(|length| *length >= beginning.len()) {
        let missing = length - beginning.len();
        let end = |digit: &str| format!("{beginning}{}", digit.repeat(missing)).parse::<u64>();
        let Ok(low) = end("0") else { continue };
        ranges.push((low, end("9").unwrap_or(u64::MAX)));
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Currency, Money, Timestamp};
    use crate::model::orders::OrderState;

    const SALE: SaleId = SaleId::from_bytes([7; 16]);

    fn number(epoch: Epoch, seq: Seq) -> String {
        let at = Timestamp::from_millis(0);
        let order = Order {
            ticket: TicketId { sale: SALE, epoch, seq },
            sale_number: 100_017,
            buyer: UserId::from_bytes([1; 16]),
            quantity: 1,
            key: None,
            state: OrderState::Paid,
            product_name: String::new(),
            unit_price: Money { minor: 1, currency: Currency::Cny },
            points_price: None,
            created_at: at,
            decided_at: at,
            pay_before: at,
            paid_at: None,
            closed_at: None,
            version: 1,
        };
        order.number()
    }

    proptest::proptest! {
        #[test]
        fn exactly_the_numbers_that_begin_so_are_in_the_ranges(
            epoch in 0_u32..200, seq in 0_u64..3_000_000, other_epoch in 0_u32..200, other_seq in 0_u64..3_000_000, cut in 0_usize..14,
        ) {
            let written = number(epoch, seq);
            let beginning: String = written.chars().take("100017".len() + cut).collect();
            let rest = beginning.strip_prefix("100017").unwrap().strip_prefix('-');
            let ranges = ranges_in(SALE, rest);
            for (epoch, seq) in [(epoch, seq), (other_epoch, other_seq), (epoch, other_seq), (epoch, seq / 10)] {
                let id = TicketId { sale: SALE, epoch, seq };
                let inside = ranges.iter().filter(|(low, high)| *low <= id && id <= *high).count();
                proptest::prop_assert_eq!(inside, usize::from(number(epoch, seq).starts_with(&beginning)), "{} {}", beginning, id);
            }
            proptest::prop_assert!(ranges.windows(2).all(|pair| pair[0].0 > pair[1].1), "{:?}", ranges);
        }
    }

    #[test]
    fn what_is_no_number_is_found_nowhere() {
        for rest in ["x", "1-x", "1-2-3", "-1", "+1", "1-+2", "4294967296-1", "99999999999", "1-99999999999999999999"] {
            assert_eq!(ranges_in(SALE, Some(rest)), [], "{rest}");
        }
        assert_eq!(ranges_in(SALE, None), [of_sale(SALE)]);
    }
}
