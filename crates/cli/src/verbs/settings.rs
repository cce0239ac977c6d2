//! `vestibule settings`: what is in force, and why.

use crate::settings::Loaded;
use comfy_table::{ContentArrangement, Table, presets};
use std::io::Write;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// One JSON array of {key, value, source} instead of a table
    #[arg(long)]
    json: bool,
}

/// # Errors
/// Where the output cannot be written.
pub fn run(arguments: &Arguments, loaded: &Loaded, out: &mut dyn Write) -> anyhow::Result<()> {
    if arguments.json {
        let text = serde_json::to_string_pretty(&loaded.entries)?;
        writeln!(out, "{text}")?;
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["setting", "value", "from"]);
    for entry in &loaded.entries {
        table.add_row([&entry.key, &entry.value, &entry.source]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Sources, load};

    fn shown(json: bool) -> String {
        let variable = ("VESTIBULE_KEYS__MASTER_KEY".to_owned(), "hunter2".to_owned());
        let sources = Sources {
            variables: vec![variable],
            flags: vec!["log.format=json".to_owned()],
            ..Sources::default()
        };
        let mut out = Vec::new();
        run(&Arguments { json }, &load(&sources).unwrap(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn people_get_a_table_and_programs_get_json() {
        let table = shown(false);
        let line = table.lines().find(|line| line.contains("log.format")).unwrap();
        assert!(line.contains("\"json\"") && line.contains("--set log.format"), "{table}");
        let json: Vec<serde_json::Value> = serde_json::from_str(&shown(true)).unwrap();
        let entry = json.iter().find(|entry| entry["key"] == "listen").unwrap();
        assert_eq!(entry["value"], "\"127.0.0.1:8080\"");
        assert_eq!(entry["source"], "default");
        assert!(!(table + &shown(true)).contains("hunter2"));
    }
}
