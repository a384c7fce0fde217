"""Scores: from a run, or any two sets of images, to metrics with their intervals."""
