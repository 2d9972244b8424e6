//! What is for who runs the shop is kept from everybody else.

use std::path::Path;
use std::time::Duration;

use doorbuster::demo::server::{Launch, free_address};
use serde_json::{Value, json};

async fn get(address: std::net::SocketAddr, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("http://{address}{path}")).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_reasons_have_an_address_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let admin = free_address().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_doorbuster"));
    let launch = Launch::new(program, folder.path()).unwrap().set("server.admin_listen", &admin.to_string());
    let server = launch.start(Duration::from_secs(60)).await.unwrap();
    let public = server.launch().address;

    let (status, told) = get(public, "/health/ready").await;
    assert_eq!((status, serde_json::from_str::<Value>(&told).unwrap()), (200, json!({"ready": true})));
    assert_eq!(get(public, "/health/live").await.0, 200);
    assert_eq!(get(public, "/metrics").await.0, 404);

    let (status, told) = get(admin, "/health/ready").await;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((status, &told["ready"]), (200, &json!(true)));
    assert!(told["checks"].as_array().unwrap().iter().any(|check| check["name"] == "database"), "{told}");
    assert!(get(admin, "/metrics").await.1.contains("doorbuster_"));
    assert_eq!(get(admin, "/graphql?query=%7B__typename%7D").await.0, 404);
}
