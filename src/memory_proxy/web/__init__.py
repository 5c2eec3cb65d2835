"""The HTTP surface: our own routes, and the one callable through which everything else is proxied."""
