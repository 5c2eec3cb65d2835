import socket

import psutil
import pytest

from memory_proxy.core.errors import PortInUse, ProcessError
from memory_proxy.processes import ports


def test_a_taken_port_is_told_with_its_owner_and_the_cure(port: int) -> None:
    me = psutil.Process()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortInUse) as failure:
        ports.listen("127.0.0.1", port, setting="--port")

    assert str(failure.value) == (
        f"port {port} is in use by {me.name()} (pid {me.pid}); stop it, or choose another --port"
    )


def test_a_port_that_is_only_waiting_out_old_connections_is_free(port: int) -> None:
    server = socket.create_server(("127.0.0.1", port))
    client = socket.create_connection(("127.0.0.1", port))
    accepted, _ = server.accept()
    accepted.close()  # the side that closes first keeps the port in TIME_WAIT
    client.close()
    server.close()

    ports.require_free(port, setting="--port")


def test_a_port_that_we_listen_on_is_ours_alone(port: int) -> None:
    with ports.listen("127.0.0.1", port, setting="--port"), pytest.raises(PortInUse):
        ports.require_free(port, setting="--port")


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_told(port: int, host: str) -> None:
    with pytest.raises(ProcessError, match=r"cannot listen on .*192\.0\.2\.1|no-such-host"):
        ports.listen(host, port, setting="--port")


def test_ipv6_is_listened_on_where_there_is_any() -> None:
    with ports.listen("::1", 0, setting="--port") as listening:
        assert listening.family == socket.AF_INET6
