//! Which worker classes run here, and what to say of those that do not.
//!
//! Called by `resolve` with the value that counts.

use super::error::{Error, hint};
use super::meant::WorkerClass;
use super::raw::Source;
use super::suggest::closest;
use super::value::{FOREIGN_WORKER, Value, one_line};

/// The worker class that `value` names. A class object counts by its name; one of Gunicorn's own two classes may come
/// without its module.
///
/// Errors: [`Error::WorkerClass`], with the way out.
///
/// Source: Gunicorn's `worker_class`.
pub(super) fn worker_class(value: &Value, source: &Source) -> Result<WorkerClass, Error> {
    let (name, is_object) = match value {
        Value::Callable(name) => (name.as_str(), true),
        Value::Str(name) => (name.as_str(), false),
        Value::Other { type_name, text } if type_name == FOREIGN_WORKER => (text.as_str(), true),
        Value::None | Value::Bool(_) | Value::Int(_) | Value::List(_) | Value::Dict(_) | Value::Other { .. } => {
            ("", false)
        }
    };
    match name {
        "sync" | "gunicorn.workers.sync.SyncWorker" => Ok(WorkerClass::Sync),
        "gthread" | "gunicorn.workers.gthread.ThreadWorker" => Ok(WorkerClass::Gthread),
        "SyncWorker" if is_object => Ok(WorkerClass::Sync),
        "ThreadWorker" if is_object => Ok(WorkerClass::Gthread),
        other => Err(refusal(other, is_object, source.clone())),
    }
}

fn refusal(name: &str, is_object: bool, source: Source) -> Error {
    let shown = one_line(name);
    let text = if is_asgi(name) {
        format!(
            "worker class '{shown}' runs ASGI applications; indrik serves WSGI only. Keep Gunicorn or use an ASGI \
             server for this application."
        )
    } else if needs_event_loop(name) {
        format!(
            "worker class '{shown}' needs an event loop inside the worker; indrik runs requests in threads. Set \
             worker_class = 'gthread' and threads = N (remove monkey.patch_all and psycogreen from the config)."
        )
    } else if is_object || name.contains(['.', ':']) {
        format!(
            "worker class '{shown}' is a Gunicorn worker implementation and cannot run here; supported: sync, gthread."
        )
    } else {
        format!("worker class '{shown}' is unknown; supported: sync, gthread.")
    };
    let meant = || closest(name, ["sync", "gthread"].into_iter()).map(|meant| format!("did you mean '{meant}'?"));
    let hint = hint(name).map(str::to_owned).or_else(meant);
    Error::WorkerClass { source, text, hint }
}

fn is_asgi(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("uvicorn") || name.contains("asgi")
}

/// Gunicorn's own classes of that kind; foreign ones that build on gevent are foreign first.
fn needs_event_loop(name: &str) -> bool {
    let dotted = ["gunicorn.workers.ggevent.", "gunicorn.workers.geventlet.", "gunicorn.workers.gtornado."];
    matches!(name, "gevent" | "eventlet" | "tornado")
        || name.starts_with("gevent_")
        || dotted.iter().any(|module| name.starts_with(module))
        || matches!(name, "GeventWorker" | "GeventPyWSGIWorker" | "EventletWorker" | "TornadoWorker")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(value: Value) -> Result<WorkerClass, String> {
        worker_class(&value, &Source::Flag { flag: "--worker-class".into() }).map_err(|error| error.to_string())
    }

    #[test]
    fn both_native_classes_have_several_names() {
        for (value, want) in [
            (Value::Str("sync".into()), WorkerClass::Sync),
            (Value::Str("gthread".into()), WorkerClass::Gthread),
            (Value::Str("gunicorn.workers.sync.SyncWorker".into()), WorkerClass::Sync),
            (Value::Str("gunicorn.workers.gthread.ThreadWorker".into()), WorkerClass::Gthread),
            (Value::Callable("SyncWorker".into()), WorkerClass::Sync),
            (Value::Callable("gunicorn.workers.gthread.ThreadWorker".into()), WorkerClass::Gthread),
        ] {
            assert_eq!(class(value), Ok(want));
        }
    }

    #[test]
    fn every_other_class_is_refused_with_its_reason() {
        let cases = [
            ("uvicorn.workers.UvicornWorker", "'uvicorn.workers.UvicornWorker' runs ASGI applications"),
            ("uvicorn_worker.UvicornWorker", "runs ASGI applications"),
            ("asgi", "'asgi' runs ASGI applications; indrik serves WSGI only."),
            ("gevent", "'gevent' needs an event loop inside the worker"),
            ("gevent_wsgi", "needs an event loop"),
            ("eventlet", "needs an event loop"),
            ("tornado", "needs an event loop"),
            ("gunicorn.workers.ggevent.GeventWorker", "needs an event loop"),
            ("egg:meinheld#gunicorn_worker", "is a Gunicorn worker implementation and cannot run here"),
            ("geventwebsocket.gunicorn.workers.GeventWebSocketWorker", "is a Gunicorn worker implementation"),
            ("roll.worker.Worker", "supported: sync, gthread."),
            ("threaded", "'threaded' is unknown; supported: sync, gthread."),
        ];
        for (name, want) in cases {
            let error = class(Value::Str(name.into())).unwrap_err();
            assert!(error.starts_with("invalid value for worker_class (--worker-class): worker class "), "{error}");
            assert!(error.contains(want), "{error}");
        }
        let error = class(Value::Callable("PrometheusWorker".into())).unwrap_err();
        assert!(error.contains("'PrometheusWorker' is a Gunicorn worker implementation"), "{error}");
        let foreign = Value::Other { type_name: FOREIGN_WORKER.into(), text: "a.Mine (overrides run)".into() };
        let error = class(foreign).unwrap_err();
        assert!(error.contains("'a.Mine (overrides run)' is a Gunicorn worker implementation"), "{error}");
        let error = class(Value::Str("gthraed".into())).unwrap_err();
        assert!(error.ends_with("hint: did you mean 'gthread'?"), "{error}");
    }
}
