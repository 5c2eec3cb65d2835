"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

MAX_EVENT_BYTES = 10 * 2**20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_COMMENT = b":"


class EventDecoder:
    """Turns bytes, split anywhere, into the `data` of complete events, in linear time.

    Event names, ids and comments are dropped: the formats we read repeat the name in their data.
    An event of more than MAX_EVENT_BYTES is dropped whole.
    """

    def __init__(self) -> None:
        self._line: list[bytes] = []  # pieces of a line whose end is still to come
        self._line_bytes = 0
        self._data: list[bytes] = []  # lines of an event whose end is still to come
        self._data_bytes = 0
        self._after_cr = False  # a line feed that comes next belongs to the line end before it
        self._at_start = True

    def feed(self, data: bytes) -> list[bytes]:
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        first, *others = data.split(b"\n")
        self._continue_line(first)
        if not others:
            return []
        rest = others.pop()
        events = self._events_of([self._ended_line(), *others])
        self._continue_line(rest)
        return events

    def _continue_line(self, piece: bytes) -> None:
        self._line_bytes += len(piece)
        self._line.append(piece)
        if self._line_bytes > MAX_EVENT_BYTES:
            self._line.clear()

    def _ended_line(self) -> bytes:
        line = b"".join(self._line)
        self._line.clear()
        if self._line_bytes > MAX_EVENT_BYTES:
            self._data_bytes += self._line_bytes
            line = _COMMENT
        self._line_bytes = 0
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BYTE_ORDER_MARK)
        return line

    def _events_of(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._continue_data(line.removeprefix(b"data:").removeprefix(b" "))
            elif not line and self._data_bytes:
                if self._data:
                    events.append(b"\n".join(self._data))
                self._data.clear()
                self._data_bytes = 0
        return events

    def _continue_data(self, line: bytes) -> None:
        self._data_bytes += len(line) + 1
        self._data.append(line)
        if self._data_bytes > MAX_EVENT_BYTES:
            self._data.clear()
