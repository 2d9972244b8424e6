//! The sandbox gateway as a process of its own, on a free port, with keys of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use doorbuster::gateway::alipay::wire::{Parameters, time_text};
use doorbuster::gateway::alipay::{Alipay, Merchant, SigningKey, VerifyingKey};
use doorbuster::kernel::{Breaker, Clock, Timestamp};
use serde_json::{Value, json};

/// The folder with the keys of all sandboxes: making them takes longer than most tests. It stays between runs.
fn keys() -> &'static Path {
    static KEYS: LazyLock<PathBuf> = LazyLock::new(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("alipay-sandbox-keys");
        if !place.exists() {
            let making = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            drop(run(making.path(), &[]));
            // Another run of the tests may have been faster; its keys are as good.
            let _other_was_faster = std::fs::rename(making.keep(), &place);
        }
        place
    });
    &KEYS
}

/// Starts the program; what it said of itself.
fn run(keys: &Path, arguments: &[&str]) -> (Process, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_alipay-sandbox"))
        .args(["--listen", "127.0.0.1:0", "--keys"])
        .arg(keys)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let info = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not a line of JSON: {line}"));
    (Process { child }, info)
}

/// What a shop must know of it.
const SETTINGS: [&str; 5] =
    ["alipay_url", "alipay_app_id", "alipay_seller_id", "alipay_private_key_file", "alipay_public_key_file"];

/// A running sandbox; ends with the last of those who share it.
pub struct Sandbox {
    process: Arc<Process>,
    /// What it said of itself: `listening`, `alipay_url`, ids and key files.
    pub info: Value,
    http: reqwest::Client,
}

struct Process {
    child: Child,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Sandbox {
    /// Starts it; notifications are repeated a hundred thousand times faster than in life.
    pub fn start() -> Self {
        Self::start_with(&["--speed", "100000"])
    }

    /// With these arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        let (process, info) = run(keys(), arguments);
        Self { process: Arc::new(process), info, http: reqwest::Client::new() }
    }

    /// The same sandbox for another test: connections belong to the runtime that opened them.
    pub fn share(&self) -> Self {
        Self { process: self.process.clone(), info: self.info.clone(), http: reqwest::Client::new() }
    }

    fn said(&self, name: &str) -> &str {
        self.info[name].as_str().unwrap_or_else(|| panic!("{name}"))
    }

    /// Its address, `http://127.0.0.1:…`.
    pub fn url(&self) -> &str {
        self.said("listening")
    }

    /// The file of one of the keys: `app_private`, `app_public`, `alipay_private`, `alipay_public`.
    pub fn key_file(&self, name: &str) -> PathBuf {
        keys().join(format!("{name}.pem"))
    }

    fn key_text(&self, name: &str) -> String {
        std::fs::read_to_string(self.key_file(name)).unwrap()
    }

    /// The gateway's private key, for messages that the sandbox would not send.
    pub fn gateway_key(&self) -> SigningKey {
        SigningKey::parse(&self.key_text("alipay_private")).unwrap()
    }

    /// The merchant's private key.
    pub fn merchant_key(&self) -> SigningKey {
        SigningKey::parse(&self.key_text("app_private")).unwrap()
    }

    /// The `[payments]` section of a shop that the sandbox reaches at `public_url`.
    pub fn settings(&self, public_url: &str) -> String {
        let mut text = format!("[payments]\npublic_url = \"{public_url}\"\n");
        for name in SETTINGS {
            text += &format!("{name} = \"{}\"\n", self.said(name));
        }
        text
    }

    /// The same as keys and values, without the public URL.
    pub fn setting_pairs(&self) -> Vec<(String, String)> {
        SETTINGS.iter().map(|name| (format!("payments.{name}"), self.said(name).to_owned())).collect()
    }

    /// The shop as the gateway knows it.
    pub fn merchant(&self) -> Merchant {
        Merchant {
            gateway_url: self.said("alipay_url").to_owned(),
            app_id: self.said("alipay_app_id").to_owned(),
            seller_id: self.said("alipay_seller_id").to_owned(),
            key: self.merchant_key(),
            alipay_keys: vec![VerifyingKey::parse(&self.key_text("alipay_public")).unwrap()],
            notify_url: "http://127.0.0.1:1/payments/alipay/notify".to_owned(),
            return_url: "http://127.0.0.1:1/payments/alipay/return".to_owned(),
        }
    }

    /// The server's client of this gateway.
    pub fn client(&self) -> Alipay {
        let merchant = self.merchant().check().unwrap();
        Alipay::new(merchant, Duration::from_secs(3), Breaker::new(Duration::from_secs(10)), Clock::system()).unwrap()
    }

    /// A path of the JSON face.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}/sandbox/{path}", self.url())).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// Opens the cashier's page, as a browser does; its HTML. From now on the trade exists.
    pub async fn open_page(&self, page_url: &str) -> String {
        self.http.get(page_url).send().await.unwrap().text().await.unwrap()
    }

    /// What the buyer does: `pay`, `decline`, `expire`; also `finish` and `notify`.
    pub async fn act(&self, number: &str, act: &str) -> Result<Value, String> {
        let url = format!("{}/sandbox/trades/{number}/{act}", self.url());
        let answer: Value = self.http.post(url).send().await.unwrap().json().await.unwrap();
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer),
        }
    }

    /// Sets the fault switches: `[{"kind": "answer_lost", "method": …, "times": 1}]`.
    pub async fn faults(&self, faults: Value) {
        let url = format!("{}/sandbox/faults", self.url());
        let answer = self.http.put(url).json(&faults).send().await.unwrap();
        assert_eq!(answer.status(), 204, "{faults}");
    }

    /// Adds a switch for one trade: what goes wrong, with which method, how often.
    pub async fn fault_of(&self, number: &str, kind: &str, method: Option<&str>, times: Option<u32>) {
        let fault = json!({ "number": number, "kind": kind, "method": method, "times": times });
        self.add_fault(fault).await;
    }

    /// Adds a switch to those that are on.
    pub async fn add_fault(&self, fault: Value) {
        let url = format!("{}/sandbox/faults", self.url());
        let answer = self.http.post(url).json(&fault).send().await.unwrap();
        assert_eq!(answer.status(), 204, "{fault}");
    }

    /// Takes the switches of one trade away.
    pub async fn mend(&self, number: &str) {
        let url = format!("{}/sandbox/faults?number={number}", self.url());
        assert_eq!(self.http.delete(url).send().await.unwrap().status(), 204);
    }

    /// One fault, once.
    pub async fn fault(&self, kind: &str) {
        self.faults(json!([{ "kind": kind, "times": 1 }])).await;
    }

    /// The parameters of a notification that a trade is paid, not signed.
    pub fn notice(&self, number: &str, amount: &str) -> Parameters {
        let mut all = Parameters::default();
        let now = time_text(Clock::system().now());
        for (name, value) in [
            ("notify_time", now.as_str()),
            ("notify_type", "trade_status_sync"),
            ("notify_id", &format!("test-{number}")),
            ("charset", "utf-8"),
            ("version", "1.0"),
            ("app_id", self.said("alipay_app_id")),
            ("auth_app_id", self.said("alipay_app_id")),
            ("seller_id", self.said("alipay_seller_id")),
            ("buyer_id", "2088000000000002"),
            ("trade_no", &format!("T{number}")),
            ("out_trade_no", number),
            ("trade_status", "TRADE_SUCCESS"),
            ("total_amount", amount),
            ("subject", "灯 100% + \"quotes\" = & 🎉"),
            ("gmt_payment", &now),
        ] {
            all.set(name, value);
        }
        all
    }
}

/// Signs a notification by the vendor's rule.
pub fn signed(mut notice: Parameters, key: &SigningKey) -> Parameters {
    let sign = key.sign(&notice.canonical(&["sign", "sign_type"])).unwrap();
    notice.set("sign", sign);
    notice.set("sign_type", "RSA2");
    notice
}

/// A moment from now.
pub fn soon(seconds: u64) -> Timestamp {
    Clock::system().now().plus(Duration::from_secs(seconds))
}
