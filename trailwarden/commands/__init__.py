"""The commands, one module an area: options here, what they do is imported when they run."""
