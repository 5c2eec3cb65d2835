from memory_proxy.core.types import Headers
from memory_proxy.security.forwarding import forwardable_headers, response_headers

KEPT: Headers = (
    ("user-agent", "OpenAI/Python 2.54.0"),
    ("content-type", "application/json"),
    ("accept", "text/event-stream"),
    ("anthropic-version", "2026-10-21"),
    ("anthropic-beta", "a"),
    ("anthropic-beta", "b"),
    ("openai-beta", "assistants=v2"),
    ("openai-organization", "org"),
    ("x-stainless-lang", "python"),
    ("x-claude-code-session-id", "1234"),
    ("traceparent", "00-1-2-01"),
    ("x-request-id", "r"),
)


def test_what_a_client_says_to_the_model_goes_on_in_order_and_as_often_as_it_came() -> None:
    assert forwardable_headers(KEPT) == KEPT


def test_keys_knobs_and_what_is_for_us_or_this_hop_stays_here() -> None:
    dropped = """
        authorization proxy-authorization x-api-key api-key x-goog-api-key x-litellm-api-key cookie
        ocp-apim-subscription-key x-litellm-tags x-litellm-timeout x-litellm-num-retries
        x-litellm-end-user-id x-litellm-session-id
        litellm-disable-message-redaction x-pass-x-api-key
        x-memory x-memory-user-id x-memory-session-id x-memory-project x-memory-ack x-session-id
        x-sm-user-id x-sm-conversation-id x-supermemory-api-key
        connection keep-alive proxy-connection te trailer transfer-encoding upgrade http2-settings
        host content-length accept-encoding expect forwarded via x-real-ip x-forwarded-for
        x-forwarded-host x-forwarded-proto
    """.split()
    headers = tuple((name, "1") for name in dropped)

    assert forwardable_headers((*headers, *KEPT)) == KEPT


def test_names_that_connection_lists_are_of_this_hop_too() -> None:
    headers = (
        ("connection", "close, X-Hop ,x-other"),
        ("x-hop", "1"),
        ("x-other", "2"),
        ("x-a", "3"),
    )

    assert forwardable_headers(headers) == (("x-a", "3"),)
    assert response_headers(headers) == (("x-a", "3"),)


def test_an_answer_keeps_its_headers_without_cookies_addresses_and_hop_by_hop() -> None:
    kept = (
        ("content-type", "application/json"),
        ("content-length", "2"),
        ("content-encoding", "gzip"),
        ("retry-after", "3"),
        ("x-litellm-call-id", "c"),
        ("x-litellm-model-id", "m"),
        ("x-ratelimit-remaining-requests", "1"),
        ("warning", "a"),
        ("warning", "b"),
    )
    dropped = tuple(
        (name, "1")
        for name in """
            set-cookie server date connection keep-alive transfer-encoding upgrade trailer
            x-litellm-model-api-base llm_provider-x-request-id llm_provider-server alt-svc
            access-control-allow-origin access-control-allow-credentials proxy-authenticate
        """.split()
    )

    assert response_headers(dropped + kept) == kept
