//! The command line: words in, an exit code out. Both doors of the program enter here.
//!
//! Reads the options of the command line and of `INDRIK_CMD_ARGS` or `GUNICORN_CMD_ARGS` into the layers of settings and
//! hands them to the server. Does not know what a setting means, and does not run the settings file.

mod command;
mod given;
mod verb;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};

use crate::config::{Error, Layers, Raw, Source, Value};
use crate::exit;
pub use crate::server::Door;
use crate::server::{self, Invocation};
use verb::Verb;

/// Environment variables that hold options; the first that is set counts.
const ARGS_VARIABLES: [&str; 2] = ["INDRIK_CMD_ARGS", "GUNICORN_CMD_ARGS"];

/// Reads the command line and serves.
///
/// `argv`: the program first, then its words. Returns the exit code of the process, one of [`exit`].
///
/// Source: Gunicorn's command line, which is Python's argparse.
pub fn run(argv: Vec<OsString>, door: Door) -> i32 {
    let lookup = |name: &str| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let (verb, argv) = match verb::take(argv) {
        Ok(taken) => taken,
        Err(stop) => return stop.tell(),
    };
    match invocation(argv, door, &lookup) {
        Ok(invocation) => match verb {
            Verb::Serve => server::serve(invocation),
            Verb::Check { explains } => server::check(invocation, explains),
            Verb::Doctor => server::doctor(invocation),
        },
        Err(stop) => stop.tell(),
    }
}

/// Serves the application of a program that has set the settings itself: no command line is read.
///
/// `argv`: the words of that program. Returns as [`run`] does.
pub fn run_embedded(argv: Vec<OsString>, door: Door) -> i32 {
    let lookup = |name: &str| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let layers = match Layers::environment_from(lookup) {
        Ok(environment) => Layers { environment, ..Layers::default() },
        Err(error) => return Stop::from(error).tell(),
    };
    let program =
        argv.first().map_or_else(|| command::NAME.to_owned(), |program| program.to_string_lossy().into_owned());
    server::serve(Invocation { door, layers, python: None, program, argv })
}

/// Everything that was typed, from `argv` and from the environment.
fn invocation(argv: Vec<OsString>, door: Door, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Invocation, Stop> {
    let typed = command::parse(&door, argv.iter().skip(1).cloned().collect())?;
    let mut command_line = given::options(&typed, |flag| Source::Flag { flag });
    if let Some(application) = given::application(&typed) {
        let source = Source::Flag { flag: command::APPLICATION.to_owned() };
        command_line.push("wsgi_app", Value::Str(application), source);
    }
    let mut python = given::python(&typed);
    let mut args_variable = Raw::new();
    if let Some((variable, words)) = variable_words(lookup)? {
        // Positional words in it name no application, as in Gunicorn.
        let typed = command::parse(&door, words).map_err(|stop| stop.naming(variable))?;
        let source = |flag| Source::ArgsVariable { variable: variable.to_owned(), flag };
        args_variable = given::options(&typed, source);
        python = python.or_else(|| given::python(&typed));
    }
    let environment = Layers::environment_from(lookup)?;
    let layers = Layers { environment, file: Raw::new(), args_variable, command_line };
    let program = argv.first().map(|program| program.to_string_lossy().into_owned());
    let program = program.unwrap_or_else(|| command::NAME.to_owned());
    Ok(Invocation { door, layers, python, program, argv })
}

/// The words of the environment variable that holds options, with its name.
fn variable_words(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Option<(&'static str, Vec<OsString>)>, Stop> {
    let set = ARGS_VARIABLES.into_iter().find_map(|variable| Some((variable, lookup(variable)?)));
    let Some((variable, text)) = set else {
        return Ok(None);
    };
    // To a shell `#` begins a comment, to Python's `shlex.split` it does not. A NUL, which no
    // environment variable can hold, takes its place meanwhile.
    let Some(words) = shlex::split(&text.replace('#', "\0")) else {
        let text = format!("Error: cannot split ${variable} into words: a quote is not closed\n");
        return Err(Stop { text, code: exit::CONFIG });
    };
    let words = words.iter().map(|word| word.replace('\0', "#").into()).collect();
    Ok(Some((variable, words)))
}

/// The program ends before it has begun.
#[derive(Debug, PartialEq)]
struct Stop {
    /// Whole lines.
    text: String,
    code: i32,
}

impl Stop {
    /// Writes the text, to standard output if all is well, and returns the exit code. A reader that has gone away, as
    /// in `--help | head`, changes nothing.
    fn tell(self) -> i32 {
        let text = self.text.as_bytes();
        // Where nobody listens there is nobody to tell of it.
        let _ = match self.code {
            exit::OK => io::stdout().write_all(text).and_then(|()| io::stdout().flush()),
            _ => io::stderr().write_all(text),
        };
        self.code
    }

    /// Says which environment variable the words came from.
    fn naming(mut self, variable: &str) -> Self {
        if self.code != exit::OK {
            self.text.push_str(&format!("hint: the options come from ${variable}\n"));
        }
        self
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop { text: format!("Error: {error}\n"), code: exit::CONFIG }
    }
}

#[cfg(test)]
mod tests;
