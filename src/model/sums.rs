//! What the purchases of a sale add up to.

/// Sums over a sale, as the database has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SaleSums {
    /// Decided tickets.
    pub tickets: u64,
    /// Tickets that became no order: sold out, already bought, sale ended, voided.
    pub refused: [u64; 4],
    /// Units in paid orders, also in those whose money is on its way back.
    pub units_paid: u64,
    /// Money of paid orders less what went back, in minor units of the sale's currency. Points are no money.
    pub revenue: i64,
}
