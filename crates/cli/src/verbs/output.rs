//! What commands print: tables for people, JSON for programs, both from the same records.

use comfy_table::{ContentArrangement, Table, presets};
use kernel::Plain;
use serde_json::Value;
use std::io::{self, Write};

/// Where a command's results go.
pub struct Output<'a> {
    out: &'a mut dyn Write,
    json: bool,
}

impl std::fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("json", &self.json).finish_non_exhaustive()
    }
}

impl<'a> Output<'a> {
    pub fn new(out: &'a mut dyn Write, json: bool) -> Self {
        Self { out, json }
    }

    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Several records: a JSON array, or a table of these fields.
    ///
    /// # Errors
    /// Where nothing can be written.
    pub fn list(&mut self, records: &[Value], fields: &[&str]) -> io::Result<()> {
        if self.json {
            return self.json(&Value::Array(records.to_vec()));
        }
        if records.is_empty() {
            note("there is nothing to show");
            return Ok(());
        }
        let mut table = table();
        table.set_header(fields.iter().map(|field| field.replace('_', " ")));
        for record in records {
            table.add_row(fields.iter().map(|field| shown(record.get(*field))));
        }
        writeln!(self.out, "{}", table.trim_fmt())
    }

    /// One record: a JSON object, or a line for each of its fields.
    ///
    /// # Errors
    /// Where nothing can be written.
    pub fn one(&mut self, record: &Value) -> io::Result<()> {
        if self.json {
            return self.json(record);
        }
        let mut table = table();
        for (field, value) in record.as_object().into_iter().flatten() {
            table.add_row([field.replace('_', " "), shown(Some(value))]);
        }
        writeln!(self.out, "{}", table.trim_fmt())
    }

    /// One record as it goes by: a line of JSON, or a line of these fields.
    ///
    /// # Errors
    /// Where nothing can be written.
    pub fn line(&mut self, record: &Value, fields: &[&str]) -> io::Result<()> {
        if self.json {
            writeln!(self.out, "{record}")?;
        } else {
            let cells: Vec<_> = fields.iter().map(|field| shown(record.get(*field))).collect();
            writeln!(self.out, "{}", cells.join("  "))?;
        }
        self.out.flush()
    }

    /// A record with a secret that is shown this once. A script takes standard output as it is; `said` goes to
    /// standard error, for the person.
    ///
    /// # Errors
    /// Where nothing can be written.
    pub fn secret(&mut self, mut record: Value, secret: &Plain, said: &str) -> io::Result<()> {
        note(said);
        if self.json {
            if let Some(record) = record.as_object_mut() {
                record.insert("secret".to_owned(), secret.reveal().into());
            }
            return self.json(&record);
        }
        writeln!(self.out, "{}", secret.reveal())
    }

    /// What was done, in a sentence for people and as a record for programs.
    ///
    /// # Errors
    /// Where nothing can be written.
    pub fn done(&mut self, record: &Value, said: &str) -> io::Result<()> {
        if self.json { self.json(record) } else { writeln!(self.out, "{said}") }
    }

    /// A text that is the same for people and programs.
    ///
    /// # Errors
    /// Where nothing can be written.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Somebody else's text over several lines, as it comes: control characters but line ends and tabs are shown as
    /// what they are.
    ///
    /// # Errors
    /// Where nothing can be written.
    pub fn raw(&mut self, text: &str) -> io::Result<()> {
        let is_harmless = |c: char| !c.is_control() || c == '\n' || c == '\t';
        let shown = |c: char| if is_harmless(c) { c.to_string() } else { c.escape_default().to_string() };
        write!(self.out, "{}", text.replace("\r\n", "\n").chars().map(shown).collect::<String>())?;
        self.out.flush()
    }

    fn json(&mut self, value: &Value) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *self.out, value)?;
        writeln!(self.out)
    }
}

/// A sentence for the person at the terminal, beside the results. Where it cannot be written nobody reads it.
pub fn note(said: &str) {
    let _ = writeln!(io::stderr(), "{said}");
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => plain(text),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) => {
            items.iter().map(|item| shown(Some(item))).collect::<Vec<_>>().join(", ")
        }
        Some(other) => plain(&other.to_string()),
    }
}

/// Decision: control characters are shown as what they are. Attack: a claim of a refused token carries escape
/// sequences, and the operator's terminal obeys them. Trade: a text over several lines is shown on one.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(json: bool, write: impl FnOnce(&mut Output<'_>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut Output::new(&mut out, json)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_secret_stands_alone_on_standard_output() {
        let secret = Plain::presented("s3cret");
        let record = json!({ "id": "key_1" });
        assert_eq!(written(false, |out| out.secret(record.clone(), &secret, "kept")), "s3cret\n");
        let json: Value =
            serde_json::from_str(&written(true, |out| out.secret(record, &secret, "kept"))).unwrap();
        assert_eq!(json, json!({ "id": "key_1", "secret": "s3cret" }));
    }

    #[test]
    fn a_record_cannot_speak_to_the_terminal() {
        let record = json!({ "claim": "\u{1b}[2J\nforged", "list": ["a\tb", 1], "no": null });
        let table = written(false, |out| out.list(&[record], &["claim", "list", "no"]));
        assert!(table.contains("\\u{1b}[2J\\nforged") && table.contains("a\\tb, 1"), "{table}");
        assert_eq!(table.lines().count(), 2);
    }
}
