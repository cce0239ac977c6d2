//! Manifests as they are written, good and bad.

use super::*;
use crate::config_schema::{self, Dynamic, dynamic_of, filled, validate, with_defaults};
use serde_json::json;

const WHOLE: &str = r##"
version: 1.2
base: python:3.11
build: pip install --target lib -r requirements.txt
run: python3 -m orders
connectors: [hubspot, acme]
retries: 2
timeout_seconds: 120
memory_mib: 512
configs:
  schema:
    type: object
    required: [limit]
    properties:
      limit: {type: integer, minimum: 1, default: 50}
      sync: &flag {type: boolean, default: true}
      other: *flag
      since: {type: string, format: date}
      color:
        oneOf:
          - {const: r, title: Red}
          - {const: g, title: Green}
      tags: {type: array, items: {type: string}}
      list: {$ref: '#/definitions/lists'}
    definitions:
      lists: {type: string, enum: []}
  uischema:
    type: VerticalLayout
    elements:
      - type: Section
        label: Sync
        hintText: How much
        elements:
          - {type: Control, scope: '#/properties/limit', label: Limit, options: {trim: true}}
          - {type: MultiSelectControl, scope: '#/properties/tags', options: {multi: true}}
      - type: Divider
      - {type: Label, title: More, subtitle: of it}
      - type: HorizontalLayout
        elements: [{type: Control, scope: '#/properties/sync', admin: true}]
metadata_schema:
  schema: {type: object, properties: {warehouse: {type: string}}}
"##;

fn parse(text: &str) -> Result<Manifest, String> {
    Manifest::parse(NAME, text)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn everything_that_a_manifest_says_is_read() {
    let manifest = parse(WHOLE).unwrap();
    assert_eq!(manifest.version, "1.2", "a version is the text that was written");
    assert_eq!(manifest.run.as_deref(), Some("python3 -m orders"));
    assert_eq!((manifest.retries, manifest.timeout_seconds, manifest.memory_mib), (2, Some(120), Some(512)));
    assert_eq!(manifest.connectors, ["hubspot", "acme"]);
    let configs = manifest.configs.clone().unwrap();
    assert_eq!(configs.schema["properties"]["other"], json!({"type": "boolean", "default": true}));
    assert_eq!(configs.uischema["elements"][1], json!({"type": "Divider"}));
    assert!(manifest.metadata_schema.is_some());
    let stored = serde_json::to_string(&manifest).unwrap();
    assert_eq!(serde_json::from_str::<Manifest>(&stored).unwrap(), manifest);
}

#[test]
fn an_existing_manifest_is_read_as_it_is() {
    // The words and the order that such files have, with some that are not ours.
    let text = r"
version: 0.4
base: node:24
build: npm install
run: node .
somethingElse: 1
configs:
  schema:
    name: node_schema
    properties:
      text: {type: string, 'x-note': 1}
      flag: {type: boolean, default: true}
    type: object
  uischema:
    elements:
    - label: Text
      scope: '#/properties/text'
      type: Control
    - {type: Fancy, scope: '#/properties/text'}
    type: VerticalLayout
";
    let manifest = Manifest::parse(OLDER_NAME, text).unwrap();
    assert_eq!((manifest.version.as_str(), manifest.runner), ("0.4", Runner::Process));
    let strict = parse(text).unwrap_err();
    assert!(strict.contains("vestibule.yaml:6: somethingElse: there is no such field"), "{strict}");
    assert!(strict.contains("there is no element `Fancy`"), "{strict}");
}

/// What such files have beside that: a placeholder where a run is to fill the choices, with a type that is not its own;
/// a schema without a type at its root; a misspelt reference; a metadata schema with a name; comments and empty texts.
#[test]
fn odd_words_of_existing_manifests_are_passed_over() {
    let text = r"
version: 1.0
base: python:3.14   # or another one
build: pipenv install
run: pipenv run python -m orders

connectors:
 - shop
 - desk-oauth # the newer one

configs:
  schema:
    properties:
      user:
        type: string
        $ref: '#/definitions/users'
      region:
        ref: '#/definitions/region'
        type: string
        enum: [eu, us]
    required: [user]
    definitions:
      users:
          type: number
          oneOf:
              -   title: Placeholder
                  const: placeholder
      kinds:
          enum:
              -  placeholder
  uischema:
    elements:
    - type: Section
      label: Who is told
      hintText: One of them
      elements:
      - label: User
        scope: '#/properties/user'
        type: Control
    - type: Divider
    - scope: '#/properties/region'
      type: Control
      options:
        multi: true
    type: VerticalLayout

metadata_schema:
  schema:
    name: metadata_schema
    properties:
      seen:
        type: object
        additionalProperties:
          type: string
";
    let manifest = Manifest::parse(OLDER_NAME, text).unwrap();
    assert_eq!((manifest.version.as_str(), manifest.base.as_deref()), ("1.0", Some("python:3.14")));
    assert_eq!(manifest.connectors, ["shop", "desk-oauth"]);
    let schema = manifest.configs.unwrap().schema;
    // What an init run finds takes the placeholder's place, whatever its type said.
    let found = dynamic_of(&schema, &json!({"users": [{"const": "U1", "title": "Anna"}], "kinds": ["a"]}));
    assert_eq!(validate(&schema, &found, &json!({"user": "U1", "region": "eu"})), Ok(()));
    assert!(validate(&schema, &found, &json!({"user": "placeholder"})).is_err());
}

#[test]
fn an_http_release_has_a_url_and_no_command() {
    let manifest = parse("version: 1\nrunner: http\nurl: https://runs.example.com/orders\n").unwrap();
    assert_eq!(manifest.runner, Runner::Http);
    assert_eq!(manifest.url.as_deref(), Some("https://runs.example.com/orders"));
}

#[test]
fn each_mistake_is_told_with_its_line_and_field() {
    let process = "version: 1\nrun: ./run\n";
    let schema = |property: &str| {
        format!("{process}configs:\n  schema:\n    type: object\n    properties:\n      x: {property}\n")
    };
    let ui = |element: &str| format!("{}  uischema:\n    {element}\n", schema("{type: string}"));
    let table: Vec<(String, &str)> = vec![
        ("run: ./run\n".into(), "vestibule.yaml:1: version: this must be there"),
        ("version: 1\n".into(), "vestibule.yaml:1: run: this must be there"),
        ("- a\n".into(), "expected a map, found a list"),
        (String::new(), "expected a map, found nothing"),
        ("version: [1]\nrun: x\n".into(), "vestibule.yaml:1: version: expected a text, found a list"),
        (format!("{process}rum: 1\n"), "vestibule.yaml:3: rum: there is no such field; did you mean `run`?"),
        (format!("{process}run: again\n"), "vestibule.yaml:3: `run` stands here twice"),
        (format!("{process}runner: docker\n"), "vestibule.yaml:3: runner: expected `process` or `http`"),
        (format!("{process}url: https://a.example\n"), "vestibule.yaml:3: url: this means nothing"),
        ("version: 1\nrunner: http\n".into(), "url: this must be there"),
        ("version: 1\nrunner: http\nurl: ftp://a.example\n".into(), "vestibule.yaml:3: url: "),
        ("version: 1\nrunner: http\nurl: https://u:p@a.example\n".into(), "user name or password"),
        (
            "version: 1\nrunner: http\nurl: https://a.example\nrun: x\n".into(),
            "vestibule.yaml:4: run: this means nothing",
        ),
        (
            format!("{process}retries: 11\n"),
            "vestibule.yaml:3: retries: expected a whole number from 0 to 10",
        ),
        (format!("{process}retries: -1\n"), "retries: expected a whole number"),
        (format!("{process}timeout_seconds: 1.5\n"), "timeout_seconds: expected a whole number"),
        (format!("{process}memory_mib: lots\n"), "memory_mib: expected a whole number"),
        (format!("{process}connectors: hubspot\n"), "connectors: expected a list of names, found a text"),
        (
            format!("{process}connectors:\n  - hubspot\n  - hubspot\n"),
            "vestibule.yaml:5: connectors[1]: `hubspot` stands here twice",
        ),
        (format!("{process}connectors: [Hub Spot]\n"), "connectors[0]: "),
        (format!("{process}configs: {{}}\n"), "configs.schema: this must be there"),
        (format!("{process}configs: {{schema: 3}}\n"), "configs.schema: expected a map"),
        (format!("{process}metadata_schema: {{}}\n"), "metadata_schema.schema: this must be there"),
        (format!("{process}metadata_schema: {{schema: {{type: nothing}}}}\n"), "this is no JSON Schema"),
        (
            format!("{process}metadata_schema: {{schema: {{$ref: 'https://a.example/x'}}}}\n"),
            "this is no JSON Schema",
        ),
        (
            format!("{process}metadata_schema: {{schema: {{$ref: 'file:///etc/passwd'}}}}\n"),
            "this is no JSON Schema",
        ),
        (
            schema("{type: text}"),
            "vestibule.yaml:7: configs.schema.properties.x.type: expected one of boolean",
        ),
        (schema("{}"), "configs.schema.properties.x.type: this must be there"),
        (schema("{type: string, pattern: '('}"), "this is no JSON Schema"),
        (
            schema("{type: string, formt: date}"),
            "formt: this word of JSON Schema is not used here; did you mean `format`?",
        ),
        (schema("{type: string, format: email}"), "format: the only format is `date`"),
        (schema("{type: integer, default: many}"), "x.default: the default is not what the property allows"),
        (schema("{type: string, enum: one}"), "x.enum: expected a list of values"),
        (schema("{oneOf: [{title: A}]}"), "x.oneOf.0: expected `const`"),
        (schema("{type: array}"), "x.items: this must be there"),
        (schema("{$ref: '#/definitions/nothing'}"), "$ref: there is no definition `nothing`"),
        (schema("{$ref: 'other.json'}"), "$ref: expected `#/definitions/`"),
        (
            schema("{type: string}") + "    required: [y]\n",
            "vestibule.yaml:8: configs.schema.required.0: there is no property `y`",
        ),
        (ui("type: Row"), "vestibule.yaml:9: configs.uischema.type: there is no element `Row`"),
        (ui("elements: []"), "configs.uischema.type: this must be there, one of VerticalLayout"),
        (ui("{type: Control, scope: '#/properties/y'}"), "scope: the schema has no property `y`"),
        (ui("{type: Control, scope: x}"), "scope: expected `#/properties/`"),
        (
            ui("{type: Control, lable: X, scope: '#/properties/x'}"),
            "lable: there is no such field; did you mean `label`?",
        ),
        (
            ui("{type: Control, scope: '#/properties/x', admin: maybe}"),
            "admin: expected true or false, found a text",
        ),
        (
            ui("{type: Control, scope: '#/properties/x', options: {big: true}}"),
            "options.big: there is no such field",
        ),
        (ui("{type: VerticalLayout}"), "elements: a VerticalLayout has this"),
        (ui("{type: Divider, label: no}"), "label: there is no such field"),
        (format!("{process}base: [\n"), "this is no YAML"),
        (format!("{process}base: !ref x\n"), "vestibule.yaml:3: tags such as `!name` are not read"),
        (format!("{process}---\nversion: 2\n"), "a second one begins here"),
        (format!("{process}? [a]\n: b\n"), "a key is a text"),
        (format!("{process}configs: &a\n  schema: *a\n"), "an alias that names what it stands in"),
        (format!("{process}configs:\n  <<: 1\n"), "`<<` is not read"),
        (format!("{process}base: .inf\n"), "is no number that JSON has"),
    ];
    for (text, expected) in table {
        let refused = parse(&text).expect_err(&text);
        assert!(refused.contains(expected), "{text}\nexpected: {expected}\nfound: {refused}");
    }
}

#[test]
fn a_small_text_cannot_become_a_large_one() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in ["b", "c", "d", "e", "f", "g", "h"].iter().zip(["a", "b", "c", "d", "e", "f", "g"])
    {
        let ten = vec![format!("*{before}"); 10].join(", ");
        bomb.push_str(&format!("{name}: &{name} [{ten}]\n"));
    }
    let refused = parse(&bomb).unwrap_err();
    assert!(refused.contains("at most 20000 values"), "{refused}");
    let deep = format!("a: {}{}", "[".repeat(60), "]".repeat(60));
    assert!(parse(&deep).unwrap_err().contains("at most 40 deep"));
    let mut nested = format!("a: &a {}{}\n", "[".repeat(30), "]".repeat(30));
    nested.push_str("b: [[[[[[[[[[[[*a]]]]]]]]]]]]\n");
    assert!(parse(&nested).unwrap_err().contains("at most 40 deep"), "an alias counts as deep as it is");
    assert!(parse(&"#".repeat(LARGEST + 1)).unwrap_err().contains("at most"));
}

fn configs_schema() -> Value {
    parse(WHOLE).unwrap().configs.unwrap().schema
}

fn mistakes(configs: &Value, dynamic: &Dynamic) -> Vec<String> {
    let refused = validate(&configs_schema(), dynamic, configs).err().unwrap_or_default();
    refused.iter().map(|mistake| mistake.path.join(".")).collect()
}

#[test]
fn configurations_are_what_the_schema_asks_for() {
    let none = Dynamic::new();
    assert_eq!(
        with_defaults(&configs_schema(), &json!({"limit": 3, "more": 1})),
        json!({
            "limit": 3, "sync": true, "other": true, "more": 1
        })
    );
    let good = json!({"limit": 3, "since": "2026-02-28", "color": "r", "tags": ["a"], "list": "anything"});
    assert_eq!(mistakes(&good, &none), Vec::<String>::new());
    for (bad, path) in [
        (json!({"limit": 0}), "limit"),
        (json!({"limit": "3"}), "limit"),
        (json!({"limit": 1, "since": "2026-02-30"}), "since"),
        (json!({"limit": 1, "color": "b"}), "color"),
        (json!({"limit": 1, "tags": [1]}), "tags.0"),
        (json!({}), ""),
        (json!([]), ""),
    ] {
        assert_eq!(mistakes(&bad, &none), [path], "{bad}");
    }
    let secret = validate(&configs_schema(), &none, &json!({"limit": "a-secret-value"})).unwrap_err();
    assert!(!secret[0].text.contains("a-secret-value"), "{}", secret[0].text);
}

#[test]
fn what_an_init_run_printed_is_what_may_be_chosen() {
    let schema = configs_schema();
    let printed = json!({"lists": ["a", "b"], "cursor": "x", "unknown": ["a"]});
    let dynamic = dynamic_of(&schema, &printed);
    assert_eq!(Value::Object(dynamic.clone()), json!({"lists": ["a", "b"]}));
    assert_eq!(mistakes(&json!({"limit": 1, "list": "a"}), &dynamic), Vec::<String>::new());
    assert_eq!(mistakes(&json!({"limit": 1, "list": "c"}), &dynamic), ["list"]);
    let titled = dynamic_of(&schema, &json!({"lists": [{"const": 7, "title": "Seven"}]}));
    assert_eq!(mistakes(&json!({"limit": 1, "list": 7}), &titled), Vec::<String>::new());
    assert_eq!(
        filled(&schema, &titled)["definitions"]["lists"],
        json!({"oneOf": [{"const": 7, "title": "Seven"}]})
    );
    for not_ours in
        [json!("text"), json!({"lists": "a"}), json!({"lists": [1]}), json!({"lists": [{"title": "A"}]})]
    {
        assert!(dynamic_of(&schema, &not_ours).is_empty(), "{not_ours}");
    }
}

#[test]
fn a_pattern_that_would_take_for_ever_is_refused_or_quick() {
    let schema = json!({"type": "object", "properties": {"x": {"type": "string", "pattern": "^(a+)+$"}}});
    assert_eq!(config_schema::check(&schema, true), []);
    let long = json!({"x": format!("{}b", "a".repeat(50_000))});
    // One that goes back in the text would never end.
    assert!(validate(&schema, &Dynamic::new(), &long).is_err());
    // What needs to go back in the text cannot be quick.
    let back = json!({"type": "object", "properties": {"x": {"type": "string", "pattern": "(a)\\1"}}});
    assert_eq!(config_schema::check(&back, true).len(), 1);
}
