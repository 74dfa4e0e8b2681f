// Sends one of everything posthog-rs can send to the server in HOGFLARE_RECORD_URL. With the crate's
// feature capture-v1 the same calls become capture v1, in every encoding.
use chrono::{FixedOffset, TimeZone};
use posthog_rs::{CaptureCompression, ClientOptionsBuilder, Event};
use serde_json::json;

fn main() {
    tokio::runtime::Runtime::new().unwrap().block_on(record());
}

async fn record() {
    let encodings: &[Option<CaptureCompression>] = if cfg!(feature = "v1") {
        &[
            None,
            Some(CaptureCompression::Gzip),
            Some(CaptureCompression::Deflate),
            Some(CaptureCompression::Br),
            Some(CaptureCompression::Zstd),
        ]
    } else {
        &[None, Some(CaptureCompression::Gzip)]
    };
    for encoding in encodings {
        run(*encoding).await;
    }
}

async fn run(encoding: Option<CaptureCompression>) {
    let mut options = ClientOptionsBuilder::default();
    options
        .api_key("phc_golden".to_string())
        .host(std::env::var("HOGFLARE_RECORD_URL").unwrap());
    if let Some(encoding) = encoding {
        options.capture_compression(encoding);
    }
    let client = posthog_rs::client(options.build().unwrap()).await;

    let mut purchase = Event::new("purchase", "rust-user");
    purchase.insert_prop("amount", 29.99).unwrap();
    purchase.insert_prop("count", 9007199254740993i64).unwrap();
    purchase.insert_prop("text", "grüße 🦔").unwrap();
    purchase.insert_prop("nested", json!({"a": [1, 2], "b": null})).unwrap();
    client.capture(purchase);

    let mut past = Event::new("in the past", "rust-user");
    let zone = FixedOffset::east_opt(5 * 3600 + 1800).unwrap();
    past.set_timestamp(zone.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap()).unwrap();
    past.add_group("company", "acme");
    client.capture(past);

    let mut identify = Event::new("$set", "rust-user");
    identify.insert_prop("$set", json!({"email": "rs@example.com"})).unwrap();
    client.capture(identify);
    client.alias("rust-user", "rust-alias");
    client.group_identify("company", "acme", json!({"size": 12})).unwrap();
    client.capture(Event::new_anon("anonymous"));
    client.flush().await;

    client.capture_batch(vec![Event::new("old", "rust-user"), Event::new("older", "rust-user")], true);
    client.flush().await;
    let _ = client.capture_immediate(Event::new("at once", "rust-user")).await;
    client.shutdown().await;
}
