"""Numerical kernels with one lowering for each platform."""
