//! Holds the house together: which room may use which, where outside crates live, and how a file begins.
//!
//! The tables below are the rule; the sources are read as text. A new arrow is a change to a table.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our rooms a room may use.
const ROOMS: &[(&str, &[&str])] = &[
    ("app", &["http"]),
    ("cli", &["config", "control", "exit", "logging", "server"]),
    ("config", &[]),
    ("exit", &[]),
    ("extension", &["cli", "py"]),
    ("http", &[]),
    ("ipc", &["sys"]),
    ("lib", &[]),
    ("logging", &[]),
    ("main", &["cli"]),
    ("master", &["config", "control", "exit", "ipc", "logging", "metrics", "net", "sys"]),
    ("net", &["sys"]),
    ("py", &["app", "config", "http", "logging", "sys"]),
    (
        "server",
        &[
            "app", "config", "control", "exit", "http", "ipc", "logging", "master", "metrics", "net", "py", "sys",
            "worker",
        ],
    ),
    ("sys", &[]),
    ("worker", &["app", "config", "exit", "http", "ipc", "logging", "metrics", "net", "sys"]),
];

/// In which rooms an outside crate may be named.
const CRATES: &[(&str, &[&str])] = &[
    ("clap", &["cli"]),
    ("env_logger", &["logging"]),
    ("httparse", &["http"]),
    ("ipnet", &["config"]),
    ("jiff", &["logging", "worker"]),
    ("libc", &["sys"]),
    ("mio", &["master", "net", "worker"]),
    ("nix", &["sys"]),
    ("pyo3", &["extension", "py"]),
    ("shlex", &["cli"]),
    ("signal_hook", &["sys"]),
    ("socket2", &["net"]),
    ("tempfile", &["sys"]),
];

/// Where `unsafe` may stand.
const UNSAFE: &[&str] = &["sys/", "py/fork.rs", "py/interpreter.rs", "py/wsgi/"];

/// A file longer than this has a second subject in it.
const MOST_LINES: usize = 700;

#[test]
fn rooms_use_only_the_rooms_they_may() {
    let mut wrong = Vec::new();
    for source in sources() {
        let room = source.room();
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{}: the room `{room}` is not in the table", source.name));
            continue;
        };
        for used in source.used_rooms() {
            if used != room && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: `{room}` may not use `{used}`", source.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn outside_crates_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (name, rooms) in CRATES {
            if source.names_crate(name) && !rooms.contains(&source.room().as_str()) {
                wrong.push(format!("{}: `{name}` lives in {}", source.name, rooms.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_dependency_is_in_the_table() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let listed: BTreeSet<String> = CRATES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut reason = false;
    for line in section.lines() {
        if line.starts_with('#') {
            reason = true;
        } else if let Some((name, _)) = line.split_once(" = ") {
            let name = name.replace('-', "_");
            assert!(reason, "{name} is there without a reason");
            assert!(name == "log" || listed.contains(&name), "{name} belongs to no room");
            reason = false;
        }
    }
}

#[test]
fn unsafe_stands_only_where_it_may() {
    for source in sources() {
        let allowed = UNSAFE.iter().any(|place| source.name.starts_with(place));
        let found = source.code().any(|line| line.contains("unsafe ") || line.contains("allow(unsafe_code)"));
        assert!(allowed || !found, "{}: unsafe outside of {UNSAFE:?}", source.name);
    }
}

#[test]
fn every_file_says_first_what_it_is_for() {
    for source in sources() {
        assert!(source.text.starts_with("//! "), "{} does not begin with `//!`", source.name);
        let lines = source.text.lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines: look for the second subject", source.name);
    }
}

#[test]
fn nothing_is_left_undone() {
    for source in sources() {
        for word in ["todo!(", "unimplemented!(", "dbg!(", "FIXME", "XXX", "TODO", "HACK"] {
            assert!(!source.text.contains(word), "{}: {word}", source.name);
        }
    }
}

/// One file below `src/`.
struct Source {
    /// Relative to `src/`.
    name: String,
    text: String,
}

impl Source {
    /// The folder, or the file, directly below `src/`.
    fn room(&self) -> String {
        let first = self.name.split('/').next().unwrap_or_default();
        first.trim_end_matches(".rs").to_owned()
    }

    /// Lines without comments and strings of documentation.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(|line| line.split("//").next().unwrap_or_default())
    }

    /// What stands behind `crate::`, also in grouped imports.
    fn used_rooms(&self) -> BTreeSet<String> {
        let code: String = self.code().collect::<Vec<_>>().join("\n");
        let mut used = BTreeSet::new();
        for part in code.split("crate::").skip(1) {
            match part.strip_prefix('{') {
                Some(group) => {
                    let group = group.split("};").next().unwrap_or_default();
                    used.extend(top_level(group).iter().filter_map(|item| word(item)));
                }
                None => used.extend(word(part)),
            }
        }
        used.retain(|name| ROOMS.iter().any(|(room, _)| room == name) || ["control", "metrics"].contains(&&**name));
        used
    }

    /// Is the crate named in a path or an import?
    fn names_crate(&self, name: &str) -> bool {
        let path = format!("{name}::");
        let import = format!("use {name};");
        self.code().any(|line| {
            let is_start = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            line.match_indices(&path).any(|(at, _)| is_start(at)) || line.trim().starts_with(&import)
        })
    }
}

/// The items of an import group, without what stands in braces of their own.
fn top_level(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut items = vec![String::new()];
    for letter in group.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            _ if depth == 0 => items.last_mut().expect("there is one").push(letter),
            _ => {}
        }
    }
    items
}

fn word(text: &str) -> Option<String> {
    let word: String = text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut found = Vec::new();
    collect(&src, &src, &mut found);
    assert!(found.len() > 20, "the sources were not found");
    found
}

fn collect(src: &Path, folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(src, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(src).unwrap().to_string_lossy().into_owned();
            found.push(Source { name, text: fs::read_to_string(&path).unwrap() });
        }
    }
}
