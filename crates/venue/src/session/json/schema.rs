//! The JSON schema of methods and notifications, out of their declarations.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::methods;
use super::notify::SubscriptionParams;

/// The content of docs/websocket.schema.json.
pub fn schema() -> Value {
    let mut of = SchemaSettings::draft2020_12().into_generator();
    let methods: serde_json::Map<String, Value> = methods::schemas(&mut of)
        .into_iter()
        .map(|(name, params, result)| {
            (name.to_owned(), json!({"params": params, "result": result}))
        })
        .collect();
    let subscription = of.subschema_for::<SubscriptionParams>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "surgetank's WebSocket, version 1",
        "methods": methods,
        "notifications": {"subscription": subscription},
        "$defs": of.definitions(),
    })
}
