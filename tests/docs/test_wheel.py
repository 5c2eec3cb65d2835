"""What `make build` makes can be installed: it is whole, and brings its configuration."""

import os
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from tests.docs.pages import ROOT


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={"PATH": os.environ["PATH"], "HOME": str(cwd)} | environment,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_works_outside_the_checkout(tmp_path: Path) -> None:
    build = (sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path)
    run(*build, cwd=ROOT)
    (wheel,) = tmp_path.glob("litellm_memory_proxy-*.whl")
    unpacked = tmp_path / "unpacked"
    with ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    entry_points = next(unpacked.glob("*.dist-info/entry_points.txt")).read_text()
    assert set(re.findall(r"^([\w-]+) =", entry_points, re.MULTILINE)) == {
        "memory-proxy", "start-proxies",
    }  # fmt: skip
    check = run(
        sys.executable, "-m", "memory_proxy", "check", cwd=tmp_path, PYTHONPATH=str(unpacked)
    )

    assert f"Configuration file: {unpacked}/memory_proxy/default_config.yaml" in check
    assert f"{tmp_path}/.memory-proxy" in check
