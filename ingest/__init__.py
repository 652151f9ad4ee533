"""Stage 1 of the data path: bytes become events."""
