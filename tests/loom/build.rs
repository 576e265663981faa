//! Builds the library for models: see its `src/sync.rs`.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(tower_request_context_loom)");
    println!("cargo::rustc-cfg=tower_request_context_loom");
}
