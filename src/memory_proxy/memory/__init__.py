"""What to recall before a chat, and what to remember after it."""
