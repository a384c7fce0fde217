"""Exceptions that mean: the request cannot be met, and here is what would be right."""


class RequestError(ValueError):
    """A request that cannot be met as it stands.

    The message names the field, the value and what would be right. The command line prints it
    without a traceback and exits with code 2.
    """


class BusyError(RequestError):
    """Another process works on what was asked for."""
