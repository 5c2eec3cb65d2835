"""The processes we launch and watch: LiteLLM, in an environment of its own, and the demo."""
