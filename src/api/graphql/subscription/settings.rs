//! Changes of settings as they are made.

use std::collections::VecDeque;

use async_graphql::{Context, Result, Subscription};
use futures_util::stream::{self, Stream};
use tokio::sync::watch;

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::store_fault;
use crate::api::graphql::types::settings::SettingChange;
use crate::kernel::Wanted;
use crate::model::rights::Right;
use crate::settings::HotSettings;

/// Changes read at once.
const BATCH: usize = 100;

/// Subscriptions of settings.
#[derive(Default)]
pub struct SettingsSubscription;

#[Subscription]
impl SettingsSubscription {
    /// Operators and observers: changes of settings, once the node that answers follows them. It sends those after
    /// `afterRevision` first, or the newest one when that is absent, and then each that is made.
    async fn setting_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The newest change that the client already has. Only later ones are sent.")]
        after_revision: Option<i32>,
    ) -> Result<impl Stream<Item = SettingChange> + use<>> {
        ctx.require(Right::SeeShop)?;
        let settings = ctx.services().settings.clone();
        let news = settings.news();
        let seen = match after_revision {
            Some(seen) => u64::try_from(seen).unwrap_or_default(),
            None => {
                let newest = Wanted { after: None, before: None, limit: 1, from_end: false, count: false };
                let listed = settings.history(None, newest).await.map_err(|error| store_fault(&error))?;
                listed.items.first().map_or(0, |change| change.revision - 1)
            }
        };
        let feed = Feed { settings, news, seen, due: VecDeque::new() };
        Ok(stream::unfold(feed, |mut feed| async move { feed.next().await.map(|change| (change, feed)) }))
    }
}

struct Feed {
    settings: HotSettings,
    news: watch::Receiver<u64>,
    seen: u64,
    due: VecDeque<crate::config::SettingChange>,
}

impl Feed {
    /// The next change; `None` when the database can't be read: the client subscribes again and misses nothing.
    async fn next(&mut self) -> Option<SettingChange> {
        loop {
            if let Some(change) = self.due.pop_front() {
                self.seen = change.revision;
                return Some(SettingChange(change));
            }
            self.news.mark_unchanged();
            match self.settings.since(self.seen, BATCH).await {
                Ok(changes) => self.due.extend(changes),
                Err(error) => {
                    tracing::warn!(%error, "could not read changes of settings");
                    return None;
                }
            }
            if self.due.is_empty() {
                self.news.changed().await.ok()?;
            }
        }
    }
}
