//! README.md shows nothing that was not compiled and run: its Rust comes from the examples, its output too.

use std::fs;

const README: &str = include_str!("../../README.md");

#[test]
fn every_rust_block_is_part_of_an_example() {
    let folder = fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    let files = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let examples: Vec<String> = files.map(|path| fs::read_to_string(path).unwrap()).collect();
    let blocks = blocks("rust");
    assert!(!blocks.is_empty(), "README.md has Rust in it");
    for block in blocks {
        let wanted = lines(&block);
        let found =
            examples.iter().any(|example| lines(example).windows(wanted.len()).any(|part| part == wanted));
        assert!(found, "no example has this part of README.md:\n{block}");
    }
}

#[test]
fn the_quickstart_prints_what_the_page_says() {
    assert_eq!(blocks("text"), [include_str!("output/quickstart.txt")]);
}

/// What stands between the fences of a language.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let blocks = README.split(&fence).skip(1);
    blocks.filter_map(|rest| rest.split_once("```")).map(|(block, _)| block.to_owned()).collect()
}

/// The lines of a piece of code, without empty ones and however far they are indented.
fn lines(code: &str) -> Vec<&str> {
    code.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}
