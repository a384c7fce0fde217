"""Generative adversarial networks in JAX and Flax: one file in, a trained generator out."""
