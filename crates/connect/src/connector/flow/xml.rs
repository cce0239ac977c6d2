//! Answers in XML as JSON, for `soap` and `xml` calls (contract `connect.md`, section 6).
//!
//! Elements become members under their local names; several of one name become a list; an element with text alone
//! becomes that text, an empty one null; attributes stand beside as `@name`, text beside elements as `#text`.
//! Namespaces, comments and processing instructions are left out.

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value};

/// Elements nested deeper than this are refused.
const DEEPEST: usize = 100;
/// The most elements and texts of one document.
const MOST_NODES: u32 = 500_000;

/// Why a text is not read as XML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlRefused {
    /// Decision: a document type is refused, whatever it says. Attack: entities that name files or addresses, or that
    /// grow into gigabytes. Trade: no API needs one.
    #[error("it declares a document type")]
    DocumentType,
    #[error("it is not well-formed XML")]
    Malformed,
    #[error("it is nested too deeply, or has too many elements")]
    TooComplex,
}

/// What a SOAP answer says went wrong, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub code: String,
    pub text: String,
}

/// The document as JSON: one member, the root element's.
///
/// # Errors
/// [`XmlRefused`].
pub fn read_xml(text: &str) -> Result<Value, XmlRefused> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let text = text.trim_start_matches('\u{feff}');
    let document = Document::parse_with_options(text, options).map_err(|error| match error {
        roxmltree::Error::DtdDetected => XmlRefused::DocumentType,
        roxmltree::Error::NodesLimitReached => XmlRefused::TooComplex,
        _ => XmlRefused::Malformed,
    })?;
    let root = document.root_element();
    let mut whole = Map::new();
    whole.insert(root.tag_name().name().to_owned(), element(root, DEEPEST)?);
    Ok(Value::Object(whole))
}

fn element(node: Node<'_, '_>, deeper: usize) -> Result<Value, XmlRefused> {
    let deeper = deeper.checked_sub(1).ok_or(XmlRefused::TooComplex)?;
    let mut members = Map::new();
    for attribute in node.attributes() {
        members.insert(format!("@{}", attribute.name()), attribute.value().into());
    }
    let mut text = String::new();
    for child in node.children() {
        if child.is_element() {
            put(&mut members, child.tag_name().name(), element(child, deeper)?);
        } else if child.is_text() {
            text.push_str(child.text().unwrap_or_default());
        }
    }
    let has_elements = node.children().any(|child| child.is_element());
    // Blanks between elements only lay them out.
    let text = if has_elements { text.trim().to_owned() } else { text };
    Ok(match (members.is_empty(), text.is_empty()) {
        (true, true) => Value::Null,
        (true, false) => Value::String(text),
        (false, true) => Value::Object(members),
        (false, false) => {
            members.insert("#text".to_owned(), text.into());
            Value::Object(members)
        }
    })
}

/// The second of a name makes a list of both. No element's content is a list of itself, so that a list is always ours.
fn put(members: &mut Map<String, Value>, name: &str, value: Value) {
    match members.get_mut(name) {
        None => {
            members.insert(name.to_owned(), value);
        }
        Some(Value::Array(list)) => list.push(value),
        Some(first) => {
            let before = first.take();
            *first = Value::Array(vec![before, value]);
        }
    }
}

/// The fault in a SOAP envelope: version 1.1 (`faultcode`, `faultstring`) or 1.2 (`Code/Value`, `Reason/Text`).
pub fn fault_in(document: &Value) -> Option<Fault> {
    let fault = document.pointer("/Envelope/Body/Fault")?;
    let at = |pointers: [&str; 2]| {
        let found = pointers.into_iter().find_map(|pointer| fault.pointer(pointer));
        found.map(plain).unwrap_or_default()
    };
    Some(Fault { code: at(["/faultcode", "/Code/Value"]), text: at(["/faultstring", "/Reason/Text"]) })
}

fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Object(members) => members.get("#text").and_then(Value::as_str).unwrap_or_default(),
        Value::Array(list) => return list.first().map(plain).unwrap_or_default(),
        _ => "",
    };
    text.chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn xml_becomes_json() {
        for (text, expected) in [
            ("<a/>", json!({"a": null})),
            ("<a> x </a>", json!({"a": " x "})),
            ("<a>&lt;&amp;&#65;</a>", json!({"a": "<&A"})),
            ("<a><![CDATA[<b>]]></a>", json!({"a": "<b>"})),
            ("<a><b>1</b></a>", json!({"a": {"b": "1"}})),
            ("<a><b>1</b>\n <b>2</b><b/></a>", json!({"a": {"b": ["1", "2", null]}})),
            ("<a k='v'>t</a>", json!({"a": {"@k": "v", "#text": "t"}})),
            ("<a><b><c/><c/></b><b/></a>", json!({"a": {"b": [{"c": [null, null]}, null]}})),
            (
                "\u{feff}<?xml version=\"1.0\"?><s:a xmlns:s=\"urn:s\" s:k=\"v\"><!-- c --><s:b>1</s:b></s:a>",
                json!({"a": {"@k": "v", "b": "1"}}),
            ),
        ] {
            assert_eq!(read_xml(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_can_do_harm_is_refused() {
        let bomb = r#"<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;">]><a>&y;</a>"#;
        let file = r#"<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>"#;
        let outside = r#"<!DOCTYPE a SYSTEM "http://169.254.169.254/"><a/>"#;
        for text in [bomb, file, outside, "<!DOCTYPE a><a/>"] {
            assert_eq!(read_xml(text), Err(XmlRefused::DocumentType), "{text}");
        }
        for text in ["", "x", "<a>", "<a></b>", "<a>&x;</a>", "{\"a\":1}", "<a/><b/>"] {
            assert_eq!(read_xml(text), Err(XmlRefused::Malformed), "{text}");
        }
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(read_xml(&nested(100)).is_ok());
        assert_eq!(read_xml(&nested(101)), Err(XmlRefused::TooComplex));
        assert!(read_xml(&nested(200_000)).is_err(), "no stack is used up");
        assert_eq!(read_xml(&format!("<a>{}</a>", "<b/>".repeat(500_001))), Err(XmlRefused::TooComplex));
    }

    #[test]
    fn faults_of_both_versions_are_found() {
        let old = "<s:Envelope xmlns:s='u'><s:Body><s:Fault><faultcode>s:Client</faultcode>\
                   <faultstring xml:lang='en'>No such order</faultstring></s:Fault></s:Body></s:Envelope>";
        let new = "<e:Envelope xmlns:e='u'><e:Body><e:Fault><e:Code><e:Value>e:Sender</e:Value></e:Code><e:Reason>\
                   <e:Text xml:lang='en'>Bad</e:Text><e:Text xml:lang='de'>Schlecht</e:Text></e:Reason></e:Fault></e:Body></e:Envelope>";
        let fault = |text: &str| fault_in(&read_xml(text).unwrap());
        let is = |code: &str, text: &str| Some(Fault { code: code.into(), text: text.into() });
        assert_eq!(fault(old), is("s:Client", "No such order"));
        assert_eq!(fault(new), is("e:Sender", "Bad"));
        assert_eq!(fault("<Envelope><Body><Fault/></Body></Envelope>"), is("", ""));
        assert_eq!(fault("<Envelope><Body><Answer/></Body></Envelope>"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = read_xml(&text);
        }

        #[test]
        fn what_is_written_is_read(text in "[ -~]{1,40}") {
            let mut escaped = String::new();
            crate::connector::template::push_xml(&mut escaped, &text);
            prop_assert_eq!(read_xml(&format!("<a>{escaped}</a>")), Ok(json!({"a": text})));
        }
    }
}
