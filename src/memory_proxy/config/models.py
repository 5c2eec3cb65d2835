"""The models of config.yaml: which of them can answer, and what the others lack."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

DEMO_URL = "MEMORY_PROXY_DEMO_URL"
"""Set for LiteLLM by the launcher; a model whose parameters name it is the demo model."""

_REFERENCE = re.compile(r"os\.environ/(\S+)")
_TEXT_MODES = (None, "chat", "completion", "responses")


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of `model_list`: `name` is what clients send, `target` what LiteLLM makes of it.

    `missing` are the environment variables that it names and that are not set. `is_example`:
    a client can be shown it: it is no wildcard, and it answers a chat.
    """

    name: str
    target: str
    missing: tuple[str, ...] = ()
    is_demo: bool = False
    is_example: bool = True

    @property
    def has_its_keys(self) -> bool:
        return not self.missing


def read_models(
    model_list: object, environment: Mapping[str, str], *, secrets_elsewhere: bool
) -> tuple[tuple[Model, ...], list[str]]:
    """The models, and what is wrong with the list.

    `secrets_elsewhere`: LiteLLM asks a secret manager, so that we cannot know what is set.
    """
    if model_list is None:
        return (), []
    if not isinstance(model_list, list):
        return (), ["model_list: must be a list of models"]
    models: list[Model] = []
    problems: list[str] = []
    for index, entry in enumerate(cast("list[object]", model_list)):
        model = _read_model(entry, environment, secrets_elsewhere=secrets_elsewhere)
        if model is None:
            problems.append(
                f"model_list[{index}]: needs model_name and litellm_params.model, both as text"
            )
        else:
            models.append(model)
    return tuple(models), problems


def _read_model(
    entry: object, environment: Mapping[str, str], *, secrets_elsewhere: bool
) -> Model | None:
    fields = as_mapping(entry)
    parameters = as_mapping(fields.get("litellm_params"))
    name, target = fields.get("model_name"), parameters.get("model")
    if not (isinstance(name, str) and name and isinstance(target, str) and target):
        return None
    named = tuple(dict.fromkeys(references(parameters)))
    unset = tuple(key for key in named if not environment.get(key))
    return Model(
        name=name,
        target=target,
        missing=tuple(key for key in unset if key == DEMO_URL or not secrets_elsewhere),
        is_demo=DEMO_URL in named,
        is_example="*" not in name
        and as_mapping(fields.get("model_info")).get("mode") in _TEXT_MODES,
    )


def references(value: object) -> Iterator[str]:
    """The NAME of every `os.environ/NAME` inside `value`."""
    if isinstance(value, str):
        found = _REFERENCE.fullmatch(value)
        if found:
            yield found[1]
    elif isinstance(value, Mapping):
        for inner in cast("Mapping[object, object]", value).values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from references(inner)


def resolved(value: Any, environment: Mapping[str, str]) -> Any:
    """`value` with every `os.environ/NAME` inside it replaced, where NAME is set."""
    if isinstance(value, str):
        found = _REFERENCE.fullmatch(value)
        return environment.get(found[1], value) if found else value
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, Any]", value)
        return {key: resolved(inner, environment) for key, inner in mapping.items()}
    if isinstance(value, list):
        return [resolved(inner, environment) for inner in cast("list[object]", value)]
    return value


def as_mapping(value: object) -> Mapping[str, Any]:
    """`value` when it is a mapping, else an empty one."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
