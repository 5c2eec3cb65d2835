"""Which LiteLLM a command would run, found and judged without running anything of its environment.

Releases of 2026 stole credentials, one of them from a `.pth` file, which every start of Python
executes (https://docs.python.org/3/library/site.html): so even asking a Python there for its
version would have been too late. Only files are read here.
"""

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from memory_proxy.core.errors import BuildRefused

_TROJANED = frozenset({(1, 82, 7), (1, 82, 8), (1, 107, 0)})
_OLDEST = (1, 84, 0)
_CURE = "name another LiteLLM with --litellm-command, or remove this one and have ours installed"

# What setuptools (two generations) and virtualenv put there; compared as a whole, by content.
_DISTUTILS = (
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, '{}') == 'local';"
    " enabled and __import__('_distutils_hack').add_shim();"
)
_KNOWN_STARTUP_CODE = frozenset({
    _DISTUTILS.format("local"), _DISTUTILS.format("stdlib"), "import _virtualenv",
})  # fmt: skip
_RUN_AT_START = ("sitecustomize", "usercustomize")

# `#!/path/python -s`; for a path with spaces, or a very long one: `'''exec' "/path/python"`
_SHEBANG = re.compile(rb"#!\s*(\S+)(?:[ \t]+(\S+))?")
_SHELL_SHEBANG = re.compile(rb"#!\s*/bin/sh\s*\n'''exec'\s+(?:\"([^\"\n]+)\"|'([^'\n]+)'|(\S+))\s")


@dataclass(frozen=True, slots=True)
class Build:
    """A LiteLLM that may be started."""

    version: str


def inspect_build(executable: Path) -> Build:
    """The build behind a `litellm` console script, or BuildRefused with the reason and the cure."""
    folders = _site_folders(_interpreter(executable))
    version = _litellm_version(executable, folders)
    _check_version(executable, version)
    _check_startup_code(folders)
    return Build(version)


def _interpreter(script: Path) -> Path:
    """The Python that `script` names in its first lines, by the name that it uses."""
    with script.open("rb") as file:
        head = file.read(4096)
    if match := _SHELL_SHEBANG.match(head):
        return Path(next(filter(None, match.groups())).decode())
    match = _SHEBANG.match(head)
    if match is None:
        raise BuildRefused(f"{script} is no Python script, so its LiteLLM is unknown; {_CURE}")
    named, argument = Path(match[1].decode()), (match[2] or b"").decode()
    if named.name == "env":
        named = Path(shutil.which(argument) or argument)
    if not named.name.startswith("python"):
        raise BuildRefused(f"{script} is run by {named}, so its LiteLLM is unknown; {_CURE}")
    return named


def _site_folders(interpreter: Path) -> list[Path]:
    """The folders of installed packages that this interpreter searches for startup code."""
    environment = interpreter.parent.parent
    if not (environment / "pyvenv.cfg").is_file():
        return _system_folders(interpreter)
    own = _packages_below(environment)
    return own + (_system_folders(interpreter) if _sees_system(environment) else [])


def _sees_system(environment: Path) -> bool:
    text = (environment / "pyvenv.cfg").read_text("utf-8", "replace")
    return re.search(r"(?im)^include-system-site-packages\s*=\s*true", text) is not None


def _system_folders(interpreter: Path) -> list[Path]:
    """Of a Python that is no virtual environment; both as named and where links lead."""
    real = interpreter.resolve()
    prefixes = {interpreter.parent.parent, real.parent.parent}
    prefixes |= {prefix / "local" for prefix in prefixes} | {Path.home() / ".local"}
    version = re.search(r"3\.\d+$", real.name)
    names = ("python3", f"python{version[0]}") if version else ("python3*",)
    return [
        folder
        for name in names
        for prefix in sorted(prefixes)
        for folder in _packages_below(prefix, name)
    ]


def _packages_below(prefix: Path, python: str = "python3*") -> list[Path]:
    return [
        folder
        for kind in ("site-packages", "dist-packages")
        for folder in sorted(prefix.glob(f"lib*/{python}/{kind}"))
    ]


def _litellm_version(executable: Path, folders: Iterable[Path]) -> str:
    """The one version whose metadata lie in `folders`."""
    versions = {
        version
        for folder in folders
        for metadata in folder.glob("litellm-*.dist-info")
        for version in _stated_versions(metadata)
    }
    if len(versions) != 1:
        said = ", ".join(sorted(versions)) or "none"
        raise BuildRefused(f"{executable} belongs to no single LiteLLM (found: {said}); {_CURE}")
    return versions.pop()


def _stated_versions(metadata: Path) -> set[str]:
    """What a dist-info folder says in its name, and in its METADATA file."""
    file = metadata / "METADATA"
    text = file.read_text("utf-8", "replace") if file.is_file() else ""
    match = re.search(r"(?m)^Version:\s*(\S+)", text)
    return {
        metadata.name.removeprefix("litellm-").removesuffix(".dist-info"),
        match[1] if match else "one that does not say",
    }


def _check_version(executable: Path, version: str) -> None:
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    release = tuple(int(part) for part in match.groups()) if match else ()
    if release in _TROJANED:
        raise BuildRefused(
            f"{executable} is LiteLLM {version}, a release known to steal credentials; treat every"
            f" key that this machine holds as stolen, delete that environment, and {_CURE}"
        )
    if release < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise BuildRefused(f"{executable} is LiteLLM {version}, older than {oldest}; {_CURE}")


def _check_startup_code(folders: Iterable[Path]) -> None:
    for folder in folders:
        _check_customization(folder)
        for file in sorted(folder.iterdir()):
            if file.name.endswith(".pth"):
                _check_pth(file)


def _check_customization(folder: Path) -> None:
    """Modules that Python imports at its start by their name, and its files of start commands."""
    for file in sorted(folder.iterdir()):
        if file.suffix == ".start" or file.name.partition(".")[0] in _RUN_AT_START:
            raise _unknown_startup_code(file)


def _check_pth(file: Path) -> None:
    """Lines of a .pth file are folders to search, or code when they begin with `import`."""
    text = file.read_text("utf-8-sig", "replace").strip()
    if text in _KNOWN_STARTUP_CODE:
        return
    if re.search(r"import\s|\0", text):
        raise _unknown_startup_code(file)
    for line in text.splitlines():
        added = file.parent / line.strip()
        if added.is_dir():
            _check_customization(added)


def _unknown_startup_code(file: Path) -> BuildRefused:
    return BuildRefused(
        f"{file} runs at every start of that Python, as stolen builds of LiteLLM have done, and is"
        f" not known; if it is not yours, treat your keys as stolen; else {_CURE}"
    )
