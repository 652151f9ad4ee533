"""Fitting and evaluating models: the only place that may use scikit-learn and NumPy.

No worker imports anything of this package; `trailwarden train` and `evaluate` do.
"""
