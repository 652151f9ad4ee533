"""Stage 5: the stages are wired into one path, with settings and accounts."""
