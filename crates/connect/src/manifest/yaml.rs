//! YAML as a tree that knows its lines.
//!
//! A parser of events reads the text; what becomes of it is decided here: YAML 1.2's core schema, keys that are
//! texts, no key twice, no tags. Aliases are filled in, and what they fill in counts: a manifest of a few lines
//! that says "ten times ten times .." is refused at the same number of values as a long one.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};
use std::collections::HashMap;

/// How deep lists and maps may lie in each other.
const DEPTH: usize = 40;
/// How many values there may be, those of aliases included.
const VALUES: usize = 20_000;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// From 1.
    pub(super) line: usize,
    pub(super) content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// A text as it is written, and what it means.
    Scalar(String, Value),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) line: usize,
    pub(super) name: String,
}

/// Why a text is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) line: usize,
    pub(super) text: String,
}

impl Node {
    /// What it is called in a message.
    pub(super) const fn kind(&self) -> &'static str {
        match &self.content {
            Content::Map(_) => "a map",
            Content::List(_) => "a list",
            Content::Scalar(_, Value::Null) => "nothing",
            Content::Scalar(_, Value::Bool(_)) => "true or false",
            Content::Scalar(_, Value::Number(_)) => "a number",
            Content::Scalar(..) => "a text",
        }
    }

    pub(super) fn entries(&self) -> Option<&[(Key, Self)]> {
        match &self.content {
            Content::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(super) fn items(&self) -> Option<&[Self]> {
        match &self.content {
            Content::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.entries()?.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    pub(super) const fn is_null(&self) -> bool {
        matches!(self.content, Content::Scalar(_, Value::Null))
    }

    pub(super) fn to_json(&self) -> Value {
        match &self.content {
            Content::Scalar(_, value) => value.clone(),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Map(entries) => {
                let members = entries.iter().map(|(key, node)| (key.name.clone(), node.to_json()));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }

    /// How many lists and maps lie in each other here.
    fn depth(&self) -> usize {
        match &self.content {
            Content::Scalar(..) => 0,
            Content::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Content::Map(entries) => 1 + entries.iter().map(|(_, node)| node.depth()).max().unwrap_or(0),
        }
    }

    fn values(&self) -> usize {
        1 + match &self.content {
            Content::Scalar(..) => 0,
            Content::List(items) => items.iter().map(Self::values).sum(),
            Content::Map(entries) => entries.iter().map(|(_, node)| node.values()).sum(),
        }
    }
}

/// A list or map that is being read.
struct Open {
    line: usize,
    anchor: usize,
    content: Content,
    /// Of a map: the key whose value comes next.
    key: Option<Key>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    values: usize,
}

/// Reads one document. An empty one is nothing.
pub(super) fn parse(text: &str) -> Result<Node, Refused> {
    let mut builder = Builder::default();
    let mut documents = 0;
    for step in Parser::new_from_str(text) {
        let (event, span) = step.map_err(|error| Refused {
            line: error.marker().line(),
            text: format!("this is no YAML: {}", error.info()),
        })?;
        let line = span.start.line();
        let refused = |text: &str| Refused { line, text: text.to_owned() };
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(refused("a manifest is one document; a second one begins here"));
                }
            }
            Event::Scalar(_, _, _, Some(tag)) if !tag.is_yaml_core_schema() || tag.suffix != "str" => {
                return Err(refused("tags such as `!name` are not read"));
            }
            Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                return Err(refused("tags such as `!name` are not read"));
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = match style {
                    ScalarStyle::Plain if tag.is_none() => plain(&text).map_err(|why| refused(&why))?,
                    _ => Value::String(text.to_string()),
                };
                builder.put(Node { line, content: Content::Scalar(text.into_owned(), value) }, anchor)?;
            }
            Event::SequenceStart(anchor, None) => builder.begin(line, anchor, Content::List(Vec::new()))?,
            Event::MappingStart(anchor, None) => builder.begin(line, anchor, Content::Map(Vec::new()))?,
            Event::SequenceEnd | Event::MappingEnd => builder.end()?,
            Event::Alias(anchor) => builder.alias(line, anchor)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }
    let nothing = Node { line: 1, content: Content::Scalar(String::new(), Value::Null) };
    Ok(builder.root.unwrap_or(nothing))
}

impl Builder {
    fn count(&mut self, line: usize, values: usize) -> Result<(), Refused> {
        self.values = self.values.saturating_add(values);
        if self.values > VALUES {
            let text = format!("a manifest has at most {VALUES} values, what aliases fill in included");
            return Err(Refused { line, text });
        }
        Ok(())
    }

    fn begin(&mut self, line: usize, anchor: usize, content: Content) -> Result<(), Refused> {
        if self.open.len() >= DEPTH {
            return Err(too_deep(line));
        }
        self.open.push(Open { line, anchor, content, key: None });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Refused> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        self.put(Node { line: open.line, content: open.content }, open.anchor)
    }

    fn alias(&mut self, line: usize, anchor: usize) -> Result<(), Refused> {
        let Some(known) = self.anchors.get(&anchor) else {
            return Err(Refused { line, text: "an alias that names what it stands in".to_owned() });
        };
        // Counted before it is copied: what would be too much is never there.
        let values = known.values();
        if self.open.len() + known.depth() > DEPTH {
            return Err(too_deep(line));
        }
        let mut copy = known.clone();
        copy.line = line;
        self.count(line, values)?;
        self.place(copy)
    }

    /// A value that is whole.
    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Refused> {
        self.count(node.line, 1)?;
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.place(node)
    }

    fn place(&mut self, node: Node) -> Result<(), Refused> {
        let line = node.line;
        let refused = |text: String| Refused { line, text };
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.content, open.key.take()) {
            (Content::List(items), _) => items.push(node),
            (Content::Map(entries), Some(key)) => entries.push((key, node)),
            (Content::Map(entries), None) => {
                let Content::Scalar(name, _) = node.content else {
                    return Err(refused("a key is a text, not a list or a map".to_owned()));
                };
                if name == "<<" {
                    return Err(refused("`<<` is not read; write the keys out".to_owned()));
                }
                if entries.iter().any(|(known, _)| known.name == name) {
                    return Err(refused(format!("`{name}` stands here twice")));
                }
                open.key = Some(Key { line, name });
            }
            (Content::Scalar(..), _) => {}
        }
        Ok(())
    }
}

fn too_deep(line: usize) -> Refused {
    Refused { line, text: format!("lists and maps lie at most {DEPTH} deep") }
}

/// A text without quotes, after YAML 1.2's core schema (its section 10.3).
fn plain(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let inner = |radix: u32, rest: &str| i64::from_str_radix(rest, radix).ok().map(Value::from);
    if let Some(rest) = text.strip_prefix("0o") {
        return Ok(inner(8, rest).unwrap_or_else(|| Value::String(text.to_owned())));
    }
    if let Some(rest) = text.strip_prefix("0x") {
        return Ok(inner(16, rest).unwrap_or_else(|| Value::String(text.to_owned())));
    }
    let special = digits.strip_prefix('.').is_some_and(|rest| {
        matches!(rest, "inf" | "Inf" | "INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
    });
    if special {
        return Err(format!("`{text}` is no number that JSON has"));
    }
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        if let Ok(whole) = text.parse::<i64>() {
            return Ok(Value::from(whole));
        }
    } else if !is_float(digits) {
        return Ok(Value::String(text.to_owned()));
    }
    let number = text.parse::<f64>().ok().and_then(Number::from_f64);
    number.map(Value::Number).ok_or_else(|| format!("`{text}` is no number that JSON has"))
}

/// `[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?` or `\.[0-9]+..`
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let some = !whole.is_empty() || !fraction.is_empty();
    some && digits(whole) && digits(fraction) && exponent.is_none_or(|it| !it.is_empty() && digits(it))
}
