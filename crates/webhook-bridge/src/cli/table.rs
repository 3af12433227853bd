//! Answers as people read them: tables, and records of one thing. Colours only on a terminal.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use serde_json::Value;

/// The list of an answer, a line each: a heading for each column, and what it shows.
pub(super) type Column = (&'static str, fn(&Value) -> String);

/// A table of what is in a list; a word instead of one that is empty.
pub(super) fn table(list: &Value, columns: &[Column]) -> String {
    let rows = list.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        return "none\n".to_owned();
    }
    let cells = |row: &Value| columns.iter().map(|(_, show)| show(row)).collect::<Vec<_>>();
    let rows: Vec<_> = rows.iter().map(cells).collect();
    let head: Vec<_> = columns.iter().map(|(head, _)| (*head).to_owned()).collect();
    let width = |at: usize| rows.iter().chain([&head]).map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns.len()).map(width).collect();
    let colours = colours();
    let mut text = line(&head, &widths, |_| if colours { "1" } else { "" });
    for row in &rows {
        text += &line(row, &widths, |cell| if colours { colour(cell) } else { "" });
    }
    text
}

/// A line for each field of an object, the named ones first.
pub(super) fn record(object: &Value, first: &[&str]) -> String {
    let Some(fields) = object.as_object() else { return format!("{object}\n") };
    let rest = fields.keys().map(String::as_str).filter(|name| !first.contains(name));
    let names: Vec<_> = first.iter().copied().filter(|name| fields.contains_key(*name)).chain(rest).collect();
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for name in names {
        let _ = writeln!(text, "{name:width$}  {}", plain(&fields[name]));
    }
    text
}

/// A value in a cell: a text as it is, a list with commas.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => one_line(text),
        Value::Null => "-".to_owned(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Where the next page begins.
pub(super) fn next(answer: &Value) -> String {
    answer["next"].as_str().map_or_else(String::new, |next| format!("more: --cursor {next}\n"))
}

/// What others wrote must not move the cursor or colour the screen.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect()
}

fn line<'a>(cells: &[String], widths: &[usize], colour: impl Fn(&str) -> &'a str) -> String {
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        let gap = " ".repeat(width + 2 - cell.chars().count());
        match colour(cell) {
            "" => text += cell,
            code => {
                let _ = write!(text, "\x1b[{code}m{cell}\x1b[0m");
            }
        }
        text += &gap;
    }
    format!("{}\n", text.trim_end())
}

/// The colour of a word that says how something stands.
fn colour(cell: &str) -> &'static str {
    match cell {
        "succeeded" | "enabled" => "32",
        "exhausted" | "expired" | "refused" | "cancelled" | "parked" | "failed" | "disabled" => "31",
        "pending" | "in_flight" | "waiting" | "paused" => "33",
        _ => "",
    }
}

/// How a word of a line looks.
#[derive(Clone, Copy)]
pub(super) enum Paint {
    Bold,
    Faint,
    Good,
    Alarm,
}

/// A word in a colour, on a terminal.
pub(super) fn paint(how: Paint, text: &str) -> String {
    let code = match how {
        Paint::Bold => "1",
        Paint::Faint => "2",
        Paint::Good => "32",
        Paint::Alarm => "31",
    };
    if colours() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

fn colours() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|text| !text.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_what_others_wrote_stays_on_its_line() {
        let list = json!([{ "a": "x", "b": "one\n\u{1b}[31mtwo" }, { "a": "longer", "b": ["1", 2] }]);
        let columns: &[Column] = &[("A", |row| plain(&row["a"])), ("B", |row| plain(&row["b"]))];
        assert_eq!(table(&list, columns), "A       B\nx       one  [31mtwo\nlonger  1, 2\n");
        assert_eq!(table(&json!([]), columns), "none\n");
    }

    #[test]
    fn a_record_has_what_matters_first() {
        let object = json!({ "a": 1, "id": "x", "long": { "b": null } });
        assert_eq!(record(&object, &["id", "absent"]), "id    x\na     1\nlong  {\"b\":null}\n");
    }
}
