//! Backups of a PostgreSQL database, with PostgreSQL's own tools, and copies that prove them.

use std::path::Path;

use anyhow::{Context as _, ensure};
use data_encoding::HEXLOWER;

use super::backup::with_suffix;
use crate::config::{self, Secret};
use crate::kernel::Rng;
use crate::payments::audit::{self, Report};
use crate::store::Database;
use crate::store::postgres::tools::{Tools, with_database};
use crate::store::sqlite::copies;

/// Dumps the shop's database to the new file `to` while the shop may run: the database as it was at one moment. The dump gets its name
/// once it is on disk and its contents can be listed. Returns its size.
pub async fn create(config: &config::Store, to: &Path) -> anyhow::Result<u64> {
    ensure!(!to.exists(), "{} exists already", to.display());
    let tools = Tools::of(config.url.expose())?;
    let unfinished = with_suffix(to, ".partial")?;
    // Of an attempt that was interrupted.
    copies::remove(&unfinished);
    let made = async {
        copies::make_private(&unfinished)?;
        tools.dump(&unfinished).await?;
        tools.look(&unfinished).await?;
        copies::flush(&unfinished)?;
        copies::publish(&unfinished, to)
    };
    if let Err(error) = made.await {
        copies::remove(&unfinished);
        return Err(error.into());
    }
    Ok(std::fs::metadata(to)?.len())
}

/// A dump that was restored into a database of its own, beside the shop's.
pub struct Trial {
    tools: Tools,
    name: String,
    /// The settings for it.
    pub config: config::Store,
}

impl Trial {
    /// Restores the dump. The database must be removed with [`Self::remove`], also if something fails later.
    pub async fn restore(config: &config::Store, dump: &Path, rng: &Rng) -> anyhow::Result<Self> {
        let name = format!("doorbuster_verify_{}", HEXLOWER.encode(&rng.bytes::<8>()));
        let url = with_database(config.url.expose(), &name);
        let (shop, tools) = (Tools::of(config.url.expose())?, Tools::of(&url)?);
        // Nothing may ever be sold in the shop's own database by a drill, whatever its URL says.
        ensure!(tools.database() == name, "store.url must name the database in its path (postgres://HOST/DATABASE)");
        std::fs::metadata(dump).with_context(|| format!("reading {}", dump.display()))?;
        shop.look(dump).await.with_context(|| format!("reading {}", dump.display()))?;
        shop.create(&name).await.context("a verification needs the right to create databases (CREATEDB)")?;
        let trial = Self { tools: shop, name, config: config::Store { url: Secret::new(url), ..config.clone() } };
        if let Err(error) = tools.restore(dump).await {
            trial.remove().await?;
            return Err(anyhow::Error::new(error).context(format!("restoring {}", dump.display())));
        }
        Ok(trial)
    }

    /// Brings it up to date as a restore would, and verifies the records.
    pub async fn verify(&self) -> anyhow::Result<Report> {
        let db = Database::open(&self.config).await?;
        let verified = async {
            db.migrate().await?;
            audit::check(&db, &db, false).await
        };
        let records = verified.await;
        db.close().await;
        records.context("verifying the records")
    }

    /// Removes the database.
    pub async fn remove(&self) -> anyhow::Result<()> {
        self.tools.remove(&self.name).await.with_context(|| format!("removing the database {}", self.name))
    }
}
