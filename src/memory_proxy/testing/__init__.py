"""Fakes for testing what stands around a model: a scripted provider and a clock. No mocks."""

from memory_proxy.testing.clock import FrozenClock
from memory_proxy.testing.replies import (
    Ending,
    Reply,
    anthropic_body,
    anthropic_events,
    anthropic_reply,
    anthropic_stream,
    hang,
    openai_body,
    openai_events,
    openai_reply,
    openai_stream,
    streamed,
    whole,
)
from memory_proxy.testing.upstream import Call, FakeUpstream, realistic_reply

__all__ = [
    "Call",
    "Ending",
    "FakeUpstream",
    "FrozenClock",
    "Reply",
    "anthropic_body",
    "anthropic_events",
    "anthropic_reply",
    "anthropic_stream",
    "hang",
    "openai_body",
    "openai_events",
    "openai_reply",
    "openai_stream",
    "realistic_reply",
    "streamed",
    "whole",
]
