//! The environ dictionary of a request. Source: PEP 3333, environ variables; RFC 3875 for what they mean.
//!
//! A copy of a template with what is the same for the worker (and, from a connection's second request on, for the
//! connection), plus the request's own entries. Nothing of `os.environ` gets in.

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::errors::ErrorStream;
use super::file_wrapper::FileWrapper;
use super::input::Input;
use super::socket::Sockets;
use super::start_response::Responder;
use super::{Server, Tools, Wsgi, fields, strings};
use crate::app::{self, Exchange, Origin};
use crate::http::{self, Head};

/// Entries that are the same for every request of a worker.
#[derive(Debug)]
pub(super) struct Template {
    entries: Py<PyDict>,
    sockets: Sockets,
    script_name: String,
}

/// A request that gets no environ.
pub(super) enum Unfit {
    /// It is answered with this status.
    Status(u16),
    /// Something raised.
    Raised(PyErr),
}

impl From<PyErr> for Unfit {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

impl Template {
    pub(super) fn new(py: Python<'_>, server: &Server) -> PyResult<Self> {
        let entries = PyDict::new(py);
        entries.set_item("wsgi.version", PyTuple::new(py, [1, 0])?)?;
        entries.set_item("wsgi.url_scheme", "http")?;
        entries.set_item("wsgi.errors", Bound::new(py, ErrorStream)?)?;
        entries.set_item("wsgi.multithread", server.is_multithread)?;
        entries.set_item("wsgi.multiprocess", server.is_multiprocess)?;
        entries.set_item("wsgi.run_once", false)?;
        entries.set_item("wsgi.file_wrapper", py.get_type::<FileWrapper>())?;
        entries.set_item("wsgi.input_terminated", true)?;
        entries.set_item("SERVER_SOFTWARE", &server.software)?;
        entries.set_item("SCRIPT_NAME", &server.script_name)?;
        entries.set_item(intern!(py, "SERVER_PROTOCOL"), intern!(py, "HTTP/1.1"))?;
        entries.set_item(intern!(py, "QUERY_STRING"), "")?;
        // Of every request, and set for each: with these the copy has room for the fields of most requests, and a table
        // that grows is built anew.
        for key in
            ["REQUEST_METHOD", "PATH_INFO", "RAW_URI", "REQUEST_URI", "wsgi.early_hints", "indrik.client_disconnected"]
        {
            entries.set_item(PyString::intern(py, key), py.None())?;
        }
        // Of requests without a body: it has no state, so one serves all.
        entries.set_item("wsgi.input", Bound::new(py, Input::empty())?)?;
        let sockets = Sockets::new(py)?;
        Ok(Self { entries: entries.unbind(), sockets, script_name: server.script_name.clone() })
    }
}

/// Builds the environ of the request that `exchange` has read, and takes its body.
pub(super) fn build<'py>(
    py: Python<'py>,
    wsgi: &Wsgi,
    tools: &mut Tools,
    exchange: &mut dyn Exchange<Wsgi>,
    responder: &Responder,
) -> Result<Bound<'py, PyDict>, Unfit> {
    let number = exchange.number();
    let input = Input::of(py, exchange.take_body(), &responder.state)?;
    let client = exchange.client();
    let (head, origin, memory) = exchange.request();
    let environ = match &memory.template {
        Some(entries) => entries.bind(py).copy()?,
        None => {
            let environ = wsgi.template.entries.bind(py).copy()?;
            add_connection(&environ, origin)?;
            environ.set_item(intern!(py, "gunicorn.socket"), wsgi.template.sockets.socket(py, memory)?)?;
            // Not at the first request: connections that bring only one would pay for a copy that nobody uses.
            if number > 1 {
                memory.template = Some(environ.copy()?.unbind());
            }
            environ
        }
    };
    responder.hints.add_to(&environ)?;
    if let Some(client) = client {
        add_client(&environ, client)?;
    }
    if let Some(input) = input {
        environ.set_item(intern!(py, "wsgi.input"), input)?;
    }
    let script_name = add_fields(&environ, head, tools)?;
    add_request(&environ, head, script_name.as_deref().unwrap_or(&wsgi.template.script_name))?;
    if let app::Server::Unix { path } = &*origin.server {
        add_server_of_host(&environ, head, path)?;
    }
    Ok(environ)
}

fn add_connection(environ: &Bound<'_, PyDict>, origin: &Origin) -> PyResult<()> {
    let py = environ.py();
    match origin.client() {
        Some(client) => {
            environ.set_item(intern!(py, "REMOTE_ADDR"), client.ip().to_string())?;
            environ.set_item(intern!(py, "REMOTE_PORT"), client.port().to_string())?;
        }
        None => environ.set_item(intern!(py, "REMOTE_ADDR"), intern!(py, ""))?,
    }
    if let Some(proxied) = &origin.proxied {
        environ.set_item("PROXY_PROTOCOL", proxied.protocol)?;
        if let Some((_, destination)) = proxied.addresses {
            environ.set_item("PROXY_ADDR", destination.ip().to_string())?;
            environ.set_item("PROXY_PORT", destination.port().to_string())?;
        }
    }
    if let app::Server::Tcp { name, port } = &*origin.server {
        environ.set_item(intern!(py, "SERVER_NAME"), name)?;
        environ.set_item(intern!(py, "SERVER_PORT"), port.to_string())?;
    }
    Ok(())
}

/// The client that a trusted proxy names takes the place of the connection's peer.
fn add_client(environ: &Bound<'_, PyDict>, client: app::Client) -> PyResult<()> {
    let py = environ.py();
    environ.set_item(intern!(py, "REMOTE_ADDR"), client.address.to_string())?;
    match client.port {
        Some(port) => environ.set_item(intern!(py, "REMOTE_PORT"), port.to_string()),
        // The port that is known is the proxy's.
        None if environ.contains(intern!(py, "REMOTE_PORT"))? => environ.del_item(intern!(py, "REMOTE_PORT")),
        None => Ok(()),
    }
}

fn add_request(environ: &Bound<'_, PyDict>, head: Head<'_>, script_name: &str) -> Result<(), Unfit> {
    let py = environ.py();
    let method = match head.raw_method() {
        b"GET" => intern!(py, "GET").clone(),
        b"POST" => intern!(py, "POST").clone(),
        b"HEAD" => intern!(py, "HEAD").clone(),
        other => strings::native(py, other)?,
    };
    environ.set_item(intern!(py, "REQUEST_METHOD"), method)?;
    if head.version() == http::Version::Http10 {
        environ.set_item(intern!(py, "SERVER_PROTOCOL"), intern!(py, "HTTP/1.0"))?;
    }
    let target = strings::native(py, head.raw_target())?;
    let path = if script_name.is_empty() {
        head.raw_path()
    } else {
        // The raw path, since what is mounted may hold an escaped slash.
        let rest = head.raw_path().strip_prefix(script_name.as_bytes());
        // RFC 3875 §4.1.5: what is left is empty or begins with a slash; `/shopping` is not in `/shop`.
        rest.filter(|rest| rest.is_empty() || rest.starts_with(b"/") || script_name.ends_with('/')).ok_or_else(
            || {
                log::error!("request path {:?} does not start with SCRIPT_NAME {script_name:?}", head.path());
                Unfit::Status(500)
            },
        )?
    };
    let plain_target = path.len() == head.raw_target().len() && !path.contains(&b'%');
    let path_info = if plain_target { target.clone() } else { strings::native(py, &http::percent_decode(path))? };
    environ.set_item(intern!(py, "PATH_INFO"), path_info)?;
    if !head.raw_query().is_empty() {
        environ.set_item(intern!(py, "QUERY_STRING"), strings::native(py, head.raw_query())?)?;
    }
    environ.set_item(intern!(py, "RAW_URI"), &target)?;
    environ.set_item(intern!(py, "REQUEST_URI"), target)?;
    Ok(())
}

/// Adds the header fields; gives the SCRIPT_NAME that a trusted peer sent, if one did.
fn add_fields(environ: &Bound<'_, PyDict>, head: Head<'_>, tools: &mut Tools) -> Result<Option<String>, Unfit> {
    let py = environ.py();
    let mut script_name = None;
    for (name, sent) in head.raw_fields() {
        let slot = tools.fields.slot(py, name);
        if slot.is_script_name() && head.is_from_forwarder() {
            environ.set_item(intern!(py, "SCRIPT_NAME"), strings::native(py, sent)?)?;
            script_name = Some(String::from_utf8_lossy(sent).into_owned());
        }
        let value = slot.value(py, sent)?.clone();
        let key = slot.key(py);
        let before = environ.len();
        environ.set_item(key, value)?;
        // A dictionary that did not grow had the key already: a repeated field.
        if environ.len() == before {
            let key = key.clone();
            environ.set_item(key, joined(py, head, name)?)?;
        }
        slot.trim();
    }
    // The authority of an absolute-form target; a Host field beside it says the same, or the request was refused.
    if !head.raw_target().starts_with(b"/")
        && let Some(host) = head.host()
    {
        environ.set_item(intern!(py, "HTTP_HOST"), strings::native(py, host)?)?;
    }
    if head.is_secure() == Some(true) {
        environ.set_item(intern!(py, "wsgi.url_scheme"), intern!(py, "https"))?;
    }
    Ok(script_name)
}

/// All values of a repeated field, in order. Source: RFC 9110 §5.3; cookies are lists of another kind, RFC 6265 §5.4.
fn joined<'py>(py: Python<'py>, head: Head<'_>, name: &[u8]) -> PyResult<Bound<'py, PyString>> {
    let separator: &[u8] = if name.eq_ignore_ascii_case(b"cookie") { b"; " } else { b"," };
    // With `header_map` = dangerous two spellings share a key.
    let same = head.raw_fields().filter(|(other, _)| fields::is_same_key(other, name));
    let values: Vec<&[u8]> = same.map(|(_, value)| value).collect();
    strings::native(py, &values.join(separator))
}

/// A unix socket has no name and port; the client's Host stands in. Source: Gunicorn.
fn add_server_of_host(environ: &Bound<'_, PyDict>, head: Head<'_>, path: &str) -> PyResult<()> {
    let py = environ.py();
    let host = head.host().map(String::from_utf8_lossy).unwrap_or_default();
    let (name, port) = match host.rsplit_once(':') {
        // PEP 3333: neither may be empty.
        _ if host.is_empty() => (path, default_port(environ)?),
        Some((name, port)) if !port.ends_with(']') && !port.is_empty() => (name, port),
        Some((name, "")) => (name, default_port(environ)?),
        _ => (&*host, default_port(environ)?),
    };
    environ.set_item(intern!(py, "SERVER_NAME"), name)?;
    environ.set_item(intern!(py, "SERVER_PORT"), port)
}

fn default_port(environ: &Bound<'_, PyDict>) -> PyResult<&'static str> {
    let scheme = environ.get_item(intern!(environ.py(), "wsgi.url_scheme"))?;
    let scheme = scheme.ok_or_else(|| PyValueError::new_err("environ has no scheme"))?;
    Ok(if scheme.eq("https")? { "443" } else { "80" })
}
