//! Starts the benchmark; everything else is in the library beside it.

fn main() -> anyhow::Result<()> {
    bench::run()
}
