"""Scores of generated samples: pure functions of features, each with its uncertainty."""
