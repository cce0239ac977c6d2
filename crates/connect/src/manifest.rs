//! The manifest of an integration, `vestibule.yaml` or an existing `PANDIUM.yaml` (contract `runs.md`).

mod read;
#[cfg(test)]
mod tests;
mod ui;
mod yaml;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// The manifest's name.
pub const NAME: &str = "vestibule.yaml";
/// The name that existing integrations have.
pub const OLDER_NAME: &str = "PANDIUM.yaml";
/// The largest manifest, in bytes.
pub const LARGEST: usize = 256 * 1024;

/// How a run is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runner {
    /// A program on a machine of the gateway's.
    Process,
    /// A signed POST to the integration's own URL.
    Http,
}

/// What a user or an administrator fills in, and how the form looks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Configs {
    /// JSON Schema of the subset of the contract; an object at its root.
    pub schema: Value,
    /// `null` where the form simply shows every property.
    pub uischema: Value,
}

/// What a run may report about its tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetadataSchema {
    /// JSON Schema.
    pub schema: Value,
}

/// A manifest that has been checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the configuration, as it is written.
    pub version: String,
    /// What the program needs on the machine, as in `python:3.11`: for people.
    pub base: Option<String>,
    /// Carried out once, when the release is built.
    pub build: Option<String>,
    /// Of a `process` release: what starts it, for `/bin/sh -c` in the folder of the manifest.
    pub run: Option<String>,
    pub runner: Runner,
    /// Of an `http` release: where its runs are sent.
    pub url: Option<String>,
    /// The connectors whose credentials it reads.
    pub connectors: Vec<String>,
    pub configs: Option<Configs>,
    pub metadata_schema: Option<MetadataSchema>,
    /// How often a run that failed by the integration's own fault is tried again; 0 unless it says otherwise.
    pub retries: u32,
    /// How long a run may take, in seconds, where it says so.
    pub timeout_seconds: Option<u32>,
    /// How much memory a run may use, where it says so.
    pub memory_mib: Option<u32>,
}

/// What is wrong in a manifest, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// `configs.schema.properties.limit.type`; empty where the text is no YAML.
    pub field: String,
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, field, text } = self;
        if field.is_empty() {
            write!(f, "{file}:{line}: {text}")
        } else {
            write!(f, "{file}:{line}: {field}: {text}")
        }
    }
}

impl Manifest {
    /// Reads a manifest. `file` is its name, [`NAME`] or [`OLDER_NAME`]; it stands in the problems and decides how
    /// strict the reading is: words that we do not know are refused in our own file, because they are mistakes,
    /// and passed over in the older one, because existing integrations run unchanged.
    ///
    /// # Errors
    /// Every [`Problem`] that was found, in the order of their lines.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let problem = |line: usize, text: String| {
            vec![Problem { file: file.to_owned(), line, field: String::new(), text }]
        };
        if text.len() > LARGEST {
            return Err(problem(1, format!("a manifest has at most {LARGEST} bytes")));
        }
        let root = yaml::parse(text).map_err(|refused| problem(refused.line, refused.text))?;
        read::manifest(file, &root)
    }
}
