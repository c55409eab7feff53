"""What the tests of the command line share."""

import commands
import pytest


@pytest.fixture(scope="session", autouse=True)
def _prepared() -> None:
    commands.prepare()  # before a test moves the home directory, where libraries keep their caches
