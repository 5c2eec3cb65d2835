"""`memory-proxy memory ...`: what is remembered of one user, asked of the proxy that runs."""
