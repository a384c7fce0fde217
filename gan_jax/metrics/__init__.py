"""Scores of generated samples: features of images, and functions of features."""
