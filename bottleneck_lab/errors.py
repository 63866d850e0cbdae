"""The one exception that users are meant to see."""


class LabError(Exception):
    """What went wrong, where, and what to do about it, in a sentence or two.

    Raised for anything a user can cause: a misspelt key, missing data, an impossible shape. The command
    line prints its text without a traceback and exits with code 2.
    """
