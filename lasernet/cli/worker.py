"""One process of a training in several: ``python -m lasernet.cli.worker RUN SETTINGS [PLUGIN…]``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from lasernet.cli.app import guarded
from lasernet.cli.output import QUIET, Settings, TerminalReporter, route_messages, speaks_for_all
from lasernet.engine.launch import report_error, watch_parent
from lasernet.engine.progress import LogReporter
from lasernet.registry import load_file


def main(arguments: list[str]) -> int:
    """Train; the exit code says how it ended."""
    watch_parent()
    main_rank = speaks_for_all()
    settings = Settings(quiet=not main_rank or QUIET in os.environ)
    settings.stop.install()
    route_messages(settings)

    def work() -> int:
        from lasernet.engine.train import train_worker

        for file in arguments[2:]:
            load_file(file)  # named by the process that started this one
        reporter = TerminalReporter(settings) if main_rank else LogReporter()
        train_worker(Path(arguments[0]), json.loads(arguments[1]), settings.stop, reporter)
        return 0

    return guarded(work, settings, report=report_error)


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)  # all is written; threads of the process group sometimes abort an orderly exit
