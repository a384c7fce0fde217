"""Scores of runs, or of any two sets of examples: metrics with their intervals."""
