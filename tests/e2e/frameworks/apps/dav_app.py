"""The folder `share` of the working directory over WebDAV, with locks and properties, open to everybody."""

import os

from wsgidav.wsgidav_app import WsgiDAVApp

os.makedirs("share", exist_ok=True)

application = WsgiDAVApp(
    {
        "provider_mapping": {"/": os.path.abspath("share")},
        "simple_dc": {"user_mapping": {"*": True}},
        "lock_storage": True,
        "property_manager": True,
        "verbose": 1,
    }
)
