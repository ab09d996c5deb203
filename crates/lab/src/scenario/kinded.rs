//! Entries whose keys are read by the file of their kind.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A `kind` and that kind's keys.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Kinded(Map<String, Value>);

impl Kinded {
    /// Name of the kind; empty if there is none.
    pub fn kind(&self) -> &str {
        self.0.get("kind").and_then(Value::as_str).unwrap_or_default()
    }

    /// The entry of a registry that has this kind's name. `place` is the key of this entry in the
    /// scenario.
    ///
    /// # Errors
    /// If the registry has no such kind.
    pub fn among<'k, T>(
        &self,
        kinds: &'k [(&'static str, T)],
        place: &str,
    ) -> Result<&'k (&'static str, T), String> {
        let kind = self.kind();
        let found = kinds.iter().find(|(name, _)| *name == kind);
        found.ok_or_else(|| format!("{place}.kind: there is no `{kind}`"))
    }

    /// The keys of this kind.
    ///
    /// # Errors
    /// Names the key that is missing, not one of the kind's, or of another type.
    pub fn keys<T: DeserializeOwned>(&self, place: &str) -> Result<T, String> {
        let mut keys = self.0.clone();
        keys.remove("kind");
        serde_json::from_value(Value::Object(keys)).map_err(|error| format!("{place}: {error}"))
    }
}

impl From<Map<String, Value>> for Kinded {
    fn from(entry: Map<String, Value>) -> Kinded {
        Kinded(entry)
    }
}
