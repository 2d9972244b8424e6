//! Limits for the unit tests of this folder.

use crate::api::graphql::edge::protection::guard::Limits;

/// Limits as they might be in production.
pub fn limits() -> Limits {
    Limits {
        bytes: 16 * 1024,
        tokens: 2000,
        nesting: 40,
        aliases: 30,
        root_fields: 20,
        fields: 500,
        depth: 15,
        lists: 4,
        cost: 5000,
        page_default: 20,
        page_max: 100,
        once: &["salePurchase"],
    }
}
