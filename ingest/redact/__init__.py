"""Secrets are taken out of records before anything leaves normalize.

Structure first (where the API says a secret is), patterns second (what looks like one).
"""
