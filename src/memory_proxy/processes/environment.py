"""The environment variables that LiteLLM gets: only those listed here, or named by its config."""

import re
from collections.abc import Mapping

# Where programs, files, certificates and the way out are.
_NAMES = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_VERIFY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
})  # fmt: skip
# What LiteLLM itself reads, and the credentials of providers that it finds without being told.
_PREFIXES = (
    "LC_", "LITELLM_",
    "ANTHROPIC_", "AWS_", "AZURE_", "CEREBRAS_", "CLOUDFLARE_", "COHERE_", "DATABRICKS_",
    "DEEPINFRA_", "DEEPSEEK_", "FIREWORKS_AI_", "GEMINI_", "GOOGLE_", "GROQ_", "HF_",
    "HUGGINGFACE_", "MISTRAL_", "NVIDIA_NIM_", "OLLAMA_", "OPENAI_", "OPENROUTER_", "PERPLEXITYAI_",
    "REPLICATE_", "TOGETHERAI_", "VERTEX_", "VERTEXAI_", "VOYAGE_", "WATSONX_", "XAI_",
)  # fmt: skip
_REFERENCE = re.compile(r"os\.environ/([A-Za-z_][A-Za-z0-9_]*)")


def litellm_environment(
    ours: Mapping[str, str], *, config_text: str, master_key: str, demo_url: str | None
) -> dict[str, str]:
    """What is listed of `ours`, or named in `config_text`, and what LiteLLM must run under."""
    named = frozenset(_REFERENCE.findall(config_text))
    allowed = {name: value for name, value in ours.items() if name in named or _is_listed(name)}
    return allowed | {
        "LITELLM_MASTER_KEY": master_key,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else three downloads delay each start
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",  # else it reads any .env file that it finds
        "LITELLM_SUPPRESS_STARTUP_OUTPUT": "True",
        # Port 9, "discard", answers nothing; without an address it would ask OpenAI instead.
        "MEMORY_PROXY_DEMO_URL": demo_url or "http://127.0.0.1:9/v1",
    }


def demo_environment(ours: Mapping[str, str]) -> dict[str, str]:
    """The demo provider needs no credential and gets none."""
    return {name: value for name, value in ours.items() if name.upper() in _NAMES}


def _is_listed(name: str) -> bool:
    return name.upper() in _NAMES or name.startswith(_PREFIXES)
