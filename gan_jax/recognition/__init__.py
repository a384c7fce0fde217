"""Classifiers trained on data, for features and for what the data are worth to them."""
