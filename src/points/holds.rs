//! Points as a participant of global transactions: Try sets points aside, Confirm moves them, Cancel frees them.

use async_trait::async_trait;

use super::Points;
use crate::kernel::{TransferId, UserId, Xid};
use crate::model::points::{
    Direction, INSUFFICIENT, NOT_RETURNABLE, Reservation, ReservationState, Transfer, TransferKind,
};
use crate::model::tcc::BranchKey;
use crate::store;
use crate::tcc::{Failure, Participant, Tried};
use serde::Deserialize;
use serde::Serialize;

/// The task of a branch, as stored with the transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct HoldArgs {
    user: UserId,
    points: i64,
    subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of: Option<(Xid, u32)>,
}

/// The name under which branches of points are written down.
pub const PARTICIPANT: &str = "points";

/// The task of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The owner of the points.
    pub user: UserId,
    /// How many, at least one.
    pub points: i64,
    /// Which way.
    pub direction: Direction,
    /// The ID of the order.
    pub subject: String,
}

impl Hold {
    /// As it is written down with the transaction.
    pub fn encode(&self) -> String {
        let of = match self.direction {
            Direction::Debit => None,
            Direction::Credit { of } => Some((of.xid, of.branch)),
        };
        let args = HoldArgs { user: self.user, points: self.points, subject: self.subject.clone(), of };
        serde_json::json!(args).to_string()
    }

    /// The reverse of [`Self::encode`].
    pub fn decode(args: &str) -> Result<Self, Failure> {
        let args: HoldArgs = serde_json::from_str(args).map_err(|error| Failure::Arguments(error.to_string()))?;
        if args.points < 1 {
            return Err(Failure::Arguments(format!("{} points", args.points)));
        }
        let of = args.of.map(|(xid, branch)| BranchKey { xid, branch });
        Ok(Self {
            user: args.user,
            points: args.points,
            direction: of.map_or(Direction::Debit, |of| Direction::Credit { of }),
            subject: args.subject,
        })
    }

    pub(crate) fn fence(self, key: BranchKey, state: ReservationState) -> Reservation {
        let Self { user, points, direction, subject } = self;
        Reservation { key, user, direction, points, subject, state, reason: None, returned: 0 }
    }
}

#[async_trait]
impl Participant for Points {
    fn name(&self) -> &'static str {
        PARTICIPANT
    }

    async fn attempt(&self, key: BranchKey, args: &str) -> Result<Tried, Failure> {
        let hold = Hold::decode(args)?;
        let now = self.now();
        let welcome = self.welcome(hold.user);
        let new = hold.clone().fence(key, ReservationState::Tried);
        let found = store::write!(self.db(), |conn| sql::reservations::attempt(conn, &new, &welcome, now).await)?;
        match found.state {
            ReservationState::Cancelled | ReservationState::Suspended => return Ok(Tried::AlreadyCancelled),
            _ if (found.user, found.points, found.direction) != (hold.user, hold.points, hold.direction) => {
                return Err(Failure::Arguments(format!("branch {} of {} has different contents", key.branch, key.xid)));
            }
            ReservationState::Tried | ReservationState::Confirmed => Ok(Tried::Tried),
            ReservationState::Rejected => Ok(Tried::Rejected(match found.direction {
                Direction::Debit => INSUFFICIENT,
                Direction::Credit { .. } => NOT_RETURNABLE,
            })),
        }
    }

    async fn confirm(&self, key: BranchKey, _: &str) -> Result<(), Failure> {
        let (id, now) = (self.transfer_id(), self.now());
        let transfer = move |reservation: &Reservation| transfer(id, reservation, now);
        let done = store::write!(self.db(), |conn| sql::reservations::confirm(conn, key, transfer, now).await)?;
        done.map_err(|found| {
            let found = found.map_or("unknown", ReservationState::as_str);
            Failure::Breach(format!("confirm of branch {} of {}, which is {found}", key.branch, key.xid))
        })
    }

    async fn cancel(&self, key: BranchKey, args: &str) -> Result<(), Failure> {
        let now = self.now();
        let fence = Hold::decode(args)?.fence(key, ReservationState::Suspended);
        let done = store::write!(self.db(), |conn| sql::reservations::cancel(conn, &fence, now).await)?;
        done.map_err(|found| {
            Failure::Breach(format!("cancel of branch {} of {}, which is {}", key.branch, key.xid, found.as_str()))
        })
    }
}

/// The transfer of a confirmed reservation.
fn transfer(id: TransferId, reservation: &Reservation, at: crate::kernel::Timestamp) -> Transfer {
    let (kind, points) = match reservation.direction {
        Direction::Debit => (TransferKind::Payment, -reservation.points),
        Direction::Credit { .. } => (TransferKind::Refund, reservation.points),
    };
    Transfer {
        id,
        kind,
        user: reservation.user,
        points,
        reference: None,
        branch: Some(reservation.key),
        operator: None,
        reason: None,
        subject: Some(reservation.subject.clone()),
        at,
    }
}
