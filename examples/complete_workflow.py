"""Everything that the memory proxy does for a client, step by step, with nothing but Python.

    make run                                   # in one terminal
    python3 examples/complete_workflow.py      # in another, in the same folder

Each step says what it does and what came; the exit code is 1 when one is not as expected. The demo
model answers unless you name another: `--model gpt-5.4-mini`. Two users are made up for it, and all
that they said is deleted at the end.
"""

import argparse
import json
import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

TOLD = "My favourite colour is teal"
QUESTION = "What is my favourite colour?"


class Unexpected(Exception):
    """A step did not come out as it should; the text says how."""


@dataclass(frozen=True)
class Client:
    """One user of the proxy. Any HTTP client will do; an SDK only needs the URL and the key."""

    url: str
    key: str
    model: str
    user: str

    def chat(self, text: str, *, session: str) -> str:
        """OpenAI chat completions; only the newest message is sent."""
        with self._send("POST", "/v1/chat/completions", self._chat(text), session) as reply:
            return str(json.load(reply)["choices"][0]["message"]["content"])

    def chat_as_anthropic(self, text: str, *, session: str) -> str:
        """Anthropic messages; the memory is the same."""
        body = self._chat(text) | {"max_tokens": 300}
        with self._send("POST", "/v1/messages", body, session) as reply:
            return "".join(block.get("text", "") for block in json.load(reply)["content"])

    def chat_in_pieces(self, text: str, *, session: str) -> list[str]:
        """The answer as it comes."""
        body = self._chat(text) | {"stream": True}
        with self._send("POST", "/v1/chat/completions", body, session) as reply:
            return [piece for event in events_of(reply) if (piece := piece_of(event))]

    def sessions(self) -> list[str]:
        with self._send("GET", "/memory/sessions") as reply:
            return [session["id"] for session in json.load(reply)["sessions"]]

    def turns(self, session: str) -> list[str]:
        with self._send("GET", f"/memory/sessions/{quote(session)}") as reply:
            return [f"{turn['role']}: {turn['text']}" for turn in json.load(reply)["turns"]]

    def forget(self, session: str) -> int:
        with self._send("DELETE", f"/memory/sessions/{quote(session)}") as reply:
            return int(json.load(reply)["deleted_turns"])

    def _chat(self, text: str) -> dict[str, Any]:
        return {"model": self.model, "messages": [{"role": "user", "content": text}]}

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None = None, session: str = ""
    ) -> HTTPResponse:
        headers = {
            "authorization": f"Bearer {self.key}",
            "content-type": "application/json",
            "x-memory-user-id": self.user,
        }
        if session:
            headers["x-session-id"] = session
        content = json.dumps(body).encode() if body else None
        reply: HTTPResponse = urlopen(
            Request(self.url + path, content, headers, method=method), timeout=120
        )
        return reply


def main() -> int:
    options = arguments()
    try:
        key = Path(options.key_file).read_text("utf-8").strip()
        ann, bob = (
            Client(options.url, key, options.model, f"{name}-{secrets.token_hex(4)}")
            for name in ("ann", "bob")
        )
        for number, step in enumerate(STEPS, 1):
            print(f"\n{number}. {step.__doc__}")
            print(f"   {step(ann, bob)}\n   ok")
    except HTTPError as error:
        return failed(f"HTTP {error.code}: {error.read().decode(errors='replace')}")
    except URLError as error:
        return failed(f"nothing answers at {options.url} ({error.reason}); start it by: make run")
    except OSError as error:
        return failed(f"no key: {error}; `make run` makes it, --key-file says where it is")
    except Unexpected as error:
        return failed(str(error))
    print("\nEverything came out as expected.")
    return 0


def tell(ann: Client, _: Client) -> str:
    """Ann tells something, in session `monday`."""
    return ann.chat(TOLD, session="monday")


def ask_in_the_same_session(ann: Client, _: Client) -> str:
    """She asks in the same session, and sends nothing but the question."""
    return with_teal(ann.chat(QUESTION, session="monday"))


def ask_in_another_session(ann: Client, _: Client) -> str:
    """She asks in session `tuesday`: long-term memory answers."""
    return with_teal(ann.chat(QUESTION, session="tuesday"))


def ask_in_another_format(ann: Client, _: Client) -> str:
    """She asks through the Anthropic API: it is the same memory."""
    return with_teal(ann.chat_as_anthropic(QUESTION, session="wednesday"))


def ask_for_a_stream(ann: Client, _: Client) -> str:
    """She has the answer streamed."""
    pieces = ann.chat_in_pieces(QUESTION, session="thursday")
    expect(len(pieces) > 1, f"the answer came in {len(pieces)} piece")
    return with_teal("".join(pieces)) + f"   ({len(pieces)} pieces)"


def ask_as_somebody_else(_: Client, bob: Client) -> str:
    """Bob asks the same, in a session of the same name: he learns nothing of Ann's."""
    said = bob.chat(QUESTION, session="monday")
    expect("teal" not in said, f"Bob was told: {said}")
    return said


def list_sessions(ann: Client, bob: Client) -> str:
    """Both look at what is kept of them."""
    expect(set(ann.sessions()) == {"monday", "tuesday", "wednesday", "thursday"}, "not Ann's")
    expect(bob.sessions() == ["monday"], f"not Bob's: {bob.sessions()}")
    expect(ann.turns("monday")[0] == f"user: {TOLD}", "what Ann said first is not kept")
    return f"Ann: {', '.join(ann.sessions())}. Bob: {', '.join(bob.sessions())}."


def delete_a_session(ann: Client, _: Client) -> str:
    """Ann deletes session `monday`."""
    count = ann.forget("monday")
    expect(count == 4, f"{count} turns were deleted, not the 4 of two exchanges")
    expect("monday" not in ann.sessions(), "it is still listed")
    return f"{count} turns deleted; left: {', '.join(ann.sessions())}"


def delete_everything(ann: Client, bob: Client) -> str:
    """Both delete the rest, and Ann asks again."""
    for client in (ann, bob):
        for session in client.sessions():
            client.forget(session)
    said = ann.chat(QUESTION, session="friday")
    expect("teal" not in said, f"it still knows: {said}")
    ann.forget("friday")
    return said


STEPS: tuple[Callable[[Client, Client], str], ...] = (
    tell,
    ask_in_the_same_session,
    ask_in_another_session,
    ask_in_another_format,
    ask_for_a_stream,
    ask_as_somebody_else,
    list_sessions,
    delete_a_session,
    delete_everything,
)


def events_of(reply: HTTPResponse) -> Iterator[dict[str, Any]]:
    """The JSON of each server-sent event, as it arrives."""
    for line in reply:
        if line.startswith(b"data: {"):
            yield json.loads(line.removeprefix(b"data: "))


def piece_of(event: dict[str, Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in event["choices"])


def with_teal(said: str) -> str:
    expect("teal" in said.lower(), f"the answer does not name the colour: {said}")
    return said


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Unexpected(otherwise)


def failed(reason: str) -> int:
    print(f"\nNot as expected: {reason}", file=sys.stderr)
    return 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--url", default="http://127.0.0.1:8764", help="of the memory proxy")
    parser.add_argument("--key-file", default=".memory-proxy/master.key")
    parser.add_argument("--model", default="demo")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
