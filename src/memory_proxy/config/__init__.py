"""Every setting: command line > environment (with .env) > config.yaml > defaults.

The only reader of the environment. Wrong settings stop the start, all of them named at once.
"""

from memory_proxy.config.loading import Examination, examine_settings, load_settings
from memory_proxy.config.models import DEMO_URL, Model
from memory_proxy.config.settings import Settings, is_loopback

__all__ = [
    "DEMO_URL",
    "Examination",
    "Model",
    "Settings",
    "examine_settings",
    "is_loopback",
    "load_settings",
]
