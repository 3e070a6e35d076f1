//! The ready format `json`: one object per line, always the same keys, in the same order.

use std::io::Write;

use super::entry::Entry;
use crate::logging::clock::Stamp;
use crate::logging::escape;

/// Appends one object and a line end. `time` is RFC 3339 with offset, `bytes` is the length of the body, `duration_us`
/// is in microseconds; a status or field that is missing is `null`.
pub(super) fn write(entry: &dyn Entry, now: &Stamp, line: &mut Vec<u8>) {
    line.extend_from_slice(br#"{"time":""#);
    line.extend_from_slice(now.rfc3339().as_bytes());
    line.push(b'"');
    text(line, "remote_addr", Some(entry.remote_addr()));
    request(line, entry);
    text(line, "method", Some(entry.method()));
    text(line, "path", Some(&entry.path()));
    text(line, "query", Some(entry.query()));
    text(line, "protocol", Some(entry.protocol()));
    number(line, "status", entry.status().map(u128::from));
    number(line, "bytes", Some(u128::from(entry.body_len())));
    number(line, "duration_us", Some(entry.duration().as_micros()));
    text(line, "referer", entry.request_field("referer"));
    text(line, "user_agent", entry.request_field("user-agent"));
    line.extend_from_slice(b"}\n");
}

fn request(line: &mut Vec<u8>, entry: &dyn Entry) {
    if entry.method().is_empty() {
        return text(line, "request", None);
    }
    text(line, "request", Some(entry.method()));
    // Opens the string again for the two other words.
    line.pop();
    for word in [entry.target(), entry.protocol()] {
        line.push(b' ');
        escape::json(word, line);
    }
    line.push(b'"');
}

fn text(line: &mut Vec<u8>, key: &str, value: Option<&[u8]>) {
    push_key(line, key);
    match value {
        Some(value) => {
            line.push(b'"');
            escape::json(value, line);
            line.push(b'"');
        }
        None => line.extend_from_slice(b"null"),
    }
}

fn number(line: &mut Vec<u8>, key: &str, value: Option<u128>) {
    push_key(line, key);
    // Writing to a Vec cannot fail.
    let _ = match value {
        Some(value) => write!(line, "{value}"),
        None => write!(line, "null"),
    };
}

fn push_key(line: &mut Vec<u8>, key: &str) {
    line.extend_from_slice(b",\"");
    line.extend_from_slice(key.as_bytes());
    line.extend_from_slice(b"\":");
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::super::entry::tests::Sample;
    use super::*;
    use crate::logging::clock::Clock;

    /// Everything behind the time, which depends on the machine's zone.
    #[track_caller]
    fn check(entry: &Sample, want: &str) {
        let mut clock = Clock::new();
        let now = clock.at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_357_120));
        let mut line = Vec::new();
        write(entry, now, &mut line);
        let line = String::from_utf8(line).expect("valid UTF-8");
        let head = format!(r#"{{"time":"{}","#, now.rfc3339());
        assert_eq!(line.strip_prefix(&head), Some(want));
    }

    #[test]
    fn an_exchange_is_one_object() {
        check(
            &Sample::new(),
            concat!(
                r#""remote_addr":"127.0.0.1","request":"GET /a%20b?q=1 HTTP/1.1","method":"GET","path":"/a b","#,
                r#""query":"q=1","protocol":"HTTP/1.1","status":200,"bytes":12,"duration_us":1250042,"#,
                r#""referer":null,"user_agent":"curl/8"}"#,
                "\n"
            ),
        );
    }

    #[test]
    fn what_is_missing_is_null_and_what_is_hostile_is_escaped() {
        let mut entry = Sample::with_field("referer", b"\"}\n{\xff");
        entry.method.clear();
        entry.status = None;
        check(
            &entry,
            concat!(
                r#""remote_addr":"127.0.0.1","request":null,"method":"","path":"/a b","#,
                r#""query":"q=1","protocol":"HTTP/1.1","status":null,"bytes":12,"duration_us":1250042,"#,
                r#""referer":"\"}\u000a{\u00ff","user_agent":"curl/8"}"#,
                "\n"
            ),
        );
    }
}
