//! What operators did and looked at, read back.

pub use crate::model::audit::{Entry, Filter};

use super::Control;
use crate::kernel::{AuditId, Listed, Place, Wanted};
use crate::store::{self, StoreError};

impl Control {
    /// A page of the entries, the newest first. `operator` is a username.
    pub async fn audit_entries(
        &self,
        operator: Option<String>,
        filter: Filter,
        wanted: Wanted<Place<AuditId>>,
    ) -> Result<Listed<Entry>, StoreError> {
        let operator = match operator.map(|name| name.trim().to_ascii_lowercase()) {
            None => filter.operator,
            Some(name) => {
                let found = store::read!(&self.0.db, |conn| sql::accounts::find_by_username(conn, &name).await)?;
                let Some((user, _)) = found else { return Ok(Listed::none()) };
                Some(user.id)
            }
        };
        let filter = Filter { operator, ..filter };
        store::read!(&self.0.db, |conn| sql::acts::list(conn, &filter, &wanted).await)
    }

    /// One entry.
    pub async fn audit_entry(&self, id: AuditId) -> Result<Option<Entry>, StoreError> {
        store::read!(&self.0.db, |conn| sql::acts::find(conn, id).await)
    }
}
