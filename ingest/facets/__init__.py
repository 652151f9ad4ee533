"""Facets: what a rule wants to know of a body, worked out once into typed columns."""
