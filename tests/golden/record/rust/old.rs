// Sends what posthog-rs 0.3 can send to the server in HOGFLARE_RECORD_URL.
use chrono::{FixedOffset, TimeZone};
use posthog_rs::{ClientOptionsBuilder, Event};
use serde_json::json;

fn main() {
    let url = std::env::var("HOGFLARE_RECORD_URL").unwrap();
    let options = ClientOptionsBuilder::default()
        .api_key("phc_golden".to_string())
        .api_endpoint(format!("{url}/i/v0/e/"))
        .build()
        .unwrap();
    let client = posthog_rs::client(options);

    let mut purchase = Event::new("purchase", "rust-user");
    purchase.insert_prop("amount", 29.99).unwrap();
    purchase.insert_prop("count", 9007199254740993i64).unwrap();
    purchase.insert_prop("text", "grüße 🦔").unwrap();
    purchase.insert_prop("nested", json!({"a": [1, 2], "b": null})).unwrap();
    client.capture(purchase).unwrap();

    let mut past = Event::new("in the past", "rust-user");
    let zone = FixedOffset::east_opt(5 * 3600 + 1800).unwrap();
    past.set_timestamp(zone.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap()).unwrap();
    past.add_group("company", "acme");
    client.capture(past).unwrap();
    client
        .capture_batch(vec![Event::new("one of two", "rust-user"), Event::new_anon("anonymous")])
        .unwrap();
}
