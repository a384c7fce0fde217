"""Classifiers: their training as feature networks, and what the samples of runs teach them."""
