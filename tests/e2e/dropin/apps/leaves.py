"""An application that sees at its import that it cannot be loaded, and says so as Gunicorn would."""

import sys

from gunicorn.arbiter import Arbiter

sys.exit(Arbiter.APP_LOAD_ERROR)
