use super::*;
use proptest::prelude::*;
use serde_json::json;

fn said(text: &str) -> Said<'_> {
    Said { text, mode: Mode::Normal, metadata_schema: None, config_schema: None }
}

#[test]
fn the_last_line_is_the_state_to_the_byte() {
    let state = |text: &str| read(said(text)).unwrap().state;
    assert_eq!(state("one\n{\"cursor\": 7}\n").as_deref(), Some("{\"cursor\": 7}"));
    assert_eq!(state("only  this ").as_deref(), Some("only  this "));
    assert_eq!(state("a\r\nb\r\n\r\n").as_deref(), Some("b"));
    assert_eq!(state(" \n\n"), None);
    assert_eq!(state(""), None);
}

#[test]
fn metadata_is_the_whole_and_fits_its_schema() {
    let schema = json!({
        "type": "object",
        "properties": { "cursor": { "type": "integer" }, "site": { "type": "string", "pattern": "^s-" } },
        "additionalProperties": false
    });
    let with = |text| read(Said { metadata_schema: Some(&schema), ..said(text) });
    let read = with("{\n  \"cursor\": 7,\n  \"Pandium\": {\"Auth\": {}}\n}\n").unwrap();
    assert_eq!(read.metadata, Some(json!({ "cursor": 7 }).as_object().cloned().unwrap()));
    assert_eq!(with("").unwrap().metadata, None, "who prints nothing changes nothing");
    // Where the whole is no object, the last line that is not empty counts.
    for text in ["42 orders\n{\"cursor\": 8}\n\n", "{\"cursor\": \"old\"}\n{\"cursor\": 8}"] {
        let metadata = with(text).unwrap().metadata;
        assert_eq!(metadata, Some(json!({ "cursor": 8 }).as_object().cloned().unwrap()), "{text}");
    }
    for bad in ["{\"cursor\": 8}\ndone\n", "one\n{\"cursor\": \"hunter2\"}", "[\n{\"cursor\": 8}\n]"] {
        assert!(!with(bad).unwrap_err().0.contains("hunter2"), "{bad}");
    }
    for bad in
        ["{\"cursor\": \"hunter2\"}", "{\"site\": \"hunter2\"}", "{\"other\": 1}", "text", "[1]", "{} {}"]
    {
        let unfit = with(bad).unwrap_err();
        assert!(!unfit.0.contains("hunter2"), "{unfit}");
    }
    let broken = json!({ "$ref": "https://example.com/schema.json" });
    assert!(
        super::read(Said { metadata_schema: Some(&broken), ..said("{}") }).is_err(),
        "nothing is fetched"
    );
}

#[test]
fn metadata_is_merged_member_by_member() {
    let before = json!({ "a": { "x": 1 }, "b": 2 });
    let members = json!({ "a": { "y": 2 }, "c": 3 }).as_object().cloned().unwrap();
    assert_eq!(merged(Some(&before), members), Ok(json!({ "a": { "y": 2 }, "b": 2, "c": 3 })));
    let large = json!({ "a": "x".repeat(LARGEST) }).as_object().cloned().unwrap();
    assert!(merged(None, large).is_err());
}

#[test]
fn an_init_run_fills_the_dynamic_configs_of_its_schema() {
    let schema = json!({ "definitions": { "sites": {}, "lists": {}, "odd": {} } });
    let text =
        r#"{"sites":["a","b"],"lists":[{"const":1,"title":"One"}],"odd":[{"title":"One"}],"unknown":["x"]}"#;
    let init = Said { mode: Mode::Init, config_schema: Some(&schema), ..said(text) };
    let outcome = read(init).unwrap();
    assert_eq!(
        Value::Object(outcome.dynamic_configs),
        json!({ "sites": ["a", "b"], "lists": [{ "const": 1, "title": "One" }] })
    );
    assert_eq!(outcome.notes.len(), 1);
    assert!(read(Said { mode: Mode::Normal, ..init }).unwrap().dynamic_configs.is_empty());
    // What filled them is not metadata.
    let metadata = json!({ "type": "object", "additionalProperties": false });
    let text = r#"{"sites":["a"]}"#;
    let outcome = read(Said { text, metadata_schema: Some(&metadata), ..init }).unwrap();
    assert_eq!(outcome.metadata, Some(Map::new()));
}

#[test]
fn a_run_may_say_that_a_connection_is_gone() {
    let of = |text: &str| read(said(text)).unwrap().disconnected;
    let line = r#"{"Pandium":{"Auth":{"MY_CRM_AUTH_STATUS":"Disconnected","B_AUTH_STATUS":"Connected","C":"Disconnected"}}}"#;
    assert_eq!(of(line), ["MY_CRM"]);
    assert_eq!(of(&format!("words before\n{line}\n")), ["MY_CRM"]);
    assert!(of(r#"{"Pandium":{"Auth":["X_AUTH_STATUS"]}}"#).is_empty());
}

proptest! {
    #[test]
    fn whatever_is_printed_is_read(text in "(\\PC|\n){0,200}") {
        let outcome = read(said(&text)).unwrap();
        if let Some(state) = outcome.state {
            prop_assert!(text.contains(&state) && !state.contains('\n'));
        }
    }
}
