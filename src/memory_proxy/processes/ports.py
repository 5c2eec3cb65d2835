"""TCP ports: taking one, seeing who has one."""

import errno
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

import psutil

from memory_proxy.core.errors import PortInUse, ProcessError

if TYPE_CHECKING:
    from psutil._ntuples import pconn, sconn

LOOPBACK = "127.0.0.1"


def listen(host: str, port: int, *, setting: str) -> socket.socket:
    """A socket that listens there, so that the port is ours from now on.

    Raises PortInUse, which names the owner and `setting` as the cure, or ProcessError when the
    address cannot be used at all.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ProcessError(f"cannot listen on host {host!r}: {error}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(socket.SOMAXCONN)  # until then Linux lets another socket bind it too
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise in_use(port, setting=setting) from error
        reason = f"cannot listen on {host}:{port}: {error.strerror}"
        raise ProcessError(f"{reason}; choose another address or {setting}") from error
    return listening


def require_free(port: int, *, setting: str) -> None:
    """Raise PortInUse, naming the owner, unless `port` of this machine can be listened on."""
    listen(LOOPBACK, port, setting=setting).close()


def free_port() -> int:
    """A port of this machine that nobody uses at this moment."""
    with listen(LOOPBACK, 0, setting="port") as probe:
        number: int = probe.getsockname()[1]
        return number


def is_listening(port: int, processes: Iterable[psutil.Process]) -> bool:
    """Whether one of `processes` is the one that answers on `port`."""
    return any(port in _listened_ports(process) for process in processes)


def in_use(port: int, *, setting: str) -> PortInUse:
    return PortInUse(
        f"port {port} is in use by {_owner(port)}; stop it, or choose another {setting}"
    )


def _owner(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS tells only root
        connections = []
    for connection in connections:
        if connection.pid is not None and _listened_port(connection) == port:
            return _named(connection.pid)
    return "a process that this user may not see"


def _named(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"


def _listened_ports(process: psutil.Process) -> set[int | None]:
    try:
        return {_listened_port(connection) for connection in process.net_connections("tcp")}
    except psutil.Error:
        return set()


def _listened_port(connection: "pconn | sconn") -> int | None:
    if connection.status != psutil.CONN_LISTEN or not connection.laddr:
        return None
    return connection.laddr.port
