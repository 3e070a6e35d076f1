"""indrik, a pre-fork WSGI application server.

The server is native code (``indrik._indrik``); this package is its typed face. Start it with the command ``indrik`` or
with ``python -m indrik``.
"""

from indrik._indrik import ClientDisconnected, RequestTimeout, __version__

__all__ = ["ClientDisconnected", "RequestTimeout", "__version__"]
