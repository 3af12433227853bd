//! The capability matrix: what a transport says it can do, and which cases that lets run.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::harness::Harness;
use super::list::{CASES, Case};
use crate::error::Result;
use crate::transport::Capabilities;

/// The table of a transport as Markdown: its capabilities, then every case with what keeps it from running.
///
/// It depends on the code alone, so that it can be committed and compared.
///
/// # Errors
/// Whatever the harness says when it cannot connect.
pub async fn matrix(harness: &dyn Harness) -> Result<String> {
    harness.start(&[]).await;
    let transport = harness.connect().await?;
    let capabilities = transport.capabilities();
    let mut table = format!("| capability | {} |\n|---|---|\n", capabilities.transport);
    for (name, value) in capabilities.rows() {
        let _ = writeln!(table, "| {name} | {value} |");
    }
    let run = CASES.iter().filter(|case| case.missing(&capabilities, harness).is_none()).count();
    let _ = write!(
        table,
        "\n{run} of {} cases run.\n\n| case | {} |\n|---|---|\n",
        CASES.len(),
        capabilities.transport
    );
    for case in CASES {
        let outcome = case
            .missing(&capabilities, harness)
            .map_or_else(|| "runs".to_owned(), |what| format!("skipped: {what}"));
        let _ = writeln!(table, "| {} | {outcome} |", case.title());
    }
    transport.close().await?;
    harness.stop().await;
    Ok(table)
}

/// Appends one line of JSON about a case that ran or was skipped: transport, capabilities, case, outcome.
///
/// The file is `CONFORMANCE_MATRIX`, or `capability-matrix.json` in the folder given; one line is one write, so that
/// cases in several processes do not mix theirs. It is a by-product: a file that cannot be written fails no case.
pub(super) fn record(folder: Option<&str>, capabilities: &Capabilities, case: &Case, outcome: &str) {
    let named = std::env::var_os("CONFORMANCE_MATRIX").map(PathBuf::from);
    let Some(file) = named.or_else(|| folder.map(|folder| Path::new(folder).join("capability-matrix.json")))
    else {
        return;
    };
    let rows: serde_json::Map<_, _> =
        capabilities.rows().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let line = json!({
        "transport": capabilities.transport, "capabilities": rows, "case": case.title(), "outcome": outcome,
    });
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(file) {
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}
