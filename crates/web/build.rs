//! The published description of `sso.v1`, compiled, for gRPC and its reflection: no compiler of its own is needed.

use prost::Message as _;
use std::path::PathBuf;

const FOLDER: &str = "../../sdk/proto";
const FILE: &str = "sso/v1/sso.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={FOLDER}");
    println!("cargo:rerun-if-changed=build.rs");
    let described = protox::compile([FILE], [FOLDER])?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    std::fs::write(out.join("sso.v1.bin"), described.encode_to_vec())?;
    Ok(())
}
