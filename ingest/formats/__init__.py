"""One module per input format: record bytes become typed values."""
