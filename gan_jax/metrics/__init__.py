"""Metrics of generated samples, as functions of their features, with confidence intervals."""
