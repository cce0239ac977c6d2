//! How long rows are kept.

use std::fmt::Write as _;
use store::retention::{BATCH, TABLES};

/// The text of `docs/reference/retention.md`.
pub fn retention() -> String {
    let mut page = String::from(
        "# How long rows are kept\n\nMade from the list in `crates/store/src/retention/tables.rs` by `cargo xtask gen`.\n\n\
         Tables that grow with use are cleaned up in small steps while the gateway runs, on any number of nodes at the \
         same time. The periods are part of the program and no setting changes them; nothing else deletes rows by \
         itself.\n\n| table | kept | why |\n|---|---|---|\n",
    );
    let names = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    for table in TABLES {
        if let Some(kept) = table.kept {
            let _ = writeln!(page, "| {} | {kept} | {} |", names(table.names), table.why);
        }
    }
    page.push_str("\n## Tables that are never cleaned up\n\nThey do not grow by use.\n\n| table | grows with |\n|---|---|\n");
    for table in TABLES.iter().filter(|table| table.kept.is_none()) {
        let _ = writeln!(page, "| {} | {} |", names(table.names), table.why);
    }
    let _ = writeln!(
        page,
        "\nA step deletes at most {BATCH} rows in a transaction of its own, and after each the database is left to others for \
         as long as the step took. A sweep goes on until nothing is left, and the next one begins five minutes later.\n\n\
         Files that a machine unpacked from a release are removed from it when no run has used them for 30 days, and earlier, \
         those first that were not used for longest, where all together are larger than `programs.cache_mib`."
    );
    page
}
