"""Findings and events leave for Elasticsearch: names, documents, bulks, templates and retention.

Nothing is imported here: names and documents load without the client, which takes 65 MB.
"""
