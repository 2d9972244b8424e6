//! What each shopper will do, decided before anything starts. The same seed makes the same plan.

use std::time::Duration;

use crate::kernel::Rng;

/// When shoppers arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// Most within the first tenth of this time after the opening, the rest over all of it, a few too early.
    Rush(Duration),
    /// One after another at this many a second.
    Steady(u32),
}

/// How many shoppers out of a hundred have a habit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// Follow the stock while they wait.
    pub watch_stock: u32,
    /// Press twice at once, with one key.
    pub double_click: u32,
    /// Give up on an answer quickly and press again with the same key.
    pub impatient: u32,
    /// First ask for a quantity that can't be.
    pub wrong_quantity: u32,
    /// Try a second key after they have a ticket.
    pub second_key: u32,
    /// Send the same key again after they have a ticket, and once with another quantity.
    pub replay: u32,
    /// Lose their socket while they wait and come back.
    pub drop_socket: u32,
    /// Cancel what they got.
    pub cancel: u32,
    /// Buy again after they cancelled.
    pub buy_again: u32,
    /// Look at somebody else's ticket.
    pub peek: u32,
    /// Press again when they hear that it is sold out.
    pub persistent: u32,
}

impl Habits {
    /// Somebody who presses once and waits.
    pub const fn none() -> Self {
        Self {
            watch_stock: 0,
            double_click: 0,
            impatient: 0,
            wrong_quantity: 0,
            second_key: 0,
            replay: 0,
            drop_socket: 0,
            cancel: 0,
            buy_again: 0,
            peek: 0,
            persistent: 0,
        }
    }
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            watch_stock: 40,
            double_click: 12,
            impatient: 6,
            wrong_quantity: 4,
            second_key: 15,
            replay: 15,
            drop_socket: 20,
            cancel: 15,
            buy_again: 50,
            peek: 10,
            persistent: 25,
        }
    }
}

/// What one shopper will do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "a list of independent habits, drawn one by one")]
pub struct Part {
    /// Number, from 0.
    pub index: u32,
    /// When it presses, after the opening; `None`: before it, and again at the opening.
    pub arrives: Option<Duration>,
    /// The idempotency key of its first attempt.
    pub key: String,
    /// See [`Habits::watch_stock`].
    pub watch_stock: bool,
    /// See [`Habits::double_click`].
    pub double_click: bool,
    /// See [`Habits::impatient`].
    pub impatient: bool,
    /// See [`Habits::wrong_quantity`]: the quantity.
    pub wrong_quantity: Option<i64>,
    /// See [`Habits::second_key`].
    pub second_key: bool,
    /// See [`Habits::replay`].
    pub replay: bool,
    /// See [`Habits::drop_socket`].
    pub drop_socket: bool,
    /// See [`Habits::cancel`].
    pub cancel: bool,
    /// See [`Habits::buy_again`].
    pub buy_again: bool,
    /// See [`Habits::peek`].
    pub peek: bool,
    /// See [`Habits::persistent`].
    pub persistent: bool,
    /// For waits that the plan does not fix: a number in 0..1000.
    pub jitter: u32,
}

/// Quantities that can't be bought.
const NONSENSE: [i64; 4] = [0, -1, 1_000_000, 2_147_483_647];

/// The part of shopper `index`. It depends on nothing but its arguments.
pub fn part(seed: u64, index: u32, arrivals: Arrivals, habits: &Habits) -> Part {
    let rng = Rng::seeded(seed ^ (u64::from(index) << 32) ^ 0x9E37_79B9_7F4A_7C15);
    let has = |percent: u32| rng.below(100) < u64::from(percent);
    let arrives = match arrivals {
        Arrivals::Steady(per_second) => Some(Duration::from_secs_f64(f64::from(index) / f64::from(per_second.max(1)))),
        Arrivals::Rush(_) if has(3) => None,
        Arrivals::Rush(over) => {
            let span = if has(80) { over / 10 } else { over };
            Some(Duration::from_micros(rng.below(span.as_micros() as u64)))
        }
    };
    Part {
        index,
        arrives,
        key: format!("buy-{}", data_encoding::HEXLOWER.encode(&rng.bytes::<10>())),
        watch_stock: has(habits.watch_stock),
        double_click: has(habits.double_click),
        impatient: has(habits.impatient),
        wrong_quantity: has(habits.wrong_quantity).then(|| NONSENSE[rng.below(NONSENSE.len() as u64) as usize]),
        second_key: has(habits.second_key),
        replay: has(habits.replay),
        drop_socket: has(habits.drop_socket),
        cancel: has(habits.cancel),
        buy_again: has(habits.buy_again),
        peek: has(habits.peek),
        persistent: has(habits.persistent),
        jitter: rng.below(1000) as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(seed: u64) -> Vec<Part> {
        let arrivals = Arrivals::Rush(Duration::from_secs(5));
        (0..500).map(|index| part(seed, index, arrivals, &Habits::default())).collect()
    }

    #[test]
    fn a_seed_is_a_plan() {
        assert_eq!(parts(7), parts(7));
        assert_ne!(parts(7), parts(8));
        let keys: std::collections::HashSet<_> = parts(7).into_iter().map(|part| part.key).collect();
        assert_eq!(keys.len(), 500);
    }

    #[test]
    fn habits_occur_about_as_often_as_asked() {
        let double = parts(1).iter().filter(|part| part.double_click).count();
        assert!((30..=95).contains(&double), "{double}");
        assert!(parts(1).iter().any(|part| part.arrives.is_none()));
    }
}
