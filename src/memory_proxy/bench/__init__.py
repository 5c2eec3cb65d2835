"""Measuring the product by its own means: retrieval quality, latency, and fitting the ranker."""
