//! The token for the brokers, from the settings or from a file. The file is read for each connection and request, so it can be replaced
//! while the program runs.

use std::path::PathBuf;

use ::pulsar::authentication::Authentication;
use ::pulsar::error::AuthenticationError;
use async_trait::async_trait;

use crate::broker::BrokerError;
use crate::config;

/// The source of the token.
#[derive(Clone)]
pub(super) enum Token {
    /// No token is sent.
    None,
    /// This token.
    Given(String),
    /// The content of this file.
    File(PathBuf),
}

impl Token {
    pub(super) fn of(config: &config::Broker) -> Self {
        match (config.token.expose(), config.token_file.as_str()) {
            ("", "") => Self::None,
            ("", file) => Self::File(file.into()),
            (token, _) => Self::Given(token.to_owned()),
        }
    }

    /// The current token; `None` if no token is sent.
    pub(super) fn read(&self) -> Result<Option<String>, BrokerError> {
        match self {
            Self::None => Ok(None),
            Self::Given(token) => Ok(Some(token.clone())),
            Self::File(path) => {
                let bytes = crate::tls::read(path).map_err(|error| BrokerError::Unavailable(error.to_string()))?;
                let text = String::from_utf8_lossy(&bytes).trim().to_owned();
                if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err(BrokerError::Unavailable(format!("{} contains no token", path.display())));
                }
                Ok(Some(text))
            }
        }
    }
}

#[async_trait]
impl Authentication for Token {
    fn auth_method_name(&self) -> String {
        "token".to_owned()
    }

    async fn initialize(&mut self) -> Result<(), AuthenticationError> {
        Ok(())
    }

    /// Each new connection calls this.
    async fn auth_data(&mut self) -> Result<Vec<u8>, AuthenticationError> {
        match self.read() {
            Ok(token) => Ok(token.unwrap_or_default().into_bytes()),
            Err(error) => Err(AuthenticationError::Custom(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_whenever_it_is_needed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut config = config::Config::default_embedded().broker;
        assert_eq!(Token::of(&config).read().unwrap(), None);
        config.token_file = file.path().display().to_string();
        let mut token = Token::of(&config);
        for text in ["first.a-b_c", "second"] {
            std::fs::write(file.path(), format!("{text}\n")).unwrap();
            assert_eq!(token.read().unwrap().as_deref(), Some(text));
            assert_eq!(token.auth_data().await.unwrap(), text.as_bytes());
        }
        for text in ["", "\n", "two words", "line\nline"] {
            std::fs::write(file.path(), text).unwrap();
            assert!(token.read().unwrap_err().to_string().contains("contains no token"), "{text}");
        }
        let told = Token::File("/nowhere/token".into()).auth_data().await.unwrap_err().to_string();
        assert!(told.contains("/nowhere/token can't be read"), "{told}");
    }
}
