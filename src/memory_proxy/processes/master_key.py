"""The master key: made at the first start, kept readable by its owner only, and never guessable."""

import os
import secrets
from pathlib import Path

from memory_proxy.core.errors import ConfigurationError

_FILE = "master.key"
_EXAMPLE_KEY = "sk-1234"  # of LiteLLM's documentation, so everybody's first guess


def master_key(configured: str, *, home: Path) -> str:
    """The configured key, else the one kept in `home/master.key`, made there at the first start."""
    path = home / _FILE
    if configured:
        return _checked(configured, "the configured master key")
    _create(path)
    return _checked(path.read_text("utf-8").strip(), str(path))


def kept_master_key(configured: str, *, home: Path) -> str | None:
    """The same, but nothing is made; None when there is none yet. Raises ConfigurationError."""
    path = home / _FILE
    if configured:
        return configured
    try:
        return path.read_text("utf-8").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error


def _checked(key: str, source: str) -> str:
    if key in ("", _EXAMPLE_KEY):
        flaw = "the key of LiteLLM's examples" if key else "empty"
        raise ConfigurationError(f"{source} is {flaw}; remove it to have a random one made")
    return key


def _create(path: Path) -> None:
    """Make the file at once, whole and with mode 0600; one that is there stays as it is."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(f"sk-{secrets.token_urlsafe(24)}\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        path.chmod(0o600)
    finally:
        draft.unlink()
