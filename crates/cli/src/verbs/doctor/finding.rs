//! What was found: each finding says what is wrong and what to do.

use serde::Serialize;
use std::io::{self, Write};

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    /// As it should be.
    Good,
    /// Works, but somebody should look at it.
    Warning,
    /// Keeps the gateway, or an organization in production, from working.
    Error,
}

#[derive(Debug, Serialize)]
pub(super) struct Finding {
    level: Level,
    topic: &'static str,
    what: String,
    /// What to do; absent where all is well.
    todo: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn good(&mut self, topic: &'static str, what: impl Into<String>) {
        self.0.push(Finding { level: Level::Good, topic, what: what.into(), todo: None });
    }

    pub(super) fn warning(&mut self, topic: &'static str, what: impl Into<String>, todo: impl Into<String>) {
        self.add(Level::Warning, topic, what, todo);
    }

    pub(super) fn error(&mut self, topic: &'static str, what: impl Into<String>, todo: impl Into<String>) {
        self.add(Level::Error, topic, what, todo);
    }

    pub(super) fn add(
        &mut self,
        level: Level,
        topic: &'static str,
        what: impl Into<String>,
        todo: impl Into<String>,
    ) {
        self.0.push(Finding { level, topic, what: what.into(), todo: Some(todo.into()) });
    }

    pub(super) fn errors(&self) -> usize {
        self.0.iter().filter(|finding| finding.level == Level::Error).count()
    }

    pub(super) fn write(&self, json: bool, out: &mut dyn Write) -> io::Result<()> {
        if json {
            serde_json::to_writer_pretty(&mut *out, &self.0)?;
            return writeln!(out);
        }
        for Finding { level, topic, what, todo } in &self.0 {
            let mark = match level {
                Level::Good => "ok     ",
                Level::Warning => "look   ",
                Level::Error => "WRONG  ",
            };
            writeln!(out, "{mark} {topic}: {what}")?;
            if let Some(todo) = todo {
                writeln!(out, "        -> {todo}")?;
            }
        }
        Ok(())
    }
}
