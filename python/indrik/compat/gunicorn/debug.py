"""Gunicorn's line tracer is not here."""


def spew(trace_names=None, show_values=False):
    """Raises: use ``python -m trace``."""
    raise NotImplementedError("indrik's stand-in for gunicorn cannot print every line; use python -m trace")


unspew = spew
