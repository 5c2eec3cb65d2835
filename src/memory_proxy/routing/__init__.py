"""Who is calling, and which session this is. Reads headers; does no I/O."""
