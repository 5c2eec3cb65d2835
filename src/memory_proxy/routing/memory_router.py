"""Which user's memory serves a request, and which models bring a memory of their own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, Self, TypedDict, cast
from urllib.parse import urlsplit

import yaml

from memory_proxy.core.errors import ConfigurationError, InvalidRequest
from memory_proxy.core.types import Headers, UserId
from memory_proxy.routing.clients import recognise_client
from memory_proxy.routing.identifiers import check_user_id
from memory_proxy.routing.user_mappings import UserIdMappings, parse_user_id_mappings

SUPERMEMORY_USER_HEADER = "x-sm-user-id"
SUPERMEMORY_KEY_HEADER = "x-supermemory-api-key"

AnyHeaders = Mapping[str, str] | Headers


class MatchedPattern(TypedDict):
    header: str
    value: str
    pattern: str
    user_id: UserId


class RoutingInfo(TypedDict):
    """`source` says what decided: a header, a pattern, what a known client states, or nothing."""

    user_id: UserId
    matched_pattern: MatchedPattern | None
    custom_header_present: bool
    is_default: bool
    source: Literal["header", "pattern", "client", "default"]
    client: str


@dataclass(frozen=True, slots=True)
class MemoryRouter:
    """`supermemory_models` maps a model name (wildcards allowed) to the static extra headers that
    its configuration sends along."""

    mappings: UserIdMappings = field(default_factory=UserIdMappings)
    supermemory_models: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict[str, Mapping[str, str]]
    )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """From a parsed config.yaml; raises ConfigurationError naming every problem."""
        return cls(
            parse_user_id_mappings(config.get("user_id_mappings")),
            dict(_supermemory_models(config.get("model_list") or ())),
        )

    @classmethod
    def from_file(cls, path: Path | str) -> Self:
        """From a config.yaml; raises ConfigurationError when it cannot be read."""
        try:
            config = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigurationError(f"{path}: {error}") from error
        if not isinstance(config, dict):
            raise ConfigurationError(f"{path}: must be a mapping of sections")
        return cls.from_config(cast("dict[str, Any]", config))

    def get_routing_info(self, headers: AnyHeaders) -> RoutingInfo:
        """An explicit header wins, then the first matching pattern, then what a known client
        states, then the default. Header names may come in any case.

        Raises InvalidRequest for a user id that cannot be one: doubt is never the default user.
        """
        sent = _lower_cased(headers)
        client = recognise_client(sent)
        named = self._named_user(sent)
        if named is not None:
            return _info(named, "header", client.name, custom_header_present=True)
        for entry in self.mappings.header_patterns:
            value = sent.get(entry.header)
            if value is not None and entry.pattern.found_in(value):
                matched = MatchedPattern(
                    header=entry.header,
                    value=value,
                    pattern=entry.pattern.source,
                    user_id=entry.user_id,
                )
                return _info(entry.user_id, "pattern", client.name, matched_pattern=matched)
        stated = sent.get(client.user_header) if client.user_header else None
        if stated is not None:
            return _info(
                check_user_id(stated, source=f"header {client.user_header}"), "client", client.name
            )
        return _info(self.mappings.default_user_id, "default", client.name)

    def detect_user_id(self, headers: AnyHeaders) -> UserId:
        return self.get_routing_info(headers)["user_id"]

    def inject_memory_headers(
        self, headers: Mapping[str, str], api_key: str | None
    ) -> dict[str, str]:
        """A copy of `headers` that tells Supermemory whose memory to use, and by which key."""
        kept = {
            name: value
            for name, value in headers.items()
            if name.lower() not in (SUPERMEMORY_USER_HEADER, SUPERMEMORY_KEY_HEADER)
        }
        kept[SUPERMEMORY_USER_HEADER] = self.detect_user_id(headers)
        if api_key:
            kept[SUPERMEMORY_KEY_HEADER] = api_key
        return kept

    def should_use_supermemory(self, model_name: str) -> bool:
        return self._supermemory_entry(model_name) is not None

    def supermemory_headers(self, model_name: str) -> Mapping[str, str]:
        """What the configuration sends along with `model_name` anyway."""
        return self._supermemory_entry(model_name) or {}

    def _supermemory_entry(self, model_name: str) -> Mapping[str, str] | None:
        for name, headers in self.supermemory_models.items():
            if name == model_name or fnmatchcase(model_name, name):
                return headers
        return None

    def _named_user(self, sent: Mapping[str, str]) -> UserId | None:
        """The user that the custom header or Supermemory's own names; both must agree."""
        names = {self.mappings.custom_header, SUPERMEMORY_USER_HEADER} & sent.keys()
        users = {check_user_id(sent[name], source=f"header {name}") for name in names}
        if len(users) > 1:
            raise InvalidRequest(f"headers {' and '.join(sorted(names))} name different users")
        return next(iter(users), None)


def _info(
    user_id: UserId,
    source: Literal["header", "pattern", "client", "default"],
    client: str,
    *,
    matched_pattern: MatchedPattern | None = None,
    custom_header_present: bool = False,
) -> RoutingInfo:
    return RoutingInfo(
        user_id=user_id,
        matched_pattern=matched_pattern,
        custom_header_present=custom_header_present,
        is_default=source == "default",
        source=source,
        client=client,
    )


def _lower_cased(headers: AnyHeaders) -> dict[str, str]:
    """The first value of each name."""
    pairs: Iterable[tuple[str, str]] = headers.items() if isinstance(headers, Mapping) else headers
    sent: dict[str, str] = {}
    for name, value in pairs:
        sent.setdefault(name.lower(), value)
    return sent


def _supermemory_models(model_list: object) -> Iterable[tuple[str, Mapping[str, str]]]:
    """The models whose `api_base` points under supermemory.ai."""
    entries = cast("list[object]", model_list) if isinstance(model_list, list) else []
    for entry in entries:
        model = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
        parameters: dict[str, Any] = model.get("litellm_params") or {}
        host = urlsplit(str(parameters.get("api_base") or "")).hostname or ""
        if host == "supermemory.ai" or host.endswith(".supermemory.ai"):
            headers: dict[str, str] = parameters.get("extra_headers") or {}
            yield str(model.get("model_name")), headers
