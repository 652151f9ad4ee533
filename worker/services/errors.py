"""What can go wrong with local servers, in words for the person who started them."""

from __future__ import annotations


class ServiceError(Exception):
    """A server cannot be had; the message says which, why and what to do."""
