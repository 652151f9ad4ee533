"""Settings and servers as they are in, a list of what is right and wrong with them out."""
