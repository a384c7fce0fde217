"""How training ends."""

import enum


class Outcome(enum.Enum):
    """How `train` ended when it raised nothing."""

    FINISHED = enum.auto()
    STOPPED = enum.auto()  # by a signal, after saving


class DivergedError(Exception):
    """A loss or a parameter is NaN or infinite, in every run that was training."""
