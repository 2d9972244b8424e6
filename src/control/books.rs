//! Verification of the records, as `doorbuster payments audit` does.

use super::Control;
use crate::kernel::Timestamp;
use crate::payments::audit::{self, Report};
use crate::store::StoreError;

impl Control {
    /// Checks all invariants of the records. `None` while another check runs on this node: each reads all rows, and one at a time
    /// is enough.
    pub async fn check_books(&self) -> Result<Option<(Report, Timestamp)>, StoreError> {
        let Ok(_alone) = self.0.checking.try_lock() else { return Ok(None) };
        let at = self.0.clock.now();
        let report = audit::check(&self.0.db, &self.0.db, false).await?;
        Ok(Some((report, at)))
    }
}
