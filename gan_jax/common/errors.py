"""Exceptions for requests that cannot be met, whose messages say what would be right."""


class RequestError(ValueError):
    """A request that cannot be met, for example a field with an invalid value.

    The message names the field, its value and what would be right. The command line prints it
    without a traceback and exits with code 2.
    """


class UnreadableError(Exception):
    """A file of examples is missing, damaged, of another format or too large; is named in full."""


class BusyError(RequestError):
    """Another process is already working on what was requested."""
