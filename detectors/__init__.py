"""Stage 3 of the data path: events become findings."""
