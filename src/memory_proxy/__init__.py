"""LiteLLM Memory Proxy: any LLM client gets a memory by changing one URL."""

__version__ = "0.1.0"
