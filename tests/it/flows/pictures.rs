//! Uploading pictures over HTTP, and what is served of them.

use std::io::Cursor;

use doorbuster::pictures::Name;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use reqwest::header::{CONTENT_TYPE, COOKIE, ETAG, IF_NONE_MATCH, ORIGIN};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use super::nodes::Cluster;
use crate::support::{Front, Shop, until};

const MOST: usize = 2 * 1024 * 1024;

fn lamp(format: ImageFormat) -> Vec<u8> {
    let picture: DynamicImage = RgbImage::from_pixel(600, 400, Rgb([180, 120, 60])).into();
    let mut out = Cursor::new(Vec::new());
    picture.write_to(&mut out, format).unwrap();
    out.into_inner()
}

async fn upload(shop: &Front, token: Option<&str>, media: &str, bytes: Vec<u8>) -> Response {
    let url = format!("http://{}/pictures", shop.address());
    let request = Client::new().post(url).header(CONTENT_TYPE, media).body(bytes);
    let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
    request.send().await.unwrap()
}

async fn get(shop: &Front, path: &str) -> Response {
    reqwest::get(format!("http://{}{path}", shop.address())).await.unwrap()
}

/// How many acts were written down.
async fn acts(shop: &Shop) -> Value {
    let query = "{ auditEntries(filter: { act: \"picture.\" }, first: 50) { nodes { act subject } } }";
    shop.data(Some(&shop.operator), query, json!({})).await["auditEntries"]["nodes"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_uploads_a_picture_and_shoppers_get_it_in_their_size() {
    let shop = Shop::open().await;
    let taken = upload(&shop, Some(&shop.operator), "image/png", lamp(ImageFormat::Png)).await;
    assert_eq!(taken.status(), 201);
    let taken: Value = taken.json().await.unwrap();
    assert_eq!((&taken["width"], &taken["height"]), (&json!(600), &json!(400)));
    let url = taken["imageUrl"].as_str().unwrap();
    let again: Value =
        upload(&shop, Some(&shop.operator), "image/png", lamp(ImageFormat::Png)).await.json().await.unwrap();
    assert_eq!(again, taken, "the same bytes are the same picture");

    let create = "mutation($u: URL) { productCreate(input: { name: \"Lamp\", imageUrl: $u, price: { amount: \"9\" } }) \
                  { product { imageUrl image { url width height altText colour variants { url width } } } } }";
    let made = shop.data(Some(&shop.operator), create, json!({ "u": url })).await["productCreate"]["product"].clone();
    let image = &made["image"];
    assert_eq!((&made["imageUrl"], &image["url"]), (&json!(url), &json!(url)));
    assert_eq!((&image["width"], &image["height"], &image["altText"]), (&json!(600), &json!(400), &json!("")));
    assert_eq!(image["colour"].as_str().unwrap().len(), 7);
    let widths: Vec<_> = image["variants"].as_array().unwrap().iter().map(|one| one["width"].clone()).collect();
    assert_eq!(widths, [160, 320, 480, 600]);

    for variant in image["variants"].as_array().unwrap() {
        let path = variant["url"].as_str().unwrap();
        let served = get(&shop, path).await;
        assert_eq!(served.status(), 200);
        let header = |name: &str| served.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "image/jpeg");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(header("content-security-policy").contains("sandbox"), "{:?}", served.headers());
        assert!(header("cache-control").contains("immutable"));
        let tag = served.headers()[ETAG].clone();
        let bytes = served.bytes().await.unwrap();
        assert_eq!(
            image::load_from_memory(&bytes).unwrap().width(),
            u32::try_from(variant["width"].as_u64().unwrap()).unwrap()
        );
        let known = Client::new().get(format!("http://{}{path}", shop.address())).header(IF_NONE_MATCH, tag);
        assert_eq!(known.send().await.unwrap().status(), 304);
    }
    let other = url.replacen("/pictures/", "/pictures/0", 1);
    for path in
        [other.as_str(), &url.replace("600.jpg", "599.jpg"), &url.replace("600.jpg", "600.webp"), "/pictures/x/y.jpg"]
    {
        assert_eq!(get(&shop, path).await.status(), 404, "{path}");
    }
    let plain = shop.data(Some(&shop.operator), create, json!({ "u": "/pictures/lamp.svg" })).await;
    assert_eq!(plain["productCreate"]["product"]["image"], Value::Null, "not uploaded");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_has_a_reason_and_changes_nothing() {
    let shop = Shop::open().await;
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>".to_vec();
    let png = lamp(ImageFormat::Png);
    let both = [&png[..], b"PK\x03\x04"].concat();
    let mut much = png.clone();
    much.resize(MOST + 1, 0);
    let cases = [
        ("image/svg+xml", svg.clone(), 415, "CONTENT_TYPE_INVALID"),
        ("image/png", svg, 422, "NOT_A_PICTURE"),
        ("image/png", b"<html><script>alert(1)</script>".to_vec(), 422, "NOT_A_PICTURE"),
        ("image/png", Vec::new(), 422, "NOT_A_PICTURE"),
        ("image/jpeg", png.clone(), 415, "CONTENT_TYPE_INVALID"),
        ("text/plain", png.clone(), 415, "CONTENT_TYPE_INVALID"),
        ("image/png", png[..png.len() - 20].to_vec(), 422, "NOT_A_PICTURE"),
        ("image/png", both, 422, "MORE_THAN_A_PICTURE"),
        ("image/png", much, 413, "TOO_LARGE"),
    ];
    for (media, bytes, status, code) in cases {
        let size = bytes.len();
        let refused = upload(&shop, Some(&shop.operator), media, bytes).await;
        assert_eq!(refused.status(), status, "{media}, {size} bytes");
        let told: Value = refused.json().await.unwrap();
        assert_eq!(told["code"], json!(code), "{media}, {size} bytes");
        assert!(told["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    let buyer = shop.buyer("alice").await;
    assert_eq!(upload(&shop, Some(&buyer), "image/png", png.clone()).await.status(), 403);
    assert_eq!(upload(&shop, None, "image/png", png.clone()).await.status(), 401);
    assert_eq!(upload(&shop, Some("nonsense"), "image/png", png.clone()).await.status(), 401);
    // A page of another site can't upload in an operator's name.
    let url = format!("http://{}/pictures", shop.address());
    let foreign = Client::new().post(url).header(CONTENT_TYPE, "image/png").header(ORIGIN, "https://evil.example");
    let cookie = format!("__Host-doorbuster={}", shop.operator);
    let foreign = foreign.header(COOKIE, cookie).body(png).send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    assert_eq!(acts(&shop).await, json!([]), "nothing was done");
}

/// Uploads so often that the limit of two a minute is exceeded.
async fn refused_after_two(fronts: [&Shop; 2], token: &str) {
    let png = lamp(ImageFormat::Png);
    for front in fronts {
        assert_eq!(upload(front, Some(token), "image/png", png.clone()).await.status(), 201);
    }
    for front in fronts {
        let refused = upload(front, Some(token), "image/png", png.clone()).await;
        assert_eq!(refused.status(), 429);
        let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=30).contains(&wait), "{wait}");
        let told: Value = refused.json().await.unwrap();
        assert_eq!(told["code"], json!("RATE_LIMITED"));
        assert!(told["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    assert_eq!(acts(fronts[0]).await.as_array().unwrap().len(), 2, "nothing was done");
}

const TWO_A_MINUTE: &str = "[limits]\nunlimited = []\nrequests_per_address_per_second = 0\nuploads_per_user_per_minute = 2\n\
                            shared_wait = \"1s\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn uploads_of_an_operator_are_limited() {
    let shop = Shop::open_with(TWO_A_MINUTE).await;
    let buyer = shop.buyer("alice").await;
    assert_eq!(upload(&shop, Some(&buyer), "image/png", lamp(ImageFormat::Png)).await.status(), 403);
    refused_after_two([&shop, &shop], &shop.operator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_of_an_operator_are_limited_on_all_nodes_together() {
    let cluster = Cluster::fresh(TWO_A_MINUTE).await;
    let (one, two) = (cluster.node("one").await, cluster.node("two").await);
    refused_after_two([&one, &two], &one.operator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_without_a_product_go_by_themselves() {
    let shop = Shop::open_with("[sales]\nunused_pictures = \"1s\"\n").await;
    let taken: Value =
        upload(&shop, Some(&shop.operator), "image/png", lamp(ImageFormat::Png)).await.json().await.unwrap();
    let name = Name::of_url(taken["imageUrl"].as_str().unwrap()).unwrap();
    until("gone", async || shop.app.pictures().read(name.widest()).await.unwrap().is_none()).await;
    let create = "mutation($u: URL) { productCreate(input: { name: \"Lamp\", imageUrl: $u, price: { amount: \"9\" } }) \
                  { product { id } userErrors { code field message } } }";
    let made = shop.data(Some(&shop.operator), create, json!({ "u": taken["imageUrl"] })).await;
    let refused = &made["productCreate"];
    assert_eq!(refused["product"], Value::Null);
    assert_eq!(refused["userErrors"][0]["code"], "IMAGE_URL_INVALID");
    assert_eq!(refused["userErrors"][0]["field"], json!(["input", "imageUrl"]));
    assert_eq!(get(&shop, taken["imageUrl"].as_str().unwrap()).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_one_node_is_served_by_the_other() {
    let cluster = Cluster::fresh("").await;
    let (one, two) = (cluster.node("one").await, cluster.node("two").await);
    let taken: Value =
        upload(&one, Some(&one.operator), "image/webp", lamp(ImageFormat::WebP)).await.json().await.unwrap();
    let url = taken["imageUrl"].as_str().unwrap();
    until("served", async || get(&two, url).await.status() == 200).await;
    assert_eq!(acts(&one).await.as_array().unwrap().len(), 1);
}
