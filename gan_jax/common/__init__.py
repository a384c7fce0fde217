"""Helpers that every other package may use: errors, validation, files, progress."""
