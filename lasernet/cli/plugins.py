"""Models from files: run only code that was named on this machine's command line.

A run keeps the path and the hash of its model's file, and a run may come from anywhere. So its file is
imported only if the same content was typed here before (``lasernet train ./my_model.py:ResConv``), which a
list of hashes in the user's state directory remembers, or is typed now with ``--plugin``.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from lasernet.cli.output import say
from lasernet.errors import RunError
from lasernet.registry import load_file
from lasernet.run import model_files


def is_file_reference(name: str) -> bool:
    """Whether a model is named as ``path/file.py:Class``."""
    return ".py:" in name


def import_plugin(reference: str) -> tuple[str, dict[str, str]]:
    """Import ``file.py:Class`` as typed by the user and remember its content.

    Returns:
        The model's registered name, and what a run's configuration keeps of its source.
    """
    name = load_file(reference)
    file, _, attribute = reference.rpartition(":")
    path = Path(file).expanduser().resolve()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    _remember(digest)
    return name, {"file": str(path), "class": attribute, "sha256": digest}


def import_for_run(config: dict[str, Any]) -> None:
    """Import the model files that a run's configuration names, if their content is known here.

    Raises:
        RunError: if a file is gone, or was never named on this machine.
    """
    for source in model_files(config):
        file, attribute = str(source.get("file")), str(source.get("class"))
        path = Path(file)
        ask = f"name it, as in --plugin ./{path.name}:{attribute}"
        if not path.is_file():
            raise RunError(f"the model's file {file} is not here; {ask}")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest not in _known():
            raise RunError(f"the model's code {file} was never named on this machine, or has changed since; {ask}")
        if digest != source.get("sha256"):
            say(f"warning: {path.name} has changed since the run was started")
        load_file(f"{file}:{attribute}")


def _list_file() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(base) / "lasernet" / "plugins"


def _known() -> set[str]:
    try:
        return set(_list_file().read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return set()


def _remember(digest: str) -> None:
    if digest in _known():
        return
    try:
        _list_file().parent.mkdir(parents=True, exist_ok=True)
        with open(_list_file(), "a", encoding="ascii") as file:
            file.write(f"{digest}\n")
    except OSError as error:
        say(f"warning: {_list_file()} cannot be written ({error.strerror}); later commands will need --plugin")
