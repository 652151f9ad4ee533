"""Profiles and learned models: what is normal for whom, and traffic to learn it from."""
