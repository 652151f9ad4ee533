"""Sigma rules in, Polars expressions out: the compiler of detection rules."""
