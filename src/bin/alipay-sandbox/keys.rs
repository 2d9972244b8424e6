//! The keys: the merchant's pair, the gateway's, and a stranger's for faults. A shop needs the merchant's private and the gateway's public
//! one.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use doorbuster::gateway::alipay::{SANDBOX_APP_ID, SigningKey, VerifyingKey};

/// The one application that the sandbox knows.
pub const APP_ID: &str = SANDBOX_APP_ID;
/// Its seller.
pub const SELLER_ID: &str = "2088000000000001";
/// The one buyer.
pub const BUYER_ID: &str = "2088000000000002";

/// The keys with which the gateway signs and verifies.
pub struct Keys {
    /// Signs answers and messages.
    pub gateway: SigningKey,
    /// Verifies the merchant's requests.
    pub merchant: VerifyingKey,
    /// A key that nobody knows, for faults.
    pub stranger: SigningKey,
}

impl Keys {
    /// Reads the keys in the folder, and makes those that are missing.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let merchant = pair(folder, "app")?;
        let gateway = pair(folder, "alipay")?;
        Ok(Self { gateway, merchant: merchant.public()?, stranger: pair(folder, "stranger")? })
    }

    /// The files that a shop needs: the merchant's private key, the gateway's public key.
    pub fn files(folder: &Path) -> (PathBuf, PathBuf) {
        let whole = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        (whole.join("app_private.pem"), whole.join("alipay_public.pem"))
    }
}

/// Others may start on the same folder, or read it, at the same moment: no file in it is ever half written.
fn pair(folder: &Path, name: &str) -> anyhow::Result<SigningKey> {
    let (private, public) = (folder.join(format!("{name}_private.pem")), folder.join(format!("{name}_public.pem")));
    if !private.exists() {
        let made = beside(&private, &SigningKey::generate()?.to_sandbox_pem()?)?;
        // Of two that make one, the first does: a link does not replace a file.
        let linked = std::fs::hard_link(&made, &private);
        std::fs::remove_file(&made)?;
        linked.or_else(|error| if private.exists() { Ok(()) } else { Err(error) })?;
    }
    let key = SigningKey::parse(&std::fs::read_to_string(&private)?).with_context(|| private.display().to_string())?;
    let text = key.public()?.to_sandbox_pem()?;
    if std::fs::read_to_string(&public).ok().as_deref() != Some(&text) {
        std::fs::rename(beside(&public, &text)?, &public)?;
    }
    Ok(key)
}

/// Writes a file of this process's own beside the one that it is for.
fn beside(file: &Path, text: &str) -> std::io::Result<PathBuf> {
    let own = file.with_extension(format!("{}.tmp", std::process::id()));
    std::fs::write(&own, text)?;
    Ok(own)
}
