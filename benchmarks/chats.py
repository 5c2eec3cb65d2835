"""The chats that the benchmark sends: 2 KB each, their answers scripted by the model's name."""

import json
from pathlib import Path

_RULES = "Answer briefly, name your sources, and ask when a question has two readings. "
_QUESTION = (
    "Question ############: what did we decide about the cache of the second service, "
    "and who wanted to look at the token counts of the nightly report?"
)
_BODY_BYTES = 2048


def chat(*, chunks: int = 0, interval_ms: int = 0, first_ms: int = 0) -> bytes:
    """A client that sends its newest message only; with `chunks`, asking for a stream.

    The load generator numbers the question, so that no two exchanges are the same.
    """
    question = {"role": "user", "content": _QUESTION}
    body = {"model": f"bench/{chunks}/{interval_ms}/{first_ms}", "stream": chunks > 0}
    bare = json.dumps({**body, "messages": [{"role": "system", "content": ""}, question]})
    missing = _BODY_BYTES - len(bare)
    rules = (_RULES * (missing // len(_RULES) + 1))[:missing]
    system = {"role": "system", "content": rules}
    return json.dumps({**body, "messages": [system, question]}).encode()


def write_chats(folder: Path) -> tuple[Path, Path]:
    """Files of a whole chat, and of one streamed in 50 chunks at 20 ms."""
    whole, paced = folder / "whole.json", folder / "paced.json"
    whole.write_bytes(chat())
    paced.write_bytes(chat(chunks=50, interval_ms=20))
    return whole, paced
