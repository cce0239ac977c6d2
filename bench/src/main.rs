//! Starts the benchmark; everything else is in the library beside it.

/// The floor shall not be slower than the program for a reason that is none.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    bench::run()
}
