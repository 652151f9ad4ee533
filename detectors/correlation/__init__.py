"""Events over time: signals of rules in, findings of correlations out."""
