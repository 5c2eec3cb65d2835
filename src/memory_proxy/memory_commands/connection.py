"""Where the proxy is, and one HTTP conversation with it."""

import ssl
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from memory_proxy.config import examine_settings
from memory_proxy.core.errors import (
    AuthenticationFailed,
    ConfigurationError,
    InvalidRequest,
    MemoryProxyError,
    NotFound,
    ProcessError,
)
from memory_proxy.processes.master_key import kept_master_key
from memory_proxy.processes.welcome import url
from memory_proxy.routing.identifiers import is_user_id
from memory_proxy.routing.user_mappings import parse_user_id_mappings

_CONNECT_S = 5.0
_SILENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Proxy:
    """`headers` hold the key and whose memory it is; `certificate` is what it shows for HTTPS."""

    url: str
    headers: dict[str, str]
    certificate: Path | None = None

    @asynccontextmanager
    async def calls(self) -> AsyncGenerator["Calls"]:
        async with aiohttp.ClientSession(
            self.url,
            headers=self.headers,
            connector=aiohttp.TCPConnector(ssl=_trusting(self.certificate)),
            timeout=aiohttp.ClientTimeout(sock_connect=_CONNECT_S, sock_read=_SILENCE_S),
        ) as session:
            yield Calls(session, self.url)


def find_proxy(overrides: dict[str, object], *, user: str | None) -> Proxy:
    """The proxy that these settings would start. Problems that do not keep one from finding it are
    nobody's concern here. Raises ConfigurationError."""
    examination = examine_settings(overrides)
    if wrong := [problem for problem in examination.problems if problem.startswith("--")]:
        raise ConfigurationError("\n".join(wrong))
    settings = examination.settings
    key = kept_master_key(settings.master_key, home=settings.home)
    if key is None:
        raise ConfigurationError(
            f"no key: {settings.home}/master.key is not there. It is made by `memory-proxy up`;"
            " give the --home that was given there, or set LITELLM_MASTER_KEY"
        )
    mappings = parse_user_id_mappings(settings.user_id_mappings)
    if user is not None and not is_user_id(user):
        raise ConfigurationError(
            "--user: 1 to 128 letters, digits or any of . _ @ : + - are allowed"
        )
    whose = {mappings.custom_header: user or mappings.default_user_id}
    return Proxy(
        url(settings.host, settings.port, tls_cert=settings.tls_cert),
        {"authorization": f"Bearer {key}", **whose},
        settings.tls_cert,
    )


@dataclass(frozen=True, slots=True)
class Calls:
    """Each raises MemoryProxyError, in words for who typed the command."""

    session: aiohttp.ClientSession
    url: str

    async def ask(self, method: str, path: str, **sent: Any) -> Any:
        """What a route answers; `sent` as for aiohttp."""
        async with self._answer(method, path, **sent) as reply:
            return await reply.json()

    async def import_lines(self, body: AsyncIterable[bytes]) -> Any:
        # It answers when all has been read, however long that takes.
        patience = aiohttp.ClientTimeout(sock_connect=_CONNECT_S)
        return await self.ask("POST", "/memory/import", data=body, timeout=patience)

    @asynccontextmanager
    async def export(self) -> AsyncGenerator[AsyncIterator[bytes]]:
        """Its bytes as they come."""
        async with self._answer("GET", "/memory/export") as reply:
            yield reply.content.iter_any()

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, **sent: Any
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        try:
            async with self.session.request(method, path, allow_redirects=False, **sent) as reply:
                if reply.status // 100 != 2:
                    raise _refusal(reply.status, await _message(reply), self.url)
                yield reply
        except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError) as error:
            raise ProcessError(
                f"what answers at {self.url} does not show the certificate of tls_cert"
            ) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise ProcessError(
                f"no proxy answers at {self.url}: start one with `memory-proxy up`, or say where"
                " it is with --host and --port"
            ) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProcessError(f"the proxy at {self.url} broke off: {error}") from error


def _trusting(certificate: Path | None) -> ssl.SSLContext | bool:
    """This very certificate, whatever names stand in it: it is known from the settings."""
    if certificate is None:
        return True
    context = ssl.create_default_context(cafile=certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    return context


def _refusal(status: int, message: str, proxy_url: str) -> MemoryProxyError:
    if status == 401:
        return AuthenticationFailed(
            f"the proxy at {proxy_url} does not take this key: give the --home that it was started"
            " with, or set LITELLM_MASTER_KEY to its key"
        )
    if status == 404:
        return NotFound(message)
    if status < 500:
        return InvalidRequest(message)
    return ProcessError(f"the proxy at {proxy_url} could not do it: {message}")


async def _message(reply: aiohttp.ClientResponse) -> str:
    try:
        said = await reply.json()
        return str(said["error"]["message"])
    except (aiohttp.ContentTypeError, ValueError, KeyError, TypeError):
        return f"it answers with status {reply.status}; is it a memory proxy?"
