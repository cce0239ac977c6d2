//! Whether a schema is one that we can keep to: of the contract's subset, and sound.

use super::{Dynamic, Mistake, compiled, filled};
use crate::connector::nearest;
use serde_json::Value;

/// Of the whole schema.
const ROOT: &[&str] = &[
    "type",
    "properties",
    "required",
    "definitions",
    "title",
    "description",
    "name",
    "additionalProperties",
    "$schema",
];
/// Of a property, of what a list holds, and of a definition.
const VALUE: &[&str] = &[
    "type",
    "title",
    "description",
    "default",
    "examples",
    "enum",
    "const",
    "oneOf",
    "items",
    "format",
    "$ref",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
];
const TYPES: &[&str] = &["boolean", "integer", "number", "string", "array", "null"];

struct Checker {
    is_strict: bool,
    definitions: Vec<String>,
    mistakes: Vec<Mistake>,
}

/// Checks the schema of a configuration. Without `is_strict`, words beyond the subset are passed over, as existing
/// integrations have them; what would make it unusable is refused either way.
pub fn check(schema: &Value, is_strict: bool) -> Vec<Mistake> {
    let Some(root) = schema.as_object() else {
        return vec![Mistake { path: Vec::new(), text: "expected a map".to_owned() }];
    };
    let names = |name: &str| root.get(name).and_then(Value::as_object).into_iter().flatten();
    let definitions = names("definitions").map(|(name, _)| name.clone()).collect();
    let mut checker = Checker { is_strict, definitions, mistakes: Vec::new() };
    let path = Vec::new();
    checker.words(schema, &path, ROOT);
    if root.get("type").is_some_and(|kind| kind != "object") {
        checker.mistake(&path, "type", "the root's type is `object`");
    }
    for group in ["properties", "definitions"] {
        match root.get(group) {
            None => {}
            Some(Value::Object(members)) => {
                for (name, member) in members {
                    checker.value(member, &[group.to_owned(), name.clone()]);
                }
            }
            Some(_) => checker.mistake(&path, group, "expected a map"),
        }
    }
    let properties: Vec<&str> = names("properties").map(|(name, _)| name.as_str()).collect();
    required(&mut checker, root.get("required"), &properties);
    if checker.mistakes.is_empty() {
        checker.mistakes.extend(sound(&filled(schema, &Dynamic::new())));
    }
    checker.mistakes
}

/// Checks a schema of which nothing is asked but that it is one, and that it refers to nothing outside itself.
pub fn check_any(schema: &Value) -> Vec<Mistake> {
    if !schema.is_object() {
        return vec![Mistake { path: Vec::new(), text: "expected a map".to_owned() }];
    }
    sound(schema)
}

fn sound(schema: &Value) -> Vec<Mistake> {
    match compiled(schema) {
        Ok(_) => Vec::new(),
        Err(text) => vec![Mistake { path: Vec::new(), text: format!("this is no JSON Schema: {text}") }],
    }
}

fn required(checker: &mut Checker, required: Option<&Value>, properties: &[&str]) {
    let Some(required) = required else { return };
    let Some(names) = required.as_array() else {
        checker.mistake(&[], "required", "expected a list of properties");
        return;
    };
    for (index, name) in names.iter().enumerate() {
        let path = ["required".to_owned()];
        match name.as_str() {
            Some(name) if properties.contains(&name) => {}
            Some(name) => {
                let near = nearest(name, properties.iter().copied());
                checker.mistake(&path, &index.to_string(), &format!("there is no property `{name}`{near}"));
            }
            None => checker.mistake(&path, &index.to_string(), "expected the name of a property"),
        }
    }
}

impl Checker {
    fn mistake(&mut self, path: &[String], last: &str, text: &str) {
        let mut path = path.to_vec();
        path.push(last.to_owned());
        self.mistakes.push(Mistake { path, text: text.to_owned() });
    }

    /// Words that are none of ours.
    fn words(&mut self, schema: &Value, path: &[String], known: &[&str]) {
        let words = schema.as_object().into_iter().flatten().map(|(name, _)| name.clone());
        for word in words.filter(|word| self.is_strict && !known.contains(&word.as_str())).collect::<Vec<_>>()
        {
            let near = nearest(&word, known.iter().copied());
            self.mistake(path, &word, &format!("this word of JSON Schema is not used here{near}"));
        }
    }

    fn value(&mut self, schema: &Value, path: &[String]) {
        if !schema.is_object() {
            self.mistakes.push(Mistake { path: path.to_vec(), text: "expected a map".to_owned() });
            return;
        }
        self.words(schema, path, VALUE);
        self.kinds(schema, path);
        if let Some(reference) = schema.get("$ref") {
            self.reference(reference, path);
        }
        match schema.get("format").map(|it| it.as_str()) {
            None | Some(Some("date")) => {}
            Some(_) if self.is_strict => self.mistake(path, "format", "the only format is `date`"),
            Some(_) => {}
        }
        if let Some(items) = schema.get("items") {
            let inner: Vec<String> = path.iter().cloned().chain(["items".to_owned()]).collect();
            self.value(items, &inner);
        }
        self.choices(schema, path);
        self.default_fits(schema, path);
    }

    fn kinds(&mut self, schema: &Value, path: &[String]) {
        let Some(kind) = schema.get("type") else {
            let says = ["$ref", "enum", "oneOf", "const"].iter().any(|word| schema.get(word).is_some());
            if self.is_strict && !says {
                let text = format!("this must be there, one of {}", TYPES.join(", "));
                self.mistake(path, "type", &text);
            }
            return;
        };
        let listed = kind.as_array().map_or_else(|| vec![kind], |kinds| kinds.iter().collect());
        for kind in listed {
            let word = kind.as_str().unwrap_or_default();
            if !TYPES.contains(&word) && (self.is_strict || word != "object") {
                let near = nearest(word, TYPES.iter().copied());
                self.mistake(path, "type", &format!("expected one of {}{near}", TYPES.join(", ")));
            }
        }
        if kind == "array" && schema.get("items").is_none() && self.is_strict {
            self.mistake(path, "items", "this must be there: what the list holds");
        }
    }

    fn reference(&mut self, reference: &Value, path: &[String]) {
        let name = reference.as_str().and_then(|text| text.strip_prefix("#/definitions/"));
        match name {
            None => self.mistake(path, "$ref", "expected `#/definitions/` and a name that stands there"),
            Some(name) if !self.definitions.iter().any(|known| known == name) => {
                let near = nearest(name, self.definitions.iter().map(String::as_str));
                self.mistake(path, "$ref", &format!("there is no definition `{name}`{near}"));
            }
            Some(_) => {}
        }
    }

    /// `oneOf` is a list of values with their titles, and nothing else.
    fn choices(&mut self, schema: &Value, path: &[String]) {
        if schema.get("enum").is_some_and(|values| !values.is_array()) {
            self.mistake(path, "enum", "expected a list of values");
        }
        let Some(choices) = schema.get("oneOf") else { return };
        let Some(choices) = choices.as_array() else {
            self.mistake(path, "oneOf", "expected a list of `const` and `title`");
            return;
        };
        for (index, choice) in choices.iter().enumerate() {
            if choice.get("const").is_none() && self.is_strict {
                let inner: Vec<String> = path.iter().cloned().chain(["oneOf".to_owned()]).collect();
                self.mistake(&inner, &index.to_string(), "expected `const`, and `title` for people");
            }
        }
    }

    /// A default that its own property refuses would make every untouched configuration wrong.
    fn default_fits(&mut self, schema: &Value, path: &[String]) {
        let Some(default) = schema.get("default") else { return };
        let mut alone = schema.clone();
        if let Some(alone) = alone.as_object_mut() {
            // What a reference leads to is filled by a run, later.
            alone.remove("$ref");
            if alone.get("items").is_some_and(|items| items.get("$ref").is_some()) {
                alone.remove("items");
            }
        }
        let fits = compiled(&alone).is_ok_and(|validator| validator.is_valid(default));
        if !fits {
            self.mistake(path, "default", "the default is not what the property allows");
        }
    }
}
