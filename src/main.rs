//! The cargo binary: words in, exit code out. The interpreter is embedded; see `py/interpreter.rs`.

use indrik::cli::{self, Door};

#[allow(clippy::disallowed_methods)] // The one place that ends the process.
fn main() {
    let code = cli::run(std::env::args_os().collect(), Door::Binary);
    std::process::exit(code);
}
