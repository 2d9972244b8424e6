//! The sandbox gateway beside the demo's shop: `alipay-sandbox`, a program of its own that lies where this one does, so that nothing of it
//! is linked into the server.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::Context as _;
use serde::Deserialize;

use super::server::exchange;

/// What the program is called.
const PROGRAM: &str = "alipay-sandbox";
/// Notifications are repeated this many times faster than in life: the first after four seconds instead of four minutes.
const SPEED: &str = "60";

/// A running sandbox. It ends when this is dropped, or when the demo dies: then its standard input ends.
pub struct Gateway {
    child: Child,
    _alive: Option<ChildStdin>,
    said: Said,
}

/// The line that it begins with.
#[derive(Debug, Clone, Deserialize)]
struct Said {
    listening: String,
    alipay_url: String,
    alipay_app_id: String,
    alipay_seller_id: String,
    alipay_private_key_file: String,
    alipay_public_key_file: String,
}

impl Gateway {
    /// Starts it with keys and a log in `data`. `None`: it is not beside this program.
    pub fn start(data: &Path) -> anyhow::Result<Option<Self>> {
        let program = std::env::current_exe()?.with_file_name(PROGRAM);
        if !program.exists() {
            return Ok(None);
        }
        let log = data.join("gateway.log");
        let mut child = Command::new(&program)
            .args(["--listen", "127.0.0.1:0", "--speed", SPEED, "--with-parent", "--keys"])
            .arg(data.join("gateway"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).with_context(|| format!("creating {}", log.display()))?)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let said =
            serde_json::from_str(&line).with_context(|| format!("the gateway did not start: see {}", log.display()));
        let alive = child.stdin.take();
        match said {
            Ok(said) => Ok(Some(Self { child, _alive: alive, said })),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error)
            }
        }
    }

    /// Its page for people.
    pub fn url(&self) -> &str {
        &self.said.listening
    }

    /// The settings of a shop that it reaches at this address.
    pub fn settings(&self, shop: SocketAddr) -> Vec<(String, String)> {
        let Said {
            alipay_url, alipay_app_id, alipay_seller_id, alipay_private_key_file, alipay_public_key_file, ..
        } = self.said.clone();
        [
            ("public_url", format!("http://{shop}")),
            ("alipay_url", alipay_url),
            ("alipay_app_id", alipay_app_id),
            ("alipay_seller_id", alipay_seller_id),
            ("alipay_private_key_file", alipay_private_key_file),
            ("alipay_public_key_file", alipay_public_key_file),
        ]
        .map(|(key, value)| (format!("payments.{key}"), value))
        .into()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Pays at the cashier as a browser does: opens the page, presses Pay, follows the way back to the shop. What the shop said last.
pub async fn pay_at_cashier(page: &str) -> Option<String> {
    let html = browse("GET", page, "").await?;
    let action = html.split("action=\"").nth(1)?.split('"').next()?;
    let origin = page.get(..page.find("/gateway.do")?)?;
    let answer = browse("POST", &format!("{origin}{action}"), "act=pay").await?;
    let back = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
    })?;
    browse("GET", &back, "").await
}

/// Head and body of the answer of a plain HTTP address.
async fn browse(method: &str, url: &str, form: &str) -> Option<String> {
    let rest = url.strip_prefix("http://")?;
    let (host, path) = rest.split_at(rest.find('/')?);
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{form}",
        form.len()
    );
    exchange(host.parse().ok()?, &request).await
}
