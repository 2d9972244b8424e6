//! The keys that seal access tokens: those of the configuration, or, for a shop in one SQLite file, one that lies beside the file. So a
//! stolen copy of the database does not contain it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;

use crate::config::Config;
use crate::kernel::Rng;

/// What the name of the key's file ends with.
const SUFFIX: &str = ".token-key";

/// Characters read of the file at most.
const LONGEST: u64 = 1_000;

/// The keys, the present one first. None if the shop has none: tokens are looked up then.
pub fn token_keys(config: &Config, rng: &Rng) -> Vec<[u8; 32]> {
    let configured = config.accounts.token_keys();
    let file = config.store.url.expose().strip_prefix("sqlite://").filter(|_| configured.is_empty());
    let Some(database) = file else { return configured };
    let path = PathBuf::from(format!("{database}{SUFFIX}"));
    match read_or_make(&path, rng) {
        Ok(key) => vec![key],
        Err(error) => {
            let file = path.display();
            tracing::warn!(%error, %file, "could not use the key of access tokens; they will be looked up in the database");
            Vec::new()
        }
    }
}

/// The key in the file. If there is none, a new one is written there, which only the file's owner can read.
fn read_or_make(path: &Path, rng: &Rng) -> io::Result<[u8; 32]> {
    match File::open(path) {
        Ok(file) => return read(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let key = rng.bytes::<32>();
    // Under its name only when it is complete: a crash leaves no half of a key.
    let new = path.with_extension("token-key-new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    writeln!(file, "{}", BASE64.encode(&key))?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    Ok(key)
}

fn read(file: File) -> io::Result<[u8; 32]> {
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    let bytes = BASE64.decode(text.trim().as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "not 32 bytes in base64; remove the file to have a new key made")
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::Secret;

    fn shop(folder: &Path) -> Config {
        let mut config = Config::default_embedded();
        config.store.url = Secret::new(format!("sqlite://{}", folder.join("shop.db").display()));
        config
    }

    #[test]
    fn a_shop_in_one_file_makes_its_key_once() {
        let (folder, rng) = (tempfile::tempdir().unwrap(), Rng::seeded(1));
        let config = shop(folder.path());
        let keys = token_keys(&config, &rng);
        assert_eq!(keys.len(), 1);
        assert_eq!(token_keys(&config, &rng), keys);
        let path = folder.path().join("shop.db.token-key");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "half a k").unwrap();
        assert!(token_keys(&config, &rng).is_empty(), "a damaged key is not replaced");
        std::fs::remove_file(&path).unwrap();
        let others = token_keys(&config, &rng);
        assert!(others.len() == 1 && others != keys);
    }

    #[test]
    fn a_configured_key_comes_first() {
        let (folder, rng) = (tempfile::tempdir().unwrap(), Rng::seeded(2));
        let mut config = shop(folder.path());
        config.accounts.token_key = Secret::new(BASE64.encode(&[1; 32]));
        config.accounts.token_key_before = Secret::new(BASE64.encode(&[2; 32]));
        assert_eq!(token_keys(&config, &rng), [[1; 32], [2; 32]]);
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "it made a file");
        let mut config = Config::default_embedded();
        config.store.url = Secret::new("postgres://shop@localhost/shop");
        assert!(token_keys(&config, &rng).is_empty());
    }
}
