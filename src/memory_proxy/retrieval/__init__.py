"""Finding the stored turns that matter for this one, without an LLM."""
