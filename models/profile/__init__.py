"""Profiles: what is normal for whom, how rare an act is, and the words for it."""
