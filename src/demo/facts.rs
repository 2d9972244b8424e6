//! What the database says at one moment: the other half of the evidence, read straight from the tables.

use crate::kernel::SaleId;
use crate::model::facts::{Facts, SaleFact};
use crate::store::{self, Database, StoreError};

impl Facts {
    /// Reads them, all as of one moment.
    pub async fn read(db: &Database) -> Result<Self, StoreError> {
        store::read!(db, |conn| sql::audit::facts(conn).await)
    }

    /// Units sold over all sales, and events that wait to be published.
    pub async fn sold(db: &Database) -> Result<(u64, u64), StoreError> {
        store::read!(db, |conn| sql::audit::sold(conn).await)
    }

    /// The sale with this id.
    pub fn sale(&self, id: SaleId) -> Option<&SaleFact> {
        self.sales.iter().find(|sale| sale.id == id)
    }
}
