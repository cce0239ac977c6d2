//! Starts the program; everything else is in the library beside it, where tests reach it.

/// A request makes and frees hundreds of small pieces of memory, which was a sixth of a landing's processor time with
/// the system's allocator. This one keeps no huge pages, so that an idle process stays small.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    vestibule::run()
}
