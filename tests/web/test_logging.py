import asyncio
import io
import json

from memory_proxy.security.keys import KeyRing
from memory_proxy.telemetry.logs import logging_to
from memory_proxy.testing import openai_stream
from memory_proxy.web.access import Access
from tests.web.conftest import Launch

KEY = "sk-canary-key-canary-key"


async def test_a_log_holds_ids_and_sizes_and_never_a_key_a_header_or_a_word(
    launch: Launch,
) -> None:
    """PR7: also at DEBUG, and when things go wrong."""
    stream = io.StringIO()
    with logging_to(stream, level="debug", as_json=True):
        proxy = await launch(access=Access(KeyRing(KEY)))
        headers = {"authorization": f"Bearer {KEY}", "x-canary": "canary-header"}
        await proxy.ask("canary words", headers=headers | {"x-request-id": "my-request"})
        await proxy.ask("canary words", headers={"authorization": "Bearer sk-canary-wrong"})
        proxy.fake.script(openai_stream(["canary reply", "canary"], break_after=1))
        await proxy.ask("canary words", stream=True, headers=headers)
        async with proxy.client.post(
            f"{proxy.url}/v1/chat/completions?key={KEY}", data=b"{canary", headers=headers
        ) as reply:
            await reply.read()
        await asyncio.sleep(0)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    answered = [line for line in lines if line["event"] == "answered"]

    assert "canary" not in stream.getvalue()
    assert [line["status"] for line in answered] == [200, 401, 200, 200]
    assert answered[0]["request_id"] == "my-request"
    assert all(line["request_id"] for line in answered)
