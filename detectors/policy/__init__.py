"""Which rules an API server's audit policy lets fire, and what smallest change lets the others."""
