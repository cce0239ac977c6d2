//! The folder of connectors is built into the program: a new file there must be seen.

fn main() {
    println!("cargo:rerun-if-changed=../../connectors");
    println!("cargo:rerun-if-changed=build.rs");
}
