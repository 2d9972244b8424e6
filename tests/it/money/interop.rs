//! Case 43: SDKs that we did not write judge our signatures, and drive our sandbox.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use doorbuster::gateway::alipay::wire::Parameters;
use doorbuster::gateway::{PageRequest, PaymentGateway as _};
use doorbuster::kernel::{Currency, Money};
use serde_json::{Value, json};

use crate::support::alipay::{Sandbox, signed, soon};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A key in one line, as the SDKs want it.
fn one_line(sandbox: &Sandbox, name: &str, arguments: &[&str]) -> String {
    let file = sandbox.key_file(name);
    let made = Command::new("openssl").args(arguments).arg("-in").arg(file).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let text = String::from_utf8(made.stdout).unwrap();
    text.lines().filter(|line| !line.starts_with('-')).collect()
}

fn object(parameters: &Parameters) -> Value {
    Value::Object(parameters.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect())
}

fn run(mut command: Command, case: &Value) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(case.to_string().as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success() && said.trim() == "ok",
        "{command:?}: {said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn case_43_three_foreign_sdks_and_the_sandbox_agree() {
    let sdks = here(".tools/alipay-sdks");
    let fetched = Command::new(here("tests/interop/fetch")).arg(&sdks).status().unwrap();
    assert!(fetched.success(), "the SDKs could not be fetched");
    let sandbox = Sandbox::start();
    let client = sandbox.client();
    let request = PageRequest {
        number: "ours1".to_owned(),
        amount: Money { minor: 990, currency: Currency::Cny },
        subject: "灯 100% + \"quotes\" <b>🎉".to_owned(),
        at: soon(0),
        expires_at: soon(600),
    };
    let url = client.page_url(&request).unwrap();
    sandbox.open_page(&url).await;
    let paid = sandbox.act("ours1", "pay").await.unwrap();
    let query = |url: &str| Parameters::parse(url.split_once('?').unwrap().1.as_bytes()).unwrap();
    let notice = signed(sandbox.notice("ours1", "9.90"), &sandbox.gateway_key());
    let case = json!({
        "gateway": sandbox.info["alipay_url"], "listening": sandbox.url(), "app_id": sandbox.info["alipay_app_id"],
        "app_pkcs1": one_line(&sandbox, "app_private", &["rsa", "-traditional"]),
        "app_public": one_line(&sandbox, "app_public", &["pkey", "-pubin"]),
        "alipay_public": one_line(&sandbox, "alipay_public", &["pkey", "-pubin"]),
        "request": object(&query(&url)), "notification": object(&notice),
        "return": object(&query(paid["returnUrl"].as_str().unwrap())), "paid": "ours1",
    });
    for name in ["official", "fzlee"] {
        let mut python = Command::new(sdks.join(name).join("bin/python"));
        python.arg(here(&format!("tests/interop/{name}.py")));
        run(python, &case);
    }
    let mut node = Command::new("node");
    node.arg(here("tests/interop/node.mjs")).env("SDK_FOLDER", sdks.join("node"));
    run(node, &case);
}
