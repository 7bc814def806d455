"""What can go wrong, by whose turn it is to act. Each error carries the exit code of the command line.

A message is one or two lines: what came, what was expected, what to do.
"""


class PatinaError(Exception):
    """Base of every error that patina raises on purpose."""

    exit_code = 5


class UsageError(PatinaError):
    """A wrong argument, key or value: the caller must change the command."""

    exit_code = 2


class DataRefused(PatinaError):
    """Data that cannot be believed or used: the owner of the data must act."""

    exit_code = 3


class StorageError(PatinaError):
    """A disk, hub or bucket that cannot be reached or refuses."""

    exit_code = 4


class StageFailed(PatinaError):
    """A stage broke for a reason of its own; the traceback is in its log."""

    exit_code = 5


class Interrupted(PatinaError):
    """Stopped from outside with its progress saved; run again to go on (EX_TEMPFAIL of sysexits.h)."""

    exit_code = 75


ERRORS_BY_NAME: dict[str, type[PatinaError]] = {
    kind.__name__: kind for kind in (UsageError, DataRefused, StorageError, StageFailed, Interrupted)
}
