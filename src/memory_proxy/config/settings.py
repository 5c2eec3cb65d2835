"""The settings: each one's name, type, default, limits and meaning, in one table.

`memory-proxy check`, the command line's flags and docs/reference/CONFIGURATION.md are made from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from memory_proxy.config.models import Model
from memory_proxy.config.values import (
    embedder_setting,
    host_name,
    http_url,
    lower_case,
    mode_word,
    no_bool,
    origin,
    split_at_commas,
    sqlite_url,
    store_url,
)


class Group(StrEnum):
    """The headings under which settings are shown."""

    ADDRESS = "Where it listens"
    LITELLM = "LiteLLM"
    MEMORY = "Memory"
    LIMITS = "Limits"
    LOGS = "Logs"


@dataclass(frozen=True, slots=True)
class About:
    """What the table says of a setting beside its type, default and description.

    `variable` is a name it has in the environment beside MEMORY_PROXY_<NAME>; `flag` and `key`
    (its place in config.yaml) are given where they do not follow from its name; key "" means that
    it cannot stand there. A secret has no flag: every user of a machine can read arguments.
    """

    group: Group
    variable: str | None = None
    flag: str | None = None
    key: str | None = None
    default_text: str | None = None
    secret: bool = False


_Whole = Annotated[int, BeforeValidator(no_bool)]
Port = Annotated[_Whole, Field(ge=1, le=65_535)]
Tokens = Annotated[_Whole, Field(ge=0, le=1_000_000)]
Seconds = Annotated[float, BeforeValidator(no_bool), Field(gt=0, le=86_400)]
Host = Annotated[str, AfterValidator(host_name)]
Origin = Annotated[str, AfterValidator(origin)]
Mode = Literal["off", "read", "write", "on"]
LogLevel = Literal["debug", "info", "warning", "error", "critical"]

_NO_MAPPING: Mapping[str, Any] = {}
_NO_NAMES: Mapping[str, str] = {}


class Settings(BaseModel):
    """Every setting with its effective value; `sources` says where each one came from.

    Made by `load_settings`, never by hand: only that checks how settings agree with each other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    host: Annotated[Host, About(Group.ADDRESS, variable="PROXY_HOST")] = Field(
        "127.0.0.1",
        description="Address to listen on. Any other than this machine's own (loopback) needs a"
        " master key.",
    )
    port: Annotated[Port, About(Group.ADDRESS, variable="PROXY_PORT")] = Field(
        8764, description="Port of the memory proxy: the one that clients are pointed at."
    )
    tls_cert: Annotated[Path | None, About(Group.ADDRESS)] = Field(
        None, description="Certificate chain (PEM) for HTTPS; needs tls_key."
    )
    tls_key: Annotated[Path | None, About(Group.ADDRESS)] = Field(
        None, description="Private key (PEM, without a passphrase) for HTTPS; needs tls_cert."
    )
    allowed_hosts: Annotated[
        tuple[Host, ...], BeforeValidator(split_at_commas), About(Group.ADDRESS)
    ] = Field(
        (),
        description="Host names that requests may name beside localhost, 127.0.0.1, [::1] and"
        " `host`.",
    )
    cors_origins: Annotated[
        tuple[Origin, ...], BeforeValidator(split_at_commas), About(Group.ADDRESS)
    ] = Field((), description="Origins of web pages that may call the proxy from a browser.")

    home: Annotated[Path, About(Group.MEMORY, default_text="~/.memory-proxy")] = Field(
        default_factory=lambda: Path.home() / ".memory-proxy",
        description="Folder of everything that is kept: memories, LiteLLM's environment, the"
        " master key made at the first start.",
    )
    config_path: Annotated[
        Path,
        About(
            Group.LITELLM,
            variable="LITELLM_CONFIG",
            flag="--config",
            key="",
            default_text="./config.yaml if there is one, else the packaged one",
        ),
    ] = Field(description="The one configuration file, read by LiteLLM and by the memory proxy.")
    litellm_port: Annotated[Port, About(Group.LITELLM)] = Field(
        8765, description="Port of the LiteLLM that is launched; it listens on 127.0.0.1 only."
    )
    litellm_base_url: Annotated[
        str,
        AfterValidator(http_url),
        About(
            Group.LITELLM,
            variable="LITELLM_BASE_URL",
            flag="--litellm-url",
            default_text="http://127.0.0.1:<litellm_port>",
        ),
    ] = Field(
        default_factory=lambda given: f"http://127.0.0.1:{given['litellm_port']}",
        description="Where LiteLLM answers; for `serve`, in front of one that already runs.",
    )
    litellm_command: Annotated[str | None, About(Group.LITELLM)] = Field(
        None,
        min_length=1,
        description="The LiteLLM program to launch, instead of one in an environment of our own.",
    )
    litellm_workers: Annotated[_Whole, About(Group.LITELLM)] = Field(
        1,
        ge=1,
        le=64,
        description="Worker processes of LiteLLM; each takes about 400 MB and one core.",
    )
    master_key: Annotated[
        str,
        About(
            Group.LITELLM,
            variable="LITELLM_MASTER_KEY",
            key="general_settings.master_key",
            default_text="made at the first start and kept in home",
            secret=True,
        ),
    ] = Field("", repr=False, description="The key that clients send, and that LiteLLM expects.")
    demo: Annotated[
        bool | None,
        About(Group.LITELLM, default_text="on when no other model is usable"),
    ] = Field(
        None,
        description="Launch the built-in demo provider, which answers by quoting and needs no key.",
    )

    store: Annotated[
        str,
        AfterValidator(store_url),
        About(Group.MEMORY, default_text="sqlite:///<home>/memory.db"),
    ] = Field(
        default_factory=lambda given: sqlite_url(given["home"] / "memory.db"),
        description="Where memories are kept: `sqlite:///path`, or `memory://` to forget all at"
        " the end.",
    )
    memory_ttl_seconds: Annotated[_Whole, About(Group.MEMORY, variable="MEMORY_TTL_SECONDS")] = (
        Field(
            0,
            ge=0,
            le=3_155_760_000,
            description="Forget what is older than this; 0 keeps it for ever.",
        )
    )
    max_context_messages: Annotated[
        _Whole, About(Group.MEMORY, variable="MAX_CONTEXT_MESSAGES")
    ] = Field(
        20,
        ge=0,
        le=10_000,
        description="How many earlier messages of a session are put before a request that brings"
        " only its newest one; 0 puts none.",
    )
    history_budget_tokens: Annotated[Tokens, About(Group.MEMORY)] = Field(
        8_000, description="The most tokens that those earlier messages may take."
    )
    recall_budget_tokens: Annotated[Tokens, About(Group.MEMORY)] = Field(
        2_000,
        description="The most tokens that notes recalled from other sessions may take; 0 recalls"
        " none.",
    )
    memory_for_human_turns: Annotated[Mode, BeforeValidator(mode_word), About(Group.MEMORY)] = (
        Field("on", description="What memory does where a person speaks.")
    )
    memory_for_tool_loops: Annotated[Mode, BeforeValidator(mode_word), About(Group.MEMORY)] = Field(
        "write", description="What memory does where a tool's result is the newest message."
    )
    memory_for_sub_agents: Annotated[Mode, BeforeValidator(mode_word), About(Group.MEMORY)] = Field(
        "read", description="What memory does where a model speaks to a helper model."
    )
    memory_for_background: Annotated[Mode, BeforeValidator(mode_word), About(Group.MEMORY)] = Field(
        "off",
        description="What memory does for a client's own titles, tags, summaries and probes.",
    )
    recall_deadline_ms: Annotated[_Whole, About(Group.MEMORY)] = Field(
        250,
        ge=1,
        le=60_000,
        description="A chat waits no longer than this for its memory, then goes on without.",
    )
    embedder: Annotated[str, AfterValidator(embedder_setting), About(Group.MEMORY)] = Field(
        "auto",
        description="What finds memories by meaning, beside their words: `onnx` (a small model that"
        " runs here; extra `embeddings`), `litellm:<model>`, `https://host/v1/embeddings#model`,"
        " `path:<folder>`, `hashing` or `none`; `auto` is `onnx` where installed, else `none`.",
    )
    embedding_api_key: Annotated[str, About(Group.MEMORY, secret=True)] = Field(
        "", repr=False, description="Key for an `embedder` that is written as an address."
    )
    embedding_batch_size: Annotated[_Whole, About(Group.MEMORY)] = Field(
        32, ge=1, le=256, description="How many messages are embedded at once, in the background."
    )
    embedding_deadline_ms: Annotated[_Whole, About(Group.MEMORY)] = Field(
        60,
        ge=1,
        le=60_000,
        description="How much of `recall_deadline_ms` the vector of what is asked may take; later,"
        " recall goes by words.",
    )
    supermemory_api_key: Annotated[
        str, About(Group.MEMORY, variable="SUPERMEMORY_API_KEY", secret=True)
    ] = Field(
        "",
        repr=False,
        description="Key for models whose `api_base` points under supermemory.ai.",
    )

    max_body_bytes: Annotated[_Whole, About(Group.LIMITS)] = Field(
        10_485_760,
        ge=1_024,
        le=1_073_741_824,
        description="The largest request body; a larger one gets status 413.",
    )
    upstream_first_byte_timeout_s: Annotated[Seconds, About(Group.LIMITS)] = Field(
        600, description="How long LiteLLM may take to begin its answer."
    )
    stop_timeout_s: Annotated[Seconds, About(Group.LIMITS)] = Field(
        30, description="How long running answers may take to finish when the proxy stops."
    )

    log_level: Annotated[
        LogLevel, BeforeValidator(lower_case), About(Group.LOGS, variable="LOG_LEVEL")
    ] = Field("info", description="The least important lines to write.")
    json_logs: Annotated[bool, About(Group.LOGS, variable="JSON_LOGS")] = Field(
        False, description="Write each log line as one JSON object."
    )

    # Below: not settings of their own, but what was read beside them.
    launches_litellm: bool = True  # False: LiteLLM is another's, and so are its models
    sources: Mapping[str, str] = _NO_NAMES
    warnings: tuple[str, ...] = ()
    models: tuple[Model, ...] = ()  # of the LiteLLM that we launch; another's are not known
    has_models_elsewhere: bool = False  # in files that config.yaml includes, or in a database
    model_list: tuple[Mapping[str, Any], ...] = Field((), repr=False)
    """As in config.yaml, with `os.environ/NAME` replaced where NAME is set."""
    user_id_mappings: Mapping[str, Any] = _NO_MAPPING
    environment: Mapping[str, str] = Field(_NO_NAMES, repr=False)
    """For the processes we launch: our own environment, completed from .env."""

    @property
    def needs_demo(self) -> bool:
        """Whether the built-in demo provider must be launched."""
        if not self.launches_litellm:
            return False
        if self.demo is not None:
            return self.demo
        has_demo = any(model.is_demo for model in self.models)
        has_others = self.has_models_elsewhere or any(model.has_its_keys for model in self.models)
        return has_demo and not has_others

    def is_usable(self, model: Model) -> bool:
        return model.has_its_keys or (model.is_demo and self.needs_demo)

    @property
    def usable_models(self) -> tuple[str, ...]:
        """Names a client can send and get an answer from, in the order of config.yaml."""
        names = (model.name for model in self.models if model.is_example and self.is_usable(model))
        return tuple(dict.fromkeys(names))

    @property
    def listens_on_loopback(self) -> bool:
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
