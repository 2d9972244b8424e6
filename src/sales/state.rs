//! The changes allowed in each state of a sale: DRAFT -> PUBLISHED <-> PAUSED -> ENDED.

use crate::catalog::Reason;
use crate::model::sales::SaleState;

/// An operator act on a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Change what is offered.
    Update,
    /// Let it sell in its session's window.
    Publish,
    /// Stop it for now.
    Pause,
    /// Let it sell again.
    Resume,
    /// Stop it for good.
    End,
    /// Offer more units.
    AddStock,
}

impl Act {
    /// Every act.
    pub const ALL: [Self; 6] = [Self::Update, Self::Publish, Self::Pause, Self::Resume, Self::End, Self::AddStock];

    /// As it stands in the audit log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Update => "sale.update",
            Self::Publish => "sale.publish",
            Self::Pause => "sale.pause",
            Self::Resume => "sale.resume",
            Self::End => "sale.end",
            Self::AddStock => "sale.stock_add",
        }
    }
}

/// The state that the act leads to, or why it may not be done. `session_over`: the window has passed, so that nothing
/// but ending the sale still makes sense.
pub const fn after(act: Act, state: SaleState, session_over: bool) -> Result<SaleState, Reason> {
    use SaleState::{Draft, Ended, Paused, Published};
    let next = match (state, act) {
        (Ended, _) => return Err(Reason::SaleEnded),
        (Draft, Act::Update) => return Ok(Draft),
        (Draft, Act::Publish) => Published,
        (Draft, _) => return Err(Reason::SaleNotPublished),
        (Published | Paused, Act::Update | Act::Publish) => return Err(Reason::SaleAlreadyPublished),
        (Published | Paused, Act::End) => return Ok(Ended),
        (Published, Act::Pause) => Paused,
        (Published, Act::Resume) => return Err(Reason::SaleNotPaused),
        (Paused, Act::Pause) => return Err(Reason::SaleAlreadyPaused),
        (Paused, Act::Resume) => Published,
        (Published | Paused, Act::AddStock) => state,
    };
    if session_over { Err(Reason::SessionEnded) } else { Ok(next) }
}

/// The message for the operator.
pub const fn message(reason: Reason) -> &'static str {
    match reason {
        Reason::SaleNotPublished => "The sale is a draft. Publish it first.",
        Reason::SaleAlreadyPublished => "The sale is already published. Only drafts can be changed or published.",
        Reason::SaleAlreadyPaused => "The sale is already paused.",
        Reason::SaleNotPaused => "The sale is not paused.",
        Reason::SaleEnded => "The sale has been ended.",
        Reason::SessionEnded => "The session of the sale is over.",
        _ => "This is not possible in the current state of the sale.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SaleState::{Draft, Ended, Paused, Published};

    #[test]
    fn every_act_in_every_state() {
        let not_published = Err(Reason::SaleNotPublished);
        let published = Err(Reason::SaleAlreadyPublished);
        let over = Err(Reason::SessionEnded);
        let ended = Err(Reason::SaleEnded);
        // Act, then: draft, published, paused in time; draft, published, paused when the session is over.
        let table = [
            (Act::Update, [Ok(Draft), published, published], [Ok(Draft), published, published]),
            (Act::Publish, [Ok(Published), published, published], [over, published, published]),
            (
                Act::Pause,
                [not_published, Ok(Paused), Err(Reason::SaleAlreadyPaused)],
                [not_published, over, Err(Reason::SaleAlreadyPaused)],
            ),
            (
                Act::Resume,
                [not_published, Err(Reason::SaleNotPaused), Ok(Published)],
                [not_published, Err(Reason::SaleNotPaused), over],
            ),
            (Act::End, [not_published, Ok(Ended), Ok(Ended)], [not_published, Ok(Ended), Ok(Ended)]),
            (Act::AddStock, [not_published, Ok(Published), Ok(Paused)], [not_published, over, over]),
        ];
        assert_eq!(table.map(|row| row.0), Act::ALL);
        for (act, in_time, when_over) in table {
            for (index, state) in [Draft, Published, Paused].into_iter().enumerate() {
                assert_eq!(after(act, state, false), in_time[index], "{act:?} {state:?}");
                assert_eq!(after(act, state, true), when_over[index], "{act:?} {state:?}, session over");
            }
            assert_eq!(after(act, Ended, false), ended, "{act:?}");
            assert_eq!(after(act, Ended, true), ended, "{act:?}, session over");
        }
    }
}
