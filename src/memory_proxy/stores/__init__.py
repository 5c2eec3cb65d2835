"""Where exchanges are kept. A driver is imported in its own module only."""
