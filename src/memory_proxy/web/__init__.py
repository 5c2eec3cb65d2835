"""Our own routes, and the one callable through which everything else is proxied."""
