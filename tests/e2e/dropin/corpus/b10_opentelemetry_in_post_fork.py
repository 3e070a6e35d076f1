# needs: opentelemetry.sdk
# get: /
bind = "127.0.0.1:0"


def post_fork(server, worker):
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    trace.set_tracer_provider(TracerProvider())
    worker.log.info("tracing: %s", type(trace.get_tracer_provider()).__name__)
