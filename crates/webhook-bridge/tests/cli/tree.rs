//! The commands that there are, as the program itself lists them, and what all of them have.

use crate::rig::{program, run};

/// Each command that can be run: its words, and its help.
pub(crate) fn commands() -> Vec<(Vec<String>, String)> {
    below(&[])
}

fn below(words: &[String]) -> Vec<(Vec<String>, String)> {
    let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["-h"]).collect();
    let help = run(program(&arguments)).out;
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return vec![(words.to_vec(), help)] };
    let names = list.lines().take_while(|line| line.starts_with("  "));
    // What is further in goes on with the line above.
    let names =
        names.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    let names = names.filter(|name| *name != "help");
    let inner = names.flat_map(|name| below(&[words, &[name.to_owned()]].concat()));
    // What has others below it and works alone too.
    let alone = help.contains("[COMMAND]").then(|| (words.to_vec(), help.clone()));
    alone.into_iter().chain(inner).collect()
}

#[test]
fn every_command_prints_json_that_prints_anything_but_a_script() {
    let commands = commands();
    let words: Vec<_> = commands.iter().map(|(words, _)| words.join(" ")).collect();
    for one in ["serve", "dlq purge", "doctor", "doctor url", "keys create", "rewrap"] {
        assert!(words.iter().any(|words| words == one), "{one}: {words:?}");
    }
    for (words, help) in commands.iter().filter(|(words, _)| words[0] != "completions") {
        let flag = help.lines().any(|line| line.split_whitespace().next() == Some("--json"));
        assert!(flag, "{words:?}: {help}");
    }
}
