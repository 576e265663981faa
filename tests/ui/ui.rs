//! The mistakes that beginners make get compile errors that name the cure.

#![cfg(test)] // lets clippy see that helpers, too, may `unwrap`

use std::process::Command;

/// The texts in `setups` are those of this compiler. Another one words its own part of them in another way.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn mistakes_in_a_setup_are_explained() {
    let version = Command::new("rustc").arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    if !version.starts_with(COMPILER) {
        println!("not compared: the texts are those of {COMPILER}x, and this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("setups/*.rs");
}
