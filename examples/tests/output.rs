//! Each example ends by itself and prints what `output/` says.

use std::process::Command;

macro_rules! examples {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                let program = env!(concat!("CARGO_BIN_EXE_", stringify!($name)));
                prints(program, include_str!(concat!("output/", stringify!($name), ".txt")));
            }
        )*

        #[test]
        fn every_example_is_checked() {
            let manifest = include_str!("../Cargo.toml");
            let checked = [$(concat!("name = \"", stringify!($name), "\"\npath")),*];
            assert_eq!(manifest.matches("[[bin]]").count(), checked.len());
            for name in checked {
                assert!(manifest.contains(name), "{name} is no example");
            }
        }
    };
}

examples! {
    quickstart typed pattern_match order_under_failure dead_letters own_event_type custom_transport testing
    two_processes webhook_loop
}

fn prints(program: &str, expected: &str) {
    let output = Command::new(program).output().expect("the example starts");
    let (printed, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} failed: {errors}");
    assert_eq!(printed, expected);
}
