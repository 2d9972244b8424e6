//! `[shop]`: public information about the shop.

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Check;
use crate::kernel::text::is_line;

/// Maximum length of the shop's name, in characters.
const NAME_MAX: usize = 64;

/// Public information about the shop.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shop {
    /// The name of the shop, for page titles.
    pub name: String,
    /// Where shoppers find support: `"https://…"`, `"mailto:…"`, or a path on this server. If empty, the storefront shows no link.
    pub support_url: String,
}

impl Shop {
    pub(super) fn validate(&self, check: &mut Check<'_>) {
        let name = is_line(&self.name, NAME_MAX);
        check.require(
            name,
            &["shop.name"],
            "must be 1 to 64 characters on one line, with at least one visible character",
        );
        check.require(
            self.support_url.is_empty() || is_link(&self.support_url),
            &["shop.support_url"],
            "must be \"https://…\", \"mailto:…\", a path on this server such as \"/help\", or empty",
        );
    }
}

/// An address that a page may link to.
fn is_link(text: &str) -> bool {
    let schemes = ["https://", "http://", "mailto:"];
    let absolute = schemes.iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    let path = text.starts_with('/') && !text.starts_with("//");
    (absolute || path) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}
