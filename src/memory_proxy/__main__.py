"""`python -m memory_proxy` is `memory-proxy`."""

import sys

from memory_proxy.cli import main

sys.exit(main())
