//! `[log]`: logging.

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Check;

/// Logging.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The format: "text" for people or "json" with one object per line. Both are written to standard error.
    pub format: LogFormat,
    /// What is logged: a level (error, warn, info, debug, trace), or levels per module such as `"info,doorbuster::orders=debug"`.
    #[schemars(extend("x-hot" = true))]
    pub filter: String,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line of text per event.
    Text,
    /// One JSON object per line.
    Json,
}

/// Whether the terminal supports colours and the user has not disabled them (<https://no-color.org>, and terminals that can't).
pub fn colours_are_welcome() -> bool {
    let set = |name| std::env::var_os(name).unwrap_or_default();
    set("NO_COLOR").is_empty() && set("TERM") != "dumb"
}

impl Log {
    pub(super) fn validate(&self, check: &mut Check<'_>) {
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&self.filter) {
            check.require(false, &["log.filter"], &format!("is not a valid filter: {error}"));
        }
        // A bare word would be taken for a module, and a misspelt level would log nothing.
        let levels = ["off", "error", "warn", "info", "debug", "trace"];
        let bare = self.filter.split(',').map(str::trim).find(|part| !part.contains('=') && !levels.contains(part));
        if let Some(part) = bare {
            check.require(
                false,
                &["log.filter"],
                &format!("`{part}` is not a level; write a module as `{part}=debug`"),
            );
        }
    }
}
