//! The `postilion` binary: the server with the libraries that come with it.

use std::process::ExitCode;

fn main() -> ExitCode {
    postilion::main_with(Vec::new())
}
