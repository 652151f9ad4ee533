"""Learned detectors: what is normal is learned from events in order of time, findings come out."""
