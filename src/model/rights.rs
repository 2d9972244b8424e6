//! Which role may do what. Every guard asks here.

use super::accounts::{Proof, Role, Viewer};

/// Something that not everybody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Look up buyers, their orders, payments, refunds, points and attempts to sign in.
    SeeBuyers,
    /// See everything else of the control room: drafts, products, numbers, bills, nodes, settings, dead-letter messages, the audit log.
    SeeShop,
    /// Refund payments up to `accounts.support_refund_max_minor` for each order.
    RefundWithinLimit,
    /// Refund payments without a limit.
    Refund,
    /// Change products, their pictures, sessions and sales.
    RunSales,
    /// Stop all sales and let the shop sell again.
    StopShop,
    /// Change settings.
    ChangeSettings,
    /// Replay and dismiss dead-letter messages.
    HandleFailures,
    /// Close and record differences between bills and the records, and clear flags of payments.
    KeepBooks,
    /// Grant points.
    GrantPoints,
}

impl Right {
    /// Every right.
    pub const ALL: [Self; 10] = [
        Self::SeeBuyers,
        Self::SeeShop,
        Self::RefundWithinLimit,
        Self::Refund,
        Self::RunSales,
        Self::StopShop,
        Self::ChangeSettings,
        Self::HandleFailures,
        Self::KeepBooks,
        Self::GrantPoints,
    ];

    /// The message for a user whose role does not have this right.
    pub const fn refusal(self) -> &'static str {
        match self {
            Self::SeeBuyers | Self::RefundWithinLimit => "This requires a role of the shop's staff.",
            Self::SeeShop => "This requires the operator or the observer role.",
            Self::Refund
            | Self::RunSales
            | Self::StopShop
            | Self::ChangeSettings
            | Self::HandleFailures
            | Self::KeepBooks
            | Self::GrantPoints => "This requires the operator role.",
        }
    }
}

impl Role {
    /// Whether the role has the right.
    pub const fn may(self, right: Right) -> bool {
        match self {
            Self::Buyer => false,
            Self::Support => matches!(right, Right::SeeBuyers | Right::RefundWithinLimit),
            Self::Observer => matches!(right, Right::SeeBuyers | Right::SeeShop),
            Self::Operator => true,
        }
    }

    /// Whether it is a role of those who work in the shop.
    pub const fn is_staff(self) -> bool {
        !matches!(self, Self::Buyer)
    }
}

impl Viewer {
    /// Whether they may do this now; the error says why not.
    pub const fn may(self, right: Right) -> Result<(), &'static str> {
        if !self.role.may(right) {
            Err(right.refusal())
        } else if matches!(self.proof, Proof::Wanting) {
            Err("The shop requires a second factor of its staff. Please set yours up first.")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observers_look_support_helps_buyers_and_operators_do_everything() {
        let of = |role: Role| Right::ALL.into_iter().filter(|right| role.may(*right)).collect::<Vec<_>>();
        assert_eq!(of(Role::Buyer), []);
        assert_eq!(of(Role::Support), [Right::SeeBuyers, Right::RefundWithinLimit]);
        assert_eq!(of(Role::Observer), [Right::SeeBuyers, Right::SeeShop]);
        assert_eq!(of(Role::Operator), Right::ALL);
        assert_eq!(Role::ALL.map(Role::is_staff), [false, true, true, true]);
    }
}
