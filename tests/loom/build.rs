//! Sets the cfg that builds the library for loom. See its `src/sync.rs`.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(tower_request_context_loom)");
    println!("cargo::rustc-cfg=tower_request_context_loom");
}
