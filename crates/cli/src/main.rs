//! Starts the program; everything else is in the library beside it, where tests reach it.

fn main() -> std::process::ExitCode {
    vestibule::run()
}
