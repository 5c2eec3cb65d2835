"""The built-in `demo` model: an OpenAI-compatible provider that answers by quoting."""
