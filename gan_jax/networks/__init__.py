"""Architectures: one self-contained file each, and the layers that they share."""
