"""Whether settings agree with each other and with this machine."""

import ssl
from collections.abc import Callable, Collection, Iterator
from urllib.parse import urlsplit

from memory_proxy.config.models import DEMO_URL
from memory_proxy.config.settings import Settings, is_loopback

_REFUSED_KEY = "sk-1234"  # LiteLLM exits when it is given its own documentation's example


def agreement_problems(settings: Settings, *, invalid: Collection[str]) -> Iterator[str]:
    """`invalid`: settings already known to be wrong; what depends on one of them is not checked."""
    for depends_on, check in _CHECKS:
        if depends_on.isdisjoint(invalid):
            yield from check(settings)


def is_ours(settings: Settings) -> bool:
    """Whether the LiteLLM that requests go to is the one that we would launch."""
    url = urlsplit(settings.litellm_base_url)
    return is_loopback(url.hostname or "") and (url.scheme, url.port, url.path) == (
        "http",
        settings.litellm_port,
        "",
    )


def model_warnings(settings: Settings) -> Iterator[str]:
    waiting = [model for model in settings.models if not settings.is_usable(model)]
    lacking = [
        f"{model.name} ({', '.join(model.missing)})" for model in waiting if not model.is_demo
    ]
    if lacking:
        yield (
            "not usable until these are set in the environment or in .env: " + ", ".join(lacking)
        )


def _ports(settings: Settings) -> Iterator[str]:
    if settings.launches_litellm and settings.port == settings.litellm_port:
        yield (
            f"port and litellm_port are both {settings.port}"
            f" ({settings.sources['port']}; {settings.sources['litellm_port']}): give each its own"
        )


def _tls(settings: Settings) -> Iterator[str]:
    certificate, key = settings.tls_cert, settings.tls_key
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        missing, given = ("tls_key", "tls_cert") if key is None else ("tls_cert", "tls_key")
        yield f"{given} ({settings.sources[given]}) needs {missing} beside it"
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        yield f"tls_cert {certificate} with tls_key {key} cannot be used: {error}"


def _no_passphrase() -> str:
    """Without this, OpenSSL would ask on the terminal."""
    return ""


def _open_bind(settings: Settings) -> Iterator[str]:
    if not settings.listens_on_loopback and not settings.master_key:
        yield (
            f"host {settings.host} ({settings.sources['host']}) is open to other machines and no"
            " master key is set: set LITELLM_MASTER_KEY, or listen on 127.0.0.1"
        )


def _master_key(settings: Settings) -> Iterator[str]:
    if not settings.launches_litellm:
        if not settings.master_key:
            yield (
                f"no key for the LiteLLM at {settings.litellm_base_url}: set LITELLM_MASTER_KEY to"
                " its master key"
            )
    elif settings.master_key == _REFUSED_KEY:
        yield (
            f"{settings.sources['master_key']}: LiteLLM refuses to start with {_REFUSED_KEY!r};"
            " choose another key, or set none and one is made"
        )


def _litellm_url(settings: Settings) -> Iterator[str]:
    if settings.launches_litellm and not is_ours(settings):
        yield (
            f"litellm_base_url is {settings.litellm_base_url}"
            f" ({settings.sources['litellm_base_url']}), but LiteLLM would be launched on"
            f" http://127.0.0.1:{settings.litellm_port}: remove the setting, or run `memory-proxy"
            " serve` in front of the LiteLLM that runs there"
        )


def _models(settings: Settings) -> Iterator[str]:
    if not settings.launches_litellm:
        return
    if settings.demo and not any(model.is_demo for model in settings.models):
        yield (
            f"demo is on ({settings.sources['demo']}), but {settings.config_path} has no model with"
            f" `api_base: os.environ/{DEMO_URL}`: {_DEMO_CURE}"
        )
    elif not settings.has_models_elsewhere and not any(map(settings.is_usable, settings.models)):
        lacking = sorted({name for model in settings.models for name in model.missing} - {DEMO_URL})
        cure = f"set {' or '.join(lacking)}" if lacking else "add a model to model_list"
        demo = "--demo" if any(model.is_demo for model in settings.models) else _DEMO_CURE
        yield f"{settings.config_path}: no usable model: {cure}, or for a trial {demo}"


_DEMO_CURE = "copy the entry `demo` of the packaged config.yaml"

_CHECKS: tuple[tuple[frozenset[str], Callable[[Settings], Iterator[str]]], ...] = (
    (frozenset({"port", "litellm_port"}), _ports),
    (frozenset({"tls_cert", "tls_key"}), _tls),
    (frozenset({"host", "master_key"}), _open_bind),
    (frozenset({"master_key", "litellm_base_url", "litellm_port"}), _master_key),
    (frozenset({"litellm_base_url", "litellm_port"}), _litellm_url),
    (frozenset({"demo", "config_path", "model_list"}), _models),
)
