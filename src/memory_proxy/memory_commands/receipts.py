"""A receipt as a person reads it on a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any


def receipt_text(receipt: Mapping[str, Any]) -> str:
    return "".join(f"{line}\n" for line in _lines(receipt))


def _lines(receipt: Mapping[str, Any]) -> Iterator[str]:
    yield f"trace     {receipt['id']}  {receipt['at']}"
    yield f"request   {receipt['request_class']}, memory {receipt['mode']}"
    yield f"session   {receipt['session']}"
    yield f"asked     {_one_line(receipt['query']) or 'nothing: no note was due'}"
    yield f"ledger    {receipt['ledger']}"
    if receipt["trouble"]:
        yield f"trouble   {receipt['trouble']}"
    steps = ", ".join(f"{step} {ms} ms" for step, ms in receipt["milliseconds"].items())
    yield f"took      {steps or 'nothing was read'}"
    yield f"looked at {receipt['considered']} turns; recalled {len(receipt['recalled'])}"
    for turn in receipt["recalled"]:
        yield ""
        yield f"  {turn['score']:.2f}  {turn['id']}  {turn['role']}, {turn['age_days']} days ago"
        yield f"        {_one_line(turn['text'])}"
        yield f"        because {'; '.join(turn['reasons']) or 'its words fit'}"
    if receipt["dropped"]:
        yield ""
        yield "left out:"
    for turn in receipt["dropped"]:
        yield f"  {turn['score']:.2f}  {turn['id']}  {turn['why']}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
