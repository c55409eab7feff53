"""The errors that a user can act on: one sentence each, exit code 2."""


class LasernetError(Exception):
    """What was found, what was expected, what to do: one line, shown without a traceback."""

    exit_code = 2

    def __str__(self) -> str:
        return " ".join(" ".join(str(part) for part in self.args).split())


class OptionError(LasernetError):
    """An option, name or combination of options that cannot be used."""


class DataError(LasernetError):
    """A data file that is missing, damaged or does not hold what is needed."""


class RunError(LasernetError):
    """A run directory that is missing, damaged, locked or does not fit the request."""


class Diverged(LasernetError):
    """Training produced a loss or a weight that is not finite."""

    exit_code = 3


class CheckFailed(LasernetError):
    """A check or a gate (``--fail-if``, ``data verify``) did not hold."""

    exit_code = 4
