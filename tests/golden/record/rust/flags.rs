// Asks posthog-rs for flags, of the server in HOGFLARE_RECORD_URL and by that server's definitions, and
// prints what it read.
use posthog_rs::{ClientOptionsBuilder, EvaluateFlagsOptions};
use serde_json::{json, Value};
use std::collections::HashMap;
use std::time::Duration;

fn main() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let remote = read(false).await;
        let local = read(true).await;
        println!("{}", json!({"remote": remote, "local": local}));
    });
}

async fn read(is_local: bool) -> Value {
    let mut options = ClientOptionsBuilder::default();
    options
        .api_key("phc_golden".to_string())
        .host(std::env::var("HOGFLARE_RECORD_URL").unwrap());
    if is_local {
        options.secret_key("phs_golden".to_string()).enable_local_evaluation(true);
    }
    let client = posthog_rs::client(options.build().unwrap()).await;
    let asked = EvaluateFlagsOptions {
        groups: Some(HashMap::from([("company".to_string(), "acme".to_string())])),
        person_properties: Some(HashMap::from([("email".to_string(), json!("rs@example.com"))])),
        group_properties: Some(HashMap::from([(
            "company".to_string(),
            HashMap::from([("tier".to_string(), json!("gold"))]),
        )])),
        only_evaluate_locally: is_local,
        ..Default::default()
    };
    // Definitions come in the background, and a busy server may not answer at once.
    for _ in 0..600 {
        let found = client.evaluate_flags("rust-user", asked.clone()).await;
        if let Ok(flags) = found {
            if !flags.keys().is_empty() {
                let mut values = json!({"payload": flags.get_flag_payload("look")});
                for key in ["on", "off", "staff", "look", "gold"] {
                    values[key] = json!(flags.get_flag(key));
                }
                client.shutdown().await;
                return values;
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("no flags came");
}
