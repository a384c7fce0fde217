"""The `gan-jax` command: one file for each of its commands.

A new command is a file here, with its options and what it does, and a line in `main.COMMANDS`.
"""
