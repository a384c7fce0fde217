"""The tiny experiment as a file, for the command line."""

from tests.tiny import tiny

experiment = tiny()
