"""A provider on a loopback port: it keeps every request and answers as the test scripts it."""

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any, Self

from memory_proxy.testing.replies import (
    Ending,
    Reply,
    anthropic_reply,
    anthropic_stream,
    openai_reply,
    openai_stream,
    whole,
)

_MAX_HEAD_BYTES = 1 << 20


class Call:
    """One request, exactly as it came, and how far its reply has got."""

    def __init__(
        self, method: str, target: str, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers  # in order, names as they were spelt
        self.body = body
        self.steps_sent = 0  # handed to the kernel, the head included
        self.finished = asyncio.Event()
        self.abandoned = asyncio.Event()  # the client left before the reply was finished

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def json(self) -> Any:
        """The body, parsed; raises ValueError when it is not JSON."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The first value of `name`, in whatever case it was sent."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def realistic_reply(call: Call) -> Reply:
    """What LiteLLM would answer to chats, in the client's format; anything else is echoed."""
    if call.method == "POST" and call.path.endswith("/chat/completions"):
        return openai_stream(["It is ", "teal."]) if _streams(call) else openai_reply("It is teal.")
    if call.method == "POST" and call.path.endswith("/messages"):
        if _streams(call):
            return anthropic_stream(["It is ", "teal."])
        return anthropic_reply("It is teal.")
    return _echo(call)


class FakeUpstream:
    """A real HTTP/1.1 server for the length of an `async with`.

    Replies given to `script` are used up in order, one for each call; after them `answer` decides.

        async with FakeUpstream() as fake:
            fake.script(openai_stream(["Hel", gate, "lo"]))
            ...                                   # point the client at fake.url
            call = await fake.called()
            gate.set()
            await fake.disconnected.wait()
    """

    def __init__(self, answer: Callable[[Call], Reply] = realistic_reply, *, port: int = 0) -> None:
        self.calls: list[Call] = []  # in order of arrival
        self.connection_count = 0  # ever opened
        self.disconnected = asyncio.Event()  # some client left before its reply was finished
        self._answer = answer
        self._port = port
        self._script: deque[Reply] = deque()
        self._arrived = asyncio.Condition()
        self._connections: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self._port, limit=_MAX_HEAD_BYTES
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for writer in self._connections.values():
            writer.transport.abort()
        if self._connections:
            await asyncio.wait(self._connections)
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    def script(self, *replies: Reply) -> None:
        """Answer the next calls with `replies`, one each."""
        self._script.extend(replies)

    async def called(self, count: int = 1, *, deadline_s: float = 10) -> Call:
        """The `count`th call, once it has arrived; raises TimeoutError at the deadline."""
        async with asyncio.timeout(deadline_s), self._arrived:
            await self._arrived.wait_for(lambda: len(self.calls) >= count)
        return self.calls[count - 1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connection_count += 1
        self._connections[task] = writer
        writer.transport.set_write_buffer_limits(high=0)  # drained: the kernel has it
        try:
            await self._converse(reader, writer)
        finally:
            del self._connections[task]
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer call after call, while reading on so as to see the client leave."""
        pending: asyncio.Queue[Call] = asyncio.Queue()
        async with asyncio.TaskGroup() as tasks:
            answering = tasks.create_task(self._answer_all(pending, writer))
            async for call in _calls(reader):
                await self._record(call)
                pending.put_nowait(call)
            answering.cancel()

    async def _record(self, call: Call) -> None:
        async with self._arrived:
            self.calls.append(call)
            self._arrived.notify_all()

    async def _answer_all(self, pending: asyncio.Queue[Call], writer: asyncio.StreamWriter) -> None:
        while True:
            call = await pending.get()
            reply = self._script.popleft() if self._script else self._answer(call)
            try:
                await _play(reply, call, writer)
            except ConnectionError:
                return
            finally:
                if not call.finished.is_set():
                    call.abandoned.set()
                    self.disconnected.set()
            if (call.header("connection") or "").lower() == "close":
                writer.close()


async def _play(reply: Reply, call: Call, writer: asyncio.StreamWriter) -> None:
    for step in reply.steps:
        if isinstance(step, asyncio.Event):
            await step.wait()
        elif isinstance(step, Ending):
            _end(writer, step)
            break
        else:
            writer.write(step)
            await writer.drain()
            call.steps_sent += 1
    call.finished.set()


def _end(writer: asyncio.StreamWriter, ending: Ending) -> None:
    if ending is Ending.CLOSE:
        writer.close()
        return
    plug = writer.get_extra_info("socket")
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _calls(reader: asyncio.StreamReader) -> AsyncGenerator[Call]:
    """Requests until the client leaves; one that it broke off is not among them."""
    try:
        while True:
            yield await _read_call(reader)
    except (asyncio.IncompleteReadError, ConnectionError):
        return


async def _read_call(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request_line, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = request_line.split(" ", 2)
    headers = tuple((name, value.strip()) for name, _, value in (x.partition(":") for x in lines))
    return Call(method, target, headers, await _read_body(reader, headers))


async def _read_body(reader: asyncio.StreamReader, headers: tuple[tuple[str, str], ...]) -> bytes:
    framing = {name.lower(): value for name, value in headers}
    if "chunked" in framing.get("transfer-encoding", ""):
        return b"".join([chunk async for chunk in _read_chunks(reader)])
    return await reader.readexactly(int(framing.get("content-length", "0")))


async def _read_chunks(reader: asyncio.StreamReader) -> AsyncGenerator[bytes]:
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers


def _streams(call: Call) -> bool:
    return b'"stream":true' in call.body.replace(b" ", b"")


def _echo(call: Call) -> Reply:
    """The request, as JSON; the same head without a body to HEAD, as HTTP wants it."""
    seen = {
        "method": call.method,
        "target": call.target,
        "headers": call.headers,
        "body": call.body.decode("utf-8", "replace"),
    }
    reply = whole(json.dumps(seen).encode())
    if call.method != "HEAD":
        return reply
    (response,) = reply.steps
    assert isinstance(response, bytes)
    return Reply((response.partition(b"\r\n\r\n")[0] + b"\r\n\r\n",))
