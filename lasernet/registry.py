"""Names of models and losses, known without importing the modules (and torch) that define them."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TypeVar

from lasernet.errors import LasernetError, OptionError

T = TypeVar("T", bound=type)
PLUGIN_MODULE = "lasernet_plugin_"  # begins the module name of a user's own file


@dataclass(frozen=True)
class Entry:
    """Where a name is defined and the first line that describes it."""

    name: str
    module: str
    attribute: str
    summary: str


def suggestion(name: str, known: list[str]) -> str:
    """A half-sentence "did you mean …" for a mistyped name, or the list of all names."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else "known: " + ", ".join(sorted(known))


class Registry:
    """A dict from name to class, filled by a decorator and readable without importing anything.

    The source files of ``package`` are scanned for the decorator, so that one new file is all
    that a new entry needs. Installed packages add theirs by the entry-point group of the same name.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._classes: dict[str, type] = {}
        self._entries: dict[str, Entry] | None = None

    def register(self, name: str) -> Callable[[T], T]:
        """Class decorator: make the class known under ``name``."""

        def decorate(cls: T) -> T:
            known = self._classes.get(name)
            if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
                raise OptionError(
                    f"{self.kind} name '{name}' is taken by {known.__module__}.{known.__qualname__}; "
                    "each name stands for one class; choose another name"
                )
            cls.registered_name = name  # type: ignore[attr-defined]
            self._classes[name] = cls
            return cls

        return decorate

    def entries(self) -> dict[str, Entry]:
        """Every known name with its summary; scans sources and entry points once."""
        if self._entries is None:
            self._entries = {entry.name: entry for entry in self._scan()}
            for point in metadata.entry_points(group=self.package):
                summary = f"from {point.dist.name}" if point.dist else "from an installed package"
                self._entries.setdefault(point.name, Entry(point.name, point.module, point.attr, summary))
        imported = {
            name: Entry(name, cls.__module__, cls.__qualname__, first_line(cls.__doc__))
            for name, cls in self._classes.items()
        }
        return {**imported, **self._entries}

    def names(self) -> list[str]:
        """Every known name, sorted."""
        return sorted(self.entries())

    def get(self, name: str) -> type:
        """The class registered as ``name``.

        Raises:
            OptionError: if nobody registered that name; the message suggests the closest one.
        """
        if name in self._classes:
            return self._classes[name]
        entry = self.entries().get(name)
        if entry is None:
            raise OptionError(f"no {self.kind} named '{name}'; {suggestion(name, self.names())}")
        cls = getattr(importlib.import_module(entry.module), entry.attribute)
        return self._classes.setdefault(name, cls)

    def _scan(self) -> Iterator[Entry]:
        package = importlib.util.find_spec(self.package)
        folders = (package.submodule_search_locations or []) if package else []
        for source in sorted(path for folder in folders for path in Path(folder).glob("*.py")):
            text = source.read_text(encoding="utf-8")
            if f"@register_{self.kind}(" not in text:
                continue
            for node in ast.parse(text).body:
                if not isinstance(node, ast.ClassDef):
                    continue
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == f"register_{self.kind}":
                        name = ast.literal_eval(mark.args[0])
                        summary = first_line(ast.get_docstring(node))
                        yield Entry(name, f"{self.package}.{source.stem}", node.name, summary)


def first_line(text: str | None) -> str:
    """The first line of a docstring or message, without its full stop."""
    return (text or "").strip().split("\n")[0].rstrip(".")


MODELS = Registry("model", "lasernet.models")
LOSSES = Registry("loss", "lasernet.losses")

register_model = MODELS.register
register_loss = LOSSES.register


def load_file(reference: str, kind: Registry = MODELS) -> str:
    """Import ``path/to/file.py:Class`` and return the name under which the class is registered.

    This runs the file: call it only with a reference that the user typed.

    Raises:
        OptionError: if the file or the class in it does not exist.
    """
    file, _, attribute = reference.rpartition(":")
    path = Path(file).expanduser()
    if not path.is_file():
        raise OptionError(f"no file '{path}'; expected a path to a Python file, as in ./my_model.py:ResConv")
    module_name = f"{PLUGIN_MODULE}{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path.resolve())
    if spec is None or spec.loader is None:
        raise OptionError(f"'{path}' is no Python file; expected a name that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except LasernetError:
        raise
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        raise OptionError(
            f"'{path}' cannot be imported ({type(error).__name__}: {first_line(str(error))}); "
            "expected a Python file that defines a model; mend it (--debug shows more)"
        ) from error
    cls = getattr(module, attribute, None)
    if not isinstance(cls, type):
        found = [key for key, value in vars(module).items() if isinstance(value, type)]
        raise OptionError(f"'{path}' has no class '{attribute}'; {suggestion(attribute, found)}")
    name = vars(cls).get("registered_name")
    if name is None:
        name = attribute
        kind.register(name)(cls)
    return str(name)
