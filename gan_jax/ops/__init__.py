"""Numerical kernels, with a lowering for each platform."""
