//! Common mistakes in a setup get compile errors that name the fix.

#![cfg(test)] // lets clippy see that helpers, too, may `unwrap`

use std::process::Command;

/// The `.stderr` files in `setups` have the messages of this compiler. Other versions word their own part differently.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn mistakes_in_a_setup_are_explained() {
    let version = Command::new("rustc").arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    if !version.starts_with(COMPILER) {
        println!("not compared: the expected messages are those of {COMPILER}x, and this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("setups/*.rs");
}
