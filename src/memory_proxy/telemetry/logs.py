"""Log lines: JSON or readable, rendered off the event loop, with the request's id in each.

The code logs a fixed lower-case message with facts as `extra` fields. Never a header value, a body,
a key or memory text: ids and sizes.
"""

import logging
import queue
import sys
from collections.abc import Generator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from logging.handlers import QueueHandler, QueueListener
from typing import Any, TextIO

import structlog

request_id_of_context: ContextVar[str] = ContextVar("request_id", default="")

_QUEUED_LINES = 10_000


class _Enqueue(QueueHandler):
    """Hands the record over as it is: one line rendered on the loop costs more than a request."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        record.request_id = request_id_of_context.get()
        return record

    def handleError(self, record: logging.LogRecord) -> None:
        """A full queue drops the line: logging never holds up a chat."""


@contextmanager
def logging_to(stream: TextIO | None, *, level: str, as_json: bool) -> Generator[None]:
    """Log to `stream` (standard error when None) until the context ends; then flush."""
    records: queue.Queue[logging.LogRecord] = queue.Queue(_QUEUED_LINES)
    rendering = logging.StreamHandler(stream or sys.stderr)
    rendering.setFormatter(_formatter(as_json=as_json))
    listener = QueueListener(records, rendering)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers[:] = [_Enqueue(records)]
    root.setLevel(level.upper())
    listener.start()
    try:
        yield
    finally:
        root.handlers[:], _ = before
        root.setLevel(before[1])
        listener.stop()


def _formatter(*, as_json: bool) -> logging.Formatter:
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _one_line,
    ]
    rendered: list[structlog.types.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
    )


def _one_line(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """No field may begin a line or move a cursor of its own (CR, LF, ANSI escapes)."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[name] = value.encode("unicode_escape").decode()
    if not event.get("request_id"):
        event.pop("request_id", None)
    return event
