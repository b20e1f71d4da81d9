"""Who started this process: asked before anything else is imported, for it may be killed meanwhile."""

import os

STARTED_BY = os.getppid()
