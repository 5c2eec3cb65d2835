"""Pins every dependency with its hashes, in files that name no index: `make lock`.

Four files come out: what installs the rest (bootstrap.txt), what the proxy runs on (run.txt), what
the tests add (test.txt), and LiteLLM's own environment (src/memory_proxy/processes/litellm.txt).
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
UV = Path(sys.executable).with_name("uv")


def compile_lock(target: Path, *arguments: str | Path) -> None:
    command: list[str | Path] = [
        UV, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11",
        "--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate", "--upgrade",
        "--output-file", target, *arguments,
    ]  # fmt: skip
    subprocess.run(command, check=True, cwd=ROOT)


compile_lock(HERE / "bootstrap.txt", HERE / "bootstrap.in")
compile_lock(HERE / "run.txt", "pyproject.toml", "--all-extras", HERE / "bootstrap.in")
compile_lock(
    HERE / "test.txt", "pyproject.toml", "--all-extras", "--group", "dev", HERE / "bootstrap.in",
    "--constraints", HERE / "run.txt",
)  # fmt: skip
compile_lock(
    ROOT / "src/memory_proxy/processes/litellm.txt", HERE / "litellm.in",
    "--override", HERE / "litellm-overrides.in",
)  # fmt: skip
