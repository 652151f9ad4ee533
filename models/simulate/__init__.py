"""A simulated fleet of clusters as raw audit records, with labelled attacks among them."""
