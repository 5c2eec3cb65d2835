"""A folder to read settings from, as if it were the working directory of a user."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from memory_proxy.config import Settings, load_settings
from memory_proxy.core.errors import ConfigurationError

ONE_MODEL = """
model_list:
  - model_name: local
    litellm_params: {model: ollama/llama3}
"""
DEMO_MODEL = """
  - model_name: demo
    litellm_params: {model: openai/demo, api_base: os.environ/MEMORY_PROXY_DEMO_URL, api_key: none}
"""


@dataclass
class Workplace:
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def write_config(self, text: str, *, models: str = ONE_MODEL) -> Path:
        path = self.folder / "config.yaml"
        path.write_text(models + text, encoding="utf-8")
        return path

    def write_dotenv(self, text: str) -> None:
        (self.folder / ".env").write_text(text, encoding="utf-8")

    def load(self, *, launch_litellm: bool | None = None, **overrides: object) -> Settings:
        return load_settings(
            overrides, environ=self.environ, cwd=self.folder, launch_litellm=launch_litellm
        )

    def problems(self, *, launch_litellm: bool | None = None, **overrides: object) -> list[str]:
        with pytest.raises(ConfigurationError) as raised:
            self.load(launch_litellm=launch_litellm, **overrides)
        head, *entries = str(raised.value).splitlines()
        assert not entries or head == f"{len(entries)} problems:"
        return [entry.removeprefix("  - ") for entry in entries] or [head]

    def problem(self, *, launch_litellm: bool | None = None, **overrides: object) -> str:
        """The only one."""
        problems = self.problems(launch_litellm=launch_litellm, **overrides)
        assert len(problems) == 1, problems
        return problems[0]
