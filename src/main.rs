//! The `gate` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    promptgate::cli::main()
}
