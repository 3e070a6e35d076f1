//! The setting `access_log_format`, compiled: Python's `%(atom)s` text becomes a list of pieces to copy.
//!
//! Knows the syntax; `atom` knows the values. A format that cannot work is refused at start; Gunicorn finds out at
//! each request.

use std::fmt;
use std::mem;

use super::atom::Atom;
use super::entry::Entry;
use super::json;
use crate::logging::clock::Stamp;

/// A compiled format.
#[derive(Clone, Debug)]
pub struct Format {
    layout: Layout,
    variables: Vec<String>,
}

impl Format {
    /// Compiles `text`, a %-format with Gunicorn's atoms, or the word `json`.
    ///
    /// Beside Gunicorn's there are `%(c)s`, the client after trusted proxies, and `%(Q)s`, the queue time in
    /// microseconds. An atom that nobody knows shows as `-`, as in Gunicorn.
    ///
    /// Errors: [`FormatError`], with the place.
    pub fn parse(text: &str) -> Result<Format, FormatError> {
        if text == "json" {
            return Ok(Format { layout: Layout::Json, variables: Vec::new() });
        }
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            literal.push_str(&rest[..at]);
            let conversion = &rest[at..];
            if let Some(after) = conversion.strip_prefix("%%") {
                literal.push('%');
                rest = after;
                continue;
            }
            let (name, after) = split_conversion(conversion)?;
            if !literal.is_empty() {
                pieces.push(Piece::Text(mem::take(&mut literal)));
            }
            pieces.push(Piece::Atom(Atom::named(name)));
            rest = after;
        }
        literal.push_str(rest);
        literal.push('\n');
        pieces.push(Piece::Text(literal));
        Ok(Format { variables: variables(&pieces), layout: Layout::Pieces(pieces) })
    }

    /// Names of the environ variables that the format shows, each once, as the operator wrote them.
    ///
    /// A worker keeps these of each environ; compare without regard to case.
    pub fn variables(&self) -> &[String] {
        &self.variables
    }

    /// Does the format show fields of answers? A worker keeps these only then.
    pub fn shows_response_fields(&self) -> bool {
        match &self.layout {
            Layout::Json => false,
            Layout::Pieces(pieces) => pieces.iter().any(|piece| matches!(piece, Piece::Atom(Atom::ResponseField(_)))),
        }
    }

    /// Appends one whole line, its end included.
    pub fn write(&self, entry: &dyn Entry, now: &Stamp, line: &mut Vec<u8>) {
        match &self.layout {
            Layout::Json => json::write(entry, now, line),
            Layout::Pieces(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => line.extend_from_slice(text.as_bytes()),
                        Piece::Atom(atom) => atom.write(entry, now, line),
                    }
                }
            }
        }
    }
}

/// Why a format is refused; each variant holds the offending piece of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatError {
    /// A `%` that starts neither `%(atom)s` nor `%%`.
    BarePercent(String),
    /// `%(` without its `)`.
    Unclosed(String),
    /// No conversion, or another one than a plain `s`, `d`, `i`, `u`, `r` or `a`.
    Conversion(String),
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormatError::BarePercent(piece) => write!(
                f,
                "cannot use \"{piece}\" in the access log format: write %% for a percent sign, %(name)s for a value"
            ),
            FormatError::Unclosed(piece) => {
                write!(f, "cannot use \"{piece}\" in the access log format: its parenthesis is not closed")
            }
            FormatError::Conversion(piece) => write!(
                f,
                "cannot use \"{piece}\" in the access log format: a value ends in )s or )d, without width or flags"
            ),
        }
    }
}

impl std::error::Error for FormatError {}

#[derive(Clone, Debug)]
enum Layout {
    Json,
    Pieces(Vec<Piece>),
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Atom(Atom),
}

/// Splits `%(name)s…` into the name and what follows. Parentheses inside the name are counted, as Python does.
fn split_conversion(text: &str) -> Result<(&str, &str), FormatError> {
    let Some(inside) = text.strip_prefix("%(") else {
        return Err(FormatError::BarePercent(text.chars().take(2).collect()));
    };
    let mut depth = 1;
    let end = inside.find(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    let Some(end) = end else {
        return Err(FormatError::Unclosed(text.chars().take(20).collect()));
    };
    let (name, after) = (&inside[..end], &inside[end + 1..]);
    match after.strip_prefix(['s', 'd', 'i', 'u', 'r', 'a']) {
        Some(rest) => Ok((name, rest)),
        None => {
            // Up to the letter that would be the conversion: `%(s)-5s`.
            let letter = after.find(|c: char| c.is_alphabetic() || c.is_whitespace());
            let behind: String = after[letter.unwrap_or(0)..].chars().take(1).collect();
            let flags = &after[..letter.unwrap_or(0)];
            let piece = format!("%({name}){flags}{behind}");
            Err(FormatError::Conversion(piece.trim_end().to_owned()))
        }
    }
}

fn variables(pieces: &[Piece]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for piece in pieces {
        if let Piece::Atom(Atom::Variable(name)) = piece
            && !names.contains(name)
        {
            names.push(name.clone());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::process;
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;

    use super::super::entry::tests::Sample;
    use super::*;
    use crate::logging::clock::Clock;

    const DEFAULT: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s""#;

    const EVERYTHING: &str = "%(h)s %(c)s %(l)s %(u)s %(t)s %(r)s %(m)s %(U)s %(q)s %(H)s %(s)s %(B)s %(b)s %(f)s \
        %(a)s %(T)s %(M)s %(D)s %(L)s %(Q)s %(p)s %({x}i)s %({x}o)s %({x}e)s %(z)s";

    fn write(format: &str, entry: &Sample) -> Vec<u8> {
        let format = Format::parse(format).expect("a format");
        let mut clock = Clock::new();
        let now = clock.at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_357_120));
        let mut line = Vec::new();
        format.write(entry, now, &mut line);
        line
    }

    /// `format` over `entry` must give the line `want`.
    #[track_caller]
    fn check_entry(format: &str, entry: &Sample, want: &str) {
        let line = write(format, entry);
        assert_eq!(String::from_utf8_lossy(&line), format!("{want}\n"));
    }

    #[track_caller]
    fn check(format: &str, want: &str) {
        check_entry(format, &Sample::new(), want);
    }

    #[test]
    fn the_default_format_is_the_line_of_gunicorn() {
        let mut clock = Clock::new();
        let now = clock.at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_357_120));
        let time = now.common();
        let line = format!(r#"127.0.0.1 - - {time} "GET /a%20b?q=1 HTTP/1.1" 200 12 "-" "curl/8""#);
        check(DEFAULT, &line);
    }

    #[test]
    fn fields_of_answers_are_kept_only_where_they_are_shown() {
        let shows = |text| Format::parse(text).expect("a format").shows_response_fields();
        assert_eq!(
            [DEFAULT, "json", "%({x}i)s", "%({x}o)s", "a%({X}O)s"].map(shows),
            [false, false, false, true, true]
        );
    }

    #[test]
    fn numbers_have_all_their_digits() {
        for number in [0, 7, 10, 4096, 1_000_000_007, u64::MAX] {
            let mut sample = Sample::new();
            sample.body_len = number;
            check_entry("%(B)s", &sample, &number.to_string());
        }
    }

    #[test]
    fn every_atom_shows_its_value() {
        check("", "");
        check("no atoms, 100%%", "no atoms, 100%");
        check("%(h)s %(c)s %(l)s", "127.0.0.1 127.0.0.1 -");
        check("%(m)s|%(U)s|%(q)s|%(H)s", "GET|/a b|q=1|HTTP/1.1");
        check("%(s)s %(B)s %(b)s", "200 12 12");
        check("%(T)s %(M)s %(D)s %(L)s", "1 1250 1250042 1.250042");
        check("%(s)d%(D)i%(T)u%(m)r%(H)a", "20012500421GETHTTP/1.1");
        check("%({User-Agent}i)s", "curl/8");
        check("%({X-Missing}i)s", "-");
        check("%({Content-Type}o)s %({content-type}O)s", "text/plain text/plain");
        check("%({WSGI.url_scheme}e)s %({x}e)s", "http -");
        check("%(foo)s %()s %({x}z)s %({x)s %(a(b)c)s", "- - - - -");
        check("%(Q)s", "-");
        check("%(p)s", &format!("<{}>", process::id()));
        check("é%(m)s漢", "éGET漢");
    }

    #[test]
    fn what_is_missing_is_a_dash() {
        let mut entry = Sample::new();
        entry.remote_addr.clear();
        entry.method.clear();
        entry.query.clear();
        entry.status = None;
        entry.body_len = 0;
        entry.request_fields.clear();
        check_entry("%(h)s %(r)s %(m)s %(s)s %(f)s %(a)s %(u)s", &entry, "- - - - - - -");
        check_entry("%(B)s %(b)s [%(q)s]", &entry, "0 0 []");
    }

    #[test]
    fn durations_do_not_wrap_after_a_day() {
        let mut entry = Sample::new();
        entry.duration = Duration::from_micros(90_000_000_007);
        entry.queue_time = Some(Duration::from_millis(3));
        let want = "90000 90000000 90000000007 90000.000007 3000";
        check_entry("%(T)s %(M)s %(D)s %(L)s %(Q)s", &entry, want);
    }

    #[test]
    fn the_last_of_several_fields_counts() {
        let entry = Sample::with_field("user-agent", b"second");
        check_entry("%(a)s", &entry, "second");
    }

    #[test]
    fn no_value_can_forge_a_line() {
        let user = Sample::with_field("authorization", b"Basic YSJcCmI6eA==");
        check_entry("%(u)s", &user, r#"a\"\\\x0ab"#);
        let mut entry = Sample::new();
        entry.path = b"/\n6.6.6.6 /admin 200".to_vec();
        check_entry("%(U)s", &entry, r"/\x0a6.6.6.6 /admin 200");
        entry.target = b"/\"\x1b\x85".to_vec();
        check_entry("%(r)s", &entry, r#"GET /\"\x1b\x85 HTTP/1.1"#);
        entry.variables = vec![("x", b"1\r\n2".to_vec())];
        check_entry("%({X}e)s", &entry, r"1\x0d\x0a2");
    }

    #[track_caller]
    fn refuse(format: &str, want: FormatError) {
        let error = Format::parse(format).expect_err("refused");
        assert_eq!(error, want);
        assert!(error.to_string().starts_with("cannot use"));
    }

    #[test]
    fn a_format_that_cannot_work_is_refused_with_its_place() {
        refuse("a %", FormatError::BarePercent("%".into()));
        refuse("%s", FormatError::BarePercent("%s".into()));
        refuse("%é", FormatError::BarePercent("%é".into()));
        refuse("x %(h", FormatError::Unclosed("%(h".into()));
        refuse("%(a(b)s", FormatError::Unclosed("%(a(b)s".into()));
        refuse("%(s)-5s %(h)s", FormatError::Conversion("%(s)-5s".into()));
        refuse("%(D)06d", FormatError::Conversion("%(D)06d".into()));
        refuse("%(h) %(s)s", FormatError::Conversion("%(h)".into()));
        refuse("%(h)", FormatError::Conversion("%(h)".into()));
        refuse("%(h)x", FormatError::Conversion("%(h)x".into()));
        refuse("%(h)é", FormatError::Conversion("%(h)é".into()));
    }

    #[test]
    fn the_variables_of_a_format_are_listed_once() {
        let format = Format::parse("%({B}e)s %({a}i)s %({c.d}e)s %({B}e)s").expect("a format");
        assert_eq!(format.variables(), ["B", "c.d"]);
        assert!(Format::parse("json").expect("a format").variables().is_empty());
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let bytes = proptest::collection::vec(any::<u8>(), 0..40);
        let words = any::<String>().prop_map(String::into_bytes);
        let forged = Just(b"\"\n1.2.3.4 - - \"GET / HTTP/1.1\" 200\\".to_vec());
        prop_oneof![bytes, words, forged]
    }

    /// Splits an object of strings, numbers and nulls into its keys; `None` when it is not one.
    fn keys(line: &str) -> Option<Vec<String>> {
        let mut rest = line.strip_prefix('{')?.strip_suffix("}\n")?;
        let mut keys = Vec::new();
        loop {
            let (key, after) = split_string(rest)?;
            keys.push(key.to_owned());
            rest = after.strip_prefix(':')?;
            rest = match split_string(rest) {
                Some((_, after)) => after,
                None => rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric()),
            };
            if rest.is_empty() {
                return Some(keys);
            }
            rest = rest.strip_prefix(',')?;
        }
    }

    fn split_string(text: &str) -> Option<(&str, &str)> {
        let inside = text.strip_prefix('"')?;
        let mut is_escaped = false;
        let end = inside.find(|c| {
            let ends = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            ends
        })?;
        Some((&inside[..end], &inside[end + 1..]))
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_value_give_one_line(
            texts in proptest::collection::vec(text(), 10),
            status in proptest::option::of(any::<u16>()),
            body_len: u64,
            duration: Duration,
        ) {
            let entry = Sample {
                remote_addr: texts[0].clone(),
                method: texts[1].clone(),
                target: texts[2].clone(),
                path: texts[3].clone(),
                query: texts[4].clone(),
                protocol: texts[5].clone(),
                status,
                body_len,
                duration,
                queue_time: Some(duration),
                request_fields: vec![
                    ("x", texts[6].clone()),
                    ("user-agent", texts[7].clone()),
                    ("referer", texts[8].clone()),
                    ("authorization", [b"Basic ", texts[9].as_slice()].concat()),
                ],
                response_fields: vec![("x", texts[8].clone())],
                variables: vec![("x", texts[9].clone())],
            };
            for format in [DEFAULT, EVERYTHING, "json"] {
                let line = write(format, &entry);
                let line = std::str::from_utf8(&line).expect("valid UTF-8");
                let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
                prop_assert_eq!(line.find(breaks), Some(line.len() - 1));
                prop_assert!(line.ends_with('\n'));
                if format == "json" {
                    prop_assert_eq!(keys(line).map(|keys| keys.len()), Some(12));
                }
            }
        }

        #[test]
        fn any_format_is_compiled_or_refused(format in "(\\PC|%\\([a-z{}()]{0,4}\\)?[sd-]?|%){0,8}") {
            if let Ok(format) = Format::parse(&format) {
                let mut line = Vec::new();
                format.write(&Sample::new(), Clock::new().at(SystemTime::UNIX_EPOCH), &mut line);
                prop_assert!(line.ends_with(b"\n"));
            }
        }
    }
}
