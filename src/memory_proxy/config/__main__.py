"""`python -m memory_proxy.config > docs/reference/CONFIGURATION.md` writes the reference page."""

import sys

from memory_proxy.config.reference import reference_page

sys.stdout.write(reference_page())
