//! Settings in force, what is stored of them, and the history of changes.

use async_graphql::{Context, Object, Result};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::store_fault;
use crate::api::graphql::types::connection::{PageArgs, Position};
use crate::api::graphql::types::settings::{Setting, SettingChange, SettingChangeConnection};
use crate::model::rights::Right;

/// Queries of settings.
#[derive(Default)]
pub struct SettingsQuery;

#[Object]
impl SettingsQuery {
    /// Operators and observers: every setting in force on the node that answers, without secrets.
    async fn settings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In the key; all when absent.")] search: Option<String>,
    ) -> Result<Vec<Setting>> {
        ctx.require(Right::SeeShop)?;
        let services = ctx.services();
        let stored = services.settings.stored().await.map_err(|error| store_fault(&error))?;
        let settings = services.control.settings(search.as_deref());
        Ok(settings.into_iter().map(|setting| Setting::of(setting, &stored)).collect())
    }

    /// Operators and observers: one setting in force on the node that answers. Null if there is no such setting.
    async fn setting(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key, such as `orders.sweep_every`.")] key: String,
    ) -> Result<Option<Setting>> {
        ctx.require(Right::SeeShop)?;
        let services = ctx.services();
        let stored = services.settings.stored().await.map_err(|error| store_fault(&error))?;
        let found = services.control.settings(None).into_iter().find(|setting| setting.key == key);
        Ok(found.map(|setting| Setting::of(setting, &stored)))
    }

    /// Operators and observers: changes of settings, newest first.
    #[allow(clippy::too_many_arguments, reason = "the public field has these arguments")]
    async fn setting_changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only of this setting.")] key: Option<String>,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
    ) -> Result<SettingChangeConnection> {
        ctx.require(Right::SeeShop)?;
        let services = ctx.services();
        let request = PageArgs { first, after, last, before }.check::<8>(&services.config.graphql)?;
        let wanted = request.wanted(ctx, |place| u64::from_be_bytes(place.id));
        let listed = services.settings.history(key, wanted).await.map_err(|error| store_fault(&error))?;
        let cursor = |change: &crate::config::SettingChange| {
            Position { at: change.at, id: change.revision.to_be_bytes() }.encode()
        };
        Ok(SettingChangeConnection(request.page(listed, cursor, SettingChange)))
    }
}
