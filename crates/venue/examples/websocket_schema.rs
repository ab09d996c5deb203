//! Writes docs/websocket.schema.json to the standard output.

use surgetank_venue::session::json::schema::schema;

fn main() {
    println!("{}", serde_json::to_string_pretty(&schema()).expect("JSON"));
}
