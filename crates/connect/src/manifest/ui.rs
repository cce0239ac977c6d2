//! The form of a configuration: the elements that the contract lists, and what each may carry.

use super::read::{Reader, inside};
use super::yaml::{Content, Node};

/// The kinds of elements with their fields beside `type`.
const ELEMENTS: &[(&str, &[&str])] = &[
    ("VerticalLayout", &["elements"]),
    ("HorizontalLayout", &["elements"]),
    ("Section", &["label", "subtitle", "hintText", "elements"]),
    ("Divider", &[]),
    ("Label", &["title", "subtitle"]),
    ("Control", &["scope", "label", "admin", "options", "hintText"]),
    ("MultiSelectControl", &["scope", "label", "admin", "options", "hintText"]),
];
const LONGEST: usize = 2000;

/// Checks one element and those inside it. How deep they lie is bounded by the reading of the text.
pub(super) fn element(reader: &mut Reader<'_>, node: &Node, field: &str, schema: &Node) {
    let known: Vec<&str> = ELEMENTS.iter().map(|(kind, _)| *kind).collect();
    let kind = match node.get("type").map(|node| &node.content) {
        Some(Content::Scalar(kind, _)) => kind.as_str(),
        _ => {
            let text = format!("this must be there, one of {}", known.join(", "));
            reader.problem(node.line, &inside(field, "type"), text);
            return;
        }
    };
    let Some((kind, fields)) = ELEMENTS.iter().find(|(known, _)| *known == kind) else {
        if reader.is_strict {
            let near = crate::connector::nearest(kind, known.iter().copied());
            let text = format!("there is no element `{kind}`{near}; there are {}", known.join(", "));
            reader.problem(node.get("type").map_or(node.line, |it| it.line), &inside(field, "type"), text);
        }
        return;
    };
    let mut all = vec!["type"];
    all.extend(*fields);
    for (key, value) in reader.map(node, field, &all) {
        let at = inside(field, &key.name);
        match key.name.as_str() {
            name if !fields.contains(&name) => {}
            "label" | "title" | "subtitle" | "hintText" => {
                reader.text(value, &at, LONGEST);
            }
            "admin" => reader.truth(value, &at),
            "options" => options(reader, value, &at),
            "scope" => scope(reader, value, &at, schema),
            "elements" => inner(reader, value, &at, schema),
            _ => {}
        }
    }
    for needed in ["elements", "scope"].into_iter().filter(|name| fields.contains(name)) {
        // A section of nothing but its heading is one.
        if node.get(needed).is_none() && !(needed == "elements" && *kind == "Section") {
            reader.problem(node.line, &inside(field, needed), format!("a {kind} has this"));
        }
    }
}

fn inner(reader: &mut Reader<'_>, node: &Node, field: &str, schema: &Node) {
    let Some(items) = node.items() else {
        reader.problem(node.line, field, format!("expected a list of elements, found {}", node.kind()));
        return;
    };
    for (index, item) in items.iter().enumerate() {
        element(reader, item, &format!("{field}[{index}]"), schema);
    }
}

fn options(reader: &mut Reader<'_>, node: &Node, field: &str) {
    for (key, value) in reader.map(node, field, &["trim", "multi"]) {
        if ["trim", "multi"].contains(&key.name.as_str()) {
            reader.truth(value, &inside(field, &key.name));
        }
    }
}

/// `#/properties/x`, of a property that the schema has.
fn scope(reader: &mut Reader<'_>, node: &Node, field: &str, schema: &Node) {
    let Some(text) = reader.text(node, field, LONGEST) else { return };
    let properties = schema.get("properties").and_then(Node::entries).unwrap_or_default();
    let name = text.strip_prefix("#/properties/").map(|name| name.replace("~1", "/").replace("~0", "~"));
    match name {
        None => reader.problem(node.line, field, "expected `#/properties/` and a property of the schema"),
        Some(name) if !properties.iter().any(|(key, _)| key.name == name) => {
            let near = crate::connector::nearest(&name, properties.iter().map(|(key, _)| key.name.as_str()));
            reader.problem(node.line, field, format!("the schema has no property `{name}`{near}"));
        }
        Some(_) => {}
    }
}
