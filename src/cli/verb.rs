//! What shall be done, where that is not to serve: `check` and `doctor`, as the very first word and nowhere else.
//!
//! A module of such a name is served as `indrik -- check` or `indrik check:application`.

use std::ffi::OsString;

use super::Stop;
use crate::exit;

/// What the first word asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// None did.
    Serve,
    /// Load the settings and the application.
    Check {
        /// Print every setting with its source.
        explains: bool,
    },
    /// Say what becomes here of settings that were made for Gunicorn.
    Doctor,
}

const CHECK_HELP: &str = "\
Loads the settings and the application, and says whether they can be served.

Usage: indrik check [--explain] [OPTIONS] [APP_MODULE]

  --explain  Print every setting with its value and its source
";

const DOCTOR_HELP: &str = "\
Says line by line what becomes here of settings that were made for Gunicorn: same, adapted, refused, no effect.
The exit code is 0 if the server runs with them.

Usage: indrik doctor [SETTINGS_FILE] [-- COMMAND LINE]

The command line is Gunicorn's, with or without the word gunicorn.
";

/// Takes the verb off `argv`, the program's name first. What is left is a command line that serves.
///
/// Errors: the text of `--help`; a second settings file.
pub(super) fn take(mut argv: Vec<OsString>) -> Result<(Verb, Vec<OsString>), Stop> {
    let wants_help = |argv: &[OsString]| argv.get(2).is_some_and(|word| word == "-h" || word == "--help");
    let help = |text: &str| Stop { text: text.to_owned(), code: exit::OK };
    match argv.get(1).and_then(|word| word.to_str()) {
        Some("check") => {
            if wants_help(&argv) {
                return Err(help(CHECK_HELP));
            }
            argv.remove(1);
            let before = argv.len();
            argv.retain(|word| word != "--explain");
            Ok((Verb::Check { explains: argv.len() < before }, argv))
        }
        Some("doctor") => {
            if wants_help(&argv) {
                return Err(help(DOCTOR_HELP));
            }
            doctor(argv).map(|argv| (Verb::Doctor, argv))
        }
        _ => Ok((Verb::Serve, argv)),
    }
}

fn doctor(argv: Vec<OsString>) -> Result<Vec<OsString>, Stop> {
    let mut words = argv.into_iter();
    let program: Vec<OsString> = words.by_ref().take(1).collect();
    let words: Vec<OsString> = words.skip(1).collect();
    let split = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let (files, line) = words.split_at(split);
    let mut line = line.iter().skip(1).peekable();
    let name = line.peek().and_then(|word| std::path::Path::new(word).file_name()?.to_str());
    if matches!(name, Some("gunicorn" | "indrik")) {
        line.next();
    }
    let mut made = program;
    match files {
        [] => {}
        [file] => made.extend(["--config".into(), file.clone()]),
        _ => {
            let text = "error: doctor takes one settings file; a command line stands behind `--`\n".to_owned();
            return Err(Stop { text, code: exit::USAGE });
        }
    }
    made.extend(line.cloned());
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, verb: Verb, rest: &str) {
        let argv = line.split(' ').map(OsString::from).collect();
        let rest: Vec<OsString> = rest.split(' ').map(OsString::from).collect();
        assert_eq!(take(argv), Ok((verb, rest)));
    }

    #[test]
    fn a_verb_is_the_very_first_word() {
        check("indrik check app", Verb::Check { explains: false }, "indrik app");
        check("indrik check --explain -w 2 app", Verb::Check { explains: true }, "indrik -w 2 app");
        check("indrik doctor", Verb::Doctor, "indrik");
        check("indrik doctor g.py -- gunicorn -w 2 app", Verb::Doctor, "indrik --config g.py -w 2 app");
        check("indrik doctor -- /usr/bin/gunicorn app", Verb::Doctor, "indrik app");
        check("indrik doctor -- -w 2 app", Verb::Doctor, "indrik -w 2 app");
        for line in ["indrik -- check", "indrik check:application", "indrik -w 2 doctor", "indrik"] {
            check(line, Verb::Serve, line);
        }
    }

    #[test]
    fn two_files_are_one_too_many() {
        let argv = ["indrik", "doctor", "a.py", "b.py"].map(OsString::from).to_vec();
        assert_eq!(take(argv).unwrap_err().code, exit::USAGE);
    }
}
