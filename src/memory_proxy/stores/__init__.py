"""Where exchanges are kept. `open_store` chooses by URL; drivers are imported in their own module."""
