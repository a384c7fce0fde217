"""The `gan-jax` command: one file for each of its commands."""
