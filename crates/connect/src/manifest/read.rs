//! The fields of a manifest.

use super::yaml::{Content, Key, Node};
use super::{Configs, Manifest, MetadataSchema, OLDER_NAME, Problem, Runner, ui};
use crate::config_schema;
use kernel::{SafeUrl, Slug};
use serde_json::Value;
use std::ops::RangeInclusive;

const FIELDS: &[&str] = &[
    "version",
    "base",
    "build",
    "run",
    "runner",
    "url",
    "connectors",
    "configs",
    "metadata_schema",
    "retries",
    "timeout_seconds",
    "memory_mib",
];

/// A command is a line or a few, not a script.
const COMMAND: usize = 4096;

/// Everything that was found wrong so far.
pub(super) struct Reader<'a> {
    file: &'a str,
    /// Words that we do not know are mistakes.
    pub(super) is_strict: bool,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    pub(super) fn problem(&mut self, line: usize, field: &str, text: impl Into<String>) {
        let (file, field) = (self.file.to_owned(), field.to_owned());
        self.problems.push(Problem { file, line, field, text: text.into() });
    }

    /// The entries of a map whose keys are all known; one that is not a map has none.
    pub(super) fn map<'n>(&mut self, node: &'n Node, field: &str, known: &[&str]) -> &'n [(Key, Node)] {
        let Some(entries) = node.entries() else {
            self.problem(node.line, field, format!("expected a map, found {}", node.kind()));
            return &[];
        };
        let is_strict = self.is_strict;
        for (key, _) in entries.iter().filter(|(key, _)| is_strict && !known.contains(&key.name.as_str())) {
            let near = crate::connector::nearest(&key.name, known.iter().copied());
            let text = if near.is_empty() {
                format!("there is no such field; there are {}", known.join(", "))
            } else {
                format!("there is no such field{near}")
            };
            self.problem(key.line, &inside(field, &key.name), text);
        }
        entries
    }

    /// A text; a number counts as it is written, because a version is often one.
    pub(super) fn text(&mut self, node: &Node, field: &str, longest: usize) -> Option<String> {
        match &node.content {
            Content::Scalar(text, Value::String(_) | Value::Number(_)) => {
                if text.trim().is_empty() || text.len() > longest || text.contains('\0') {
                    self.problem(node.line, field, format!("expected 1 to {longest} characters"));
                    return None;
                }
                Some(text.clone())
            }
            _ => {
                self.problem(node.line, field, format!("expected a text, found {}", node.kind()));
                None
            }
        }
    }

    pub(super) fn truth(&mut self, node: &Node, field: &str) {
        if !matches!(&node.content, Content::Scalar(_, Value::Bool(_))) {
            self.problem(node.line, field, format!("expected true or false, found {}", node.kind()));
        }
    }

    fn number(&mut self, node: &Node, field: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let number = match &node.content {
            Content::Scalar(_, Value::Number(number)) => {
                number.as_u64().and_then(|it| u32::try_from(it).ok())
            }
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let text = format!("expected a whole number from {} to {}", range.start(), range.end());
            self.problem(node.line, field, text);
        }
        number
    }
}

pub(super) fn inside(field: &str, name: &str) -> String {
    if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") }
}

pub(super) fn manifest(file: &str, root: &Node) -> Result<Manifest, Vec<Problem>> {
    let mut reader = Reader { file, is_strict: file != OLDER_NAME, problems: Vec::new() };
    reader.map(root, "", FIELDS);
    // What stands there and is `null` counts as absent.
    let get = |name: &str| root.get(name).filter(|node| !node.is_null());
    let version = get("version").and_then(|node| reader.text(node, "version", 40));
    if get("version").is_none() && root.entries().is_some() {
        reader.problem(
            root.line,
            "version",
            "this must be there: the version of your configuration, as in 1",
        );
    }
    let base = get("base").and_then(|node| reader.text(node, "base", 200));
    let build = get("build").and_then(|node| reader.text(node, "build", COMMAND));
    let run = get("run").and_then(|node| reader.text(node, "run", COMMAND));
    let url = get("url").and_then(|node| address(&mut reader, node));
    let runner = get("runner").map_or(Runner::Process, |node| runner(&mut reader, node));
    needed(&mut reader, root, runner);
    let made = Manifest {
        version: version.unwrap_or_default(),
        base,
        build,
        run,
        runner,
        url,
        connectors: get("connectors").map(|node| connectors(&mut reader, node)).unwrap_or_default(),
        configs: get("configs").and_then(|node| configs(&mut reader, node)),
        metadata_schema: get("metadata_schema").and_then(|node| metadata(&mut reader, node)),
        retries: get("retries").and_then(|node| reader.number(node, "retries", 0..=10)).unwrap_or(0),
        timeout_seconds: get("timeout_seconds")
            .and_then(|node| reader.number(node, "timeout_seconds", 1..=24 * 3600)),
        memory_mib: get("memory_mib").and_then(|node| reader.number(node, "memory_mib", 16..=1024 * 1024)),
    };
    let mut problems = reader.problems;
    if problems.is_empty() {
        return Ok(made);
    }
    problems.sort_by_key(|problem| problem.line);
    Err(problems)
}

fn runner(reader: &mut Reader<'_>, node: &Node) -> Runner {
    match &node.content {
        Content::Scalar(text, _) if text == "process" => Runner::Process,
        Content::Scalar(text, _) if text == "http" => Runner::Http,
        _ => {
            reader.problem(node.line, "runner", "expected `process` or `http`");
            Runner::Process
        }
    }
}

/// What each kind of runner needs, and what would mean nothing to it.
fn needed(reader: &mut Reader<'_>, root: &Node, runner: Runner) {
    let is_there = |name: &str| root.get(name).filter(|node| !node.is_null());
    let (needs, why, strange) = match runner {
        Runner::Process => ("run", "this must be there: the command that starts a run", ["url"].as_slice()),
        Runner::Http => {
            ("url", "this must be there: where runs are sent", ["run", "build", "memory_mib"].as_slice())
        }
    };
    if is_there(needs).is_none() && root.entries().is_some() {
        reader.problem(root.line, needs, why);
    }
    for name in strange {
        if let Some(node) = is_there(name) {
            let word = if runner == Runner::Http { "http" } else { "process" };
            reader.problem(node.line, name, format!("this means nothing to a runner of the kind `{word}`"));
        }
    }
}

fn address(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.text(node, "url", 2000)?;
    match SafeUrl::parse(&text) {
        Ok(url) => Some(url.as_str().to_owned()),
        Err(refused) => {
            reader.problem(node.line, "url", refused.to_string());
            None
        }
    }
}

fn connectors(reader: &mut Reader<'_>, node: &Node) -> Vec<String> {
    let Some(items) = node.items() else {
        reader.problem(node.line, "connectors", format!("expected a list of names, found {}", node.kind()));
        return Vec::new();
    };
    let mut names = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let field = format!("connectors[{index}]");
        let Some(text) = reader.text(item, &field, 200) else { continue };
        match Slug::parse(&text) {
            Ok(slug) if names.iter().any(|name| name == slug.as_str()) => {
                reader.problem(item.line, &field, format!("`{slug}` stands here twice"));
            }
            Ok(slug) => names.push(slug.to_string()),
            Err(refused) => reader.problem(item.line, &field, refused.to_string()),
        }
    }
    names
}

fn configs(reader: &mut Reader<'_>, node: &Node) -> Option<Configs> {
    reader.map(node, "configs", &["schema", "uischema"]);
    let Some(schema) = node.get("schema").filter(|node| !node.is_null()) else {
        reader.problem(
            node.line,
            "configs.schema",
            "this must be there: what can be configured, as JSON Schema",
        );
        return None;
    };
    check_schema(reader, schema, "configs.schema", config_schema::check);
    let uischema = node.get("uischema").filter(|node| !node.is_null());
    if let Some(uischema) = uischema {
        ui::element(reader, uischema, "configs.uischema", schema);
    }
    let uischema = uischema.map_or(Value::Null, Node::to_json);
    Some(Configs { schema: schema.to_json(), uischema })
}

fn metadata(reader: &mut Reader<'_>, node: &Node) -> Option<MetadataSchema> {
    reader.map(node, "metadata_schema", &["schema"]);
    let Some(schema) = node.get("schema").filter(|node| !node.is_null()) else {
        let text = "this must be there: what a run may report, as JSON Schema";
        reader.problem(node.line, "metadata_schema.schema", text);
        return None;
    };
    check_schema(reader, schema, "metadata_schema.schema", |value, _| config_schema::check_any(value));
    Some(MetadataSchema { schema: schema.to_json() })
}

/// What the rules of schemas find, with the line of the value that they mean.
fn check_schema(
    reader: &mut Reader<'_>,
    node: &Node,
    field: &str,
    check: impl FnOnce(&Value, bool) -> Vec<config_schema::Mistake>,
) {
    for mistake in check(&node.to_json(), reader.is_strict) {
        let (mut at, mut name) = (node, field.to_owned());
        for step in &mistake.path {
            name = inside(&name, step);
            let next = match &at.content {
                Content::List(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => at.get(step),
            };
            at = next.unwrap_or(at);
        }
        reader.problem(at.line, &name, mistake.text);
    }
}
