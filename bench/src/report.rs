//! The tables: for the terminal, and as markdown.

use crate::databases::Kind;
use crate::load::{Summary, count};
use crate::machine::Machine;
use comfy_table::presets::{ASCII_MARKDOWN, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, Table, TableStyle};
use std::fmt::Write as _;

/// A measure beside its floor.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    pub operation: &'static str,
    pub kind: Kind,
    pub clients: usize,
    pub floor: Summary,
    /// The floor with a commit of its own for each row.
    pub alone: Summary,
    pub gateway: Summary,
}

/// A measure with a number of tenants.
#[derive(Debug, Clone, Copy)]
pub struct Rung {
    pub operation: &'static str,
    pub kind: Kind,
    pub tenants: i64,
    pub clients: usize,
    pub summary: Summary,
}

/// The same operation by somebody else's server.
#[derive(Debug, Clone, Copy)]
pub struct Other {
    pub operation: &'static str,
    pub server: &'static str,
    pub clients: usize,
    pub summary: Summary,
}

impl Other {
    /// In one line, while the others are still measured.
    pub fn told(&self) -> String {
        self.cells().join(" · ")
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.operation.to_owned(),
            self.server.to_owned(),
            self.clients.to_string(),
            format!("{:.0}", self.summary.per_second),
            format!("{:.3}", self.summary.processor_ms),
            format!("{:.2} / {:.2}", self.summary.p50_ms, self.summary.p99_ms),
            megabytes(self.summary.memory),
        ]
    }
}

/// A figure that stands alone.
#[derive(Debug, Clone)]
pub struct Fact {
    pub what: String,
    pub value: String,
    /// Empty where there is none.
    pub goal: String,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub struct Report {
    pub lines: Vec<Line>,
    pub rungs: Vec<Rung>,
    pub others: Vec<Other>,
    pub facts: Vec<Fact>,
}

impl Line {
    /// The gateway's rate, in per cent of a floor's.
    fn part_of(&self, floor: &Summary) -> f64 {
        100.0 * self.gateway.per_second / floor.per_second.max(f64::EPSILON)
    }

    /// The floor's processor time, as a part of the gateway's.
    fn processor_ratio(&self) -> f64 {
        self.floor.processor_ms / self.gateway.processor_ms.max(f64::EPSILON)
    }

    /// In one line, while the others are still measured.
    pub fn told(&self) -> String {
        format!(
            "{} · {} · {} clients: {:.0}/s of {:.0}/s = {:.0} % (own commits: {:.0}/s, {:.0} %), CPU {:.3} of {:.3} ms, p99 {:.2} ms",
            self.operation,
            self.kind.name(),
            self.clients,
            self.gateway.per_second,
            self.floor.per_second,
            self.part_of(&self.floor),
            self.alone.per_second,
            self.part_of(&self.alone),
            self.gateway.processor_ms,
            self.floor.processor_ms,
            self.gateway.p99_ms,
        )
    }

    fn cells(&self) -> Vec<String> {
        let Self { gateway, floor, alone, .. } = self;
        vec![
            self.operation.to_owned(),
            self.kind.name().to_owned(),
            self.clients.to_string(),
            format!("{:.0}", gateway.per_second),
            format!("{:.0}", floor.per_second),
            format!("{:.0} %", self.part_of(floor)),
            format!("{:.0}", alone.per_second),
            format!("{:.0} %", self.part_of(alone)),
            format!("{:.3}", gateway.processor_ms),
            format!("{:.3}", floor.processor_ms),
            format!("{:.0} %", self.processor_ratio() * 100.0),
            format!("{:.2} / {:.2}", gateway.p50_ms, gateway.p99_ms),
            format!("{:.2} / {:.2}", floor.p50_ms, floor.p99_ms),
            megabytes(gateway.memory),
        ]
    }
}

impl Rung {
    /// In one line, while the others are still measured.
    pub fn told(&self) -> String {
        format!("{} tenants · {}", self.tenants, self.cells().join(" · "))
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.operation.to_owned(),
            self.kind.name().to_owned(),
            self.tenants.to_string(),
            self.clients.to_string(),
            format!("{:.0}", self.summary.per_second),
            format!("{:.3}", self.summary.processor_ms),
            format!("{:.2} / {:.2}", self.summary.p50_ms, self.summary.p99_ms),
            megabytes(self.summary.memory),
        ]
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", count(usize::try_from(bytes).unwrap_or(usize::MAX)) / 1e6)
}

impl Report {
    fn tables(&self, style: TableStyle) -> Vec<(&'static str, Table)> {
        let mut tables = Vec::new();
        let mut add = |title, header: &[&str], rows: Vec<Vec<String>>, numbers: usize| {
            if rows.is_empty() {
                return;
            }
            let mut table = Table::new();
            table.load_style(style).set_header(header).add_rows(rows);
            for column in table.column_iter_mut().skip(numbers) {
                column.set_cell_alignment(CellAlignment::Right);
            }
            tables.push((title, table));
        };
        let header = [
            "operation",
            "database",
            "clients",
            "per second",
            "floor",
            "of floor",
            "own commits",
            "of these",
            "CPU ms",
            "floor",
            "of CPU",
            "p50 / p99 ms",
            "floor",
            "RSS",
        ];
        add("Beside the floor", &header, self.lines.iter().map(Line::cells).collect(), 2);
        let header = ["operation", "server", "clients", "per second", "CPU ms", "p50 / p99 ms", "RSS"];
        let others = self.others.iter().map(Other::cells).collect();
        add("A library beside the second door, in memory only", &header, others, 2);
        let header =
            ["operation", "database", "tenants", "clients", "per second", "CPU ms", "p50 / p99 ms", "RSS"];
        add("With many tenants", &header, self.rungs.iter().map(Rung::cells).collect(), 2);
        let facts = self.facts.iter().map(|it| vec![it.what.clone(), it.value.clone(), it.goal.clone()]);
        add("What it weighs", &["what", "figure", "goal"], facts.collect(), 3);
        tables
    }

    /// For the terminal.
    pub fn shown(&self) -> String {
        self.tables(UTF8_FULL_CONDENSED)
            .iter()
            .map(|(title, table)| format!("\n{title}\n{table}\n"))
            .collect()
    }

    /// For `docs/benchmarks.md`: with the machine, what durable means, and how to measure again.
    pub fn markdown(&self, machine: &Machine, command: &str) -> String {
        let mut text = String::from("# Benchmarks\n\n");
        let _ = writeln!(text, "Written by `{command}` on {}.\n", machine.date);
        let _ = writeln!(text, "{machine}\n");
        text.push_str(REMARKS);
        for (title, table) in self.tables(ASCII_MARKDOWN) {
            let _ = write!(text, "\n## {title}\n\n{table}\n");
        }
        text
    }
}

const REMARKS: &str = include_str!("remarks.md");
