//! The table in README.md of what each transport can do, from what the conformance suite ran on each.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// The transports, as their crates are named.
const TRANSPORTS: [&str; 3] = ["eventbus", "eventbus-redis", "eventbus-amqp"];
/// Depends on a setting, so the suite's own says nothing.
const SETTING: &str = "lease";
/// Begins the first row of the table that is written here; its last comes before an empty line.
const FIRST: &str = "\n| durability |";

fn root(file: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(file)
}

fn read(file: &str) -> String {
    fs::read_to_string(root(file)).expect(file)
}

/// What one transport can do, by capability, and how many cases of the suite run.
struct Column {
    cells: Vec<(String, String)>,
    cases: String,
    all: String,
}

/// Reads a page that the conformance suite wrote and checks.
fn column(name: &str) -> Column {
    let page = read(&format!("crates/{name}/CAPABILITIES.md"));
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let rows = rows
        .map(|(name, cell)| (name.to_owned(), cell.to_owned()))
        .skip_while(|(name, _)| name == "capability");
    let cells = rows.take_while(|(name, _)| name != "case").filter(|(name, _)| name != SETTING).collect();
    let count = page.lines().find_map(|line| line.strip_suffix(" cases run.")?.split_once(" of "));
    let (cases, all) = count.expect("the page counts the cases");
    Column { cells, cases: cases.to_owned(), all: all.to_owned() }
}

/// Capabilities with the same answers share a row.
fn table() -> String {
    let columns = TRANSPORTS.map(column);
    let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
    for (index, (name, _)) in columns[0].cells.iter().enumerate() {
        let cells = columns.iter().map(|column| {
            let (same, cell) = &column.cells[index];
            assert_eq!(same, name, "the pages have the same rows");
            cell.as_str()
        });
        let cells: Vec<_> = cells.collect();
        match rows.iter_mut().find(|(_, others)| *others == cells) {
            Some((names, _)) => write!(names, ", {name}").expect("a string takes all"),
            None => rows.push((name.clone(), cells)),
        }
    }
    let of = format!("cases of the conformance suite that apply and pass, of {}", columns[0].all);
    rows.push((of, columns.iter().map(|column| column.cases.as_str()).collect()));
    rows.iter().map(|(name, cells)| format!("| {name} | {} |\n", cells.join(" | "))).collect()
}

/// Set `WRITE_CAPABILITIES=1` to write the table instead.
#[test]
fn the_readme_says_what_the_suite_proves() {
    let page = read("README.md");
    let start = page.find(FIRST).expect("README.md has the table") + 1;
    let end = start + page[start..].find("\n\n").expect("an empty line follows it") + 1;
    let table = table();
    if std::env::var_os("WRITE_CAPABILITIES").is_some() {
        let page = format!("{}{table}{}", &page[..start], &page[end..]);
        fs::write(root("README.md"), page).expect("README.md can be written");
        return;
    }
    assert_eq!(page[start..end], table, "not what the suite proves; write it with WRITE_CAPABILITIES=1");
}
