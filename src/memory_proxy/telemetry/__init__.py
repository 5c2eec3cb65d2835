"""Logs and metrics: what operators see. Never a header value, a body, a key or memory text."""
