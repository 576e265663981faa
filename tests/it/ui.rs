//! The mistakes that beginners make get compile errors that name the cure.

#[test]
fn mistakes_in_a_setup_are_explained() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
