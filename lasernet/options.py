"""Options read off signatures: a constructor's keyword-only parameters are its options, everywhere.

Command-line flags, ``--set``, configuration files and ``config.json`` all use the list that
:func:`options_of` makes, so nothing is declared twice.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin, get_type_hints

from lasernet.errors import OptionError
from lasernet.registry import suggestion

RESERVED = ("spec", "task")  # filled by the engine, never by the user
Value = bool | int | float | str | tuple[int, ...] | tuple[float, ...] | None


@dataclass(frozen=True)
class Only:
    """A note to a parameter: it has an effect only while another option has one of these values."""

    option: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Option:
    """One parameter that a user may set: its name, type, default and one line of help."""

    name: str
    kind: type
    default: object
    help: str
    choices: tuple[str, ...] = ()
    optional: bool = False
    item: type | None = None  # the element type where kind is tuple
    only: Only | None = None

    @property
    def flag(self) -> str:
        """The name on the command line, without the dashes."""
        return self.name.replace("_", "-")

    def parse(self, value: object) -> Value:
        """Bring text or a JSON value to this option's type.

        Raises:
            OptionError: if the value does not fit the type or the choices.
        """
        if value is None or (self.optional and isinstance(value, str) and value.lower() == "none"):
            if self.optional or value is self.default:
                return None
            raise self._error(value)
        if self.kind is tuple:
            parts = value.replace(":", ",").split(",") if isinstance(value, str) else value
            if not isinstance(parts, (list, tuple)) or self.item is None:
                raise self._error(value)
            return tuple(self._scalar(part, self.item) for part in parts)  # type: ignore[return-value]
        result = self._scalar(value, self.kind)
        if self.choices and result not in self.choices:
            raise OptionError(f"--{self.flag} {result}: expected one of {', '.join(self.choices)}")
        return result

    def check_effect(self, values: Mapping[str, object]) -> None:
        """Refuse a value other than the default where it would change nothing.

        Raises:
            OptionError: naming the option that it hangs on.
        """
        if self.only and values[self.name] != self.default and values[self.only.option] not in self.only.values:
            other, wanted = self.only.option.replace("_", "-"), " or ".join(self.only.values)
            raise OptionError(
                f"--{self.flag} {values[self.name]} has no effect with --{other} {values[self.only.option]}; "
                f"leave it out or choose --{other} {wanted}"
            )

    def _scalar(self, value: object, kind: type) -> bool | int | float | str:
        try:
            if kind is bool:
                if isinstance(value, str):
                    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[
                        value.lower()
                    ]
                if isinstance(value, bool):
                    return value
                raise ValueError(value)
            if isinstance(value, bool):
                raise ValueError(value)
            if kind is int:
                if isinstance(value, str):
                    return int(value)
                if isinstance(value, (int, float)) and int(value) == value:
                    return int(value)
            elif kind is float and isinstance(value, (int, float, str)):
                return float(value)
            elif kind is str and isinstance(value, str):
                return value
            raise ValueError(value)
        except (ValueError, KeyError, OverflowError):
            raise self._error(value) from None

    def _error(self, value: object) -> OptionError:
        wanted = f"{self.item.__name__}s with commas between" if self.item else self.kind.__name__
        return OptionError(f"--{self.flag}: found {value!r}, expected {wanted}; see --help")


def options_of(target: Callable[..., object]) -> list[Option]:
    """The options of a class or function: its keyword-only parameters, in their order.

    Parameters of base classes count when the constructor takes ``**kwargs`` for them.
    """
    call = _constructor(target)
    hints = get_type_hints(call, include_extras=True)
    found = []
    for parameter in inspect.signature(call).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.name not in RESERVED:
            found.append(_option(parameter, hints.get(parameter.name, str)))
    return found


def reserved_of(target: Callable[..., object]) -> tuple[str, ...]:
    """The parameters of a constructor that the engine fills in (see ``RESERVED``)."""
    return tuple(name for name in RESERVED if name in inspect.signature(_constructor(target)).parameters)


def _constructor(target: Callable[..., object]) -> Callable[..., object]:
    """The function whose signature holds the options: the class's own or inherited ``__init__``."""
    if not isinstance(target, type):
        return target
    found: Callable[..., object] = next(vars(cls)["__init__"] for cls in target.__mro__ if "__init__" in vars(cls))
    return found


def _option(parameter: inspect.Parameter, hint: object) -> Option:
    text, only = "", None
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
        text = next((note for note in notes if isinstance(note, str)), "")
        only = next((note for note in notes if isinstance(note, Only)), None)
    optional = False
    if get_origin(hint) in (Union, types.UnionType):
        members = [member for member in get_args(hint) if member is not type(None)]
        optional = len(members) < len(get_args(hint))
        hint = members[0]
    choices: tuple[str, ...] = ()
    item = None
    if get_origin(hint) is Literal:
        choices = tuple(str(choice) for choice in get_args(hint))
        hint = str
    elif get_origin(hint) is tuple:
        item = get_args(hint)[0]
        hint = tuple
    if not _is_plain(hint):
        raise TypeError(f"parameter '{parameter.name}' of type {hint!r} cannot be an option")
    default = None if parameter.default is inspect.Parameter.empty else parameter.default
    return Option(parameter.name, hint, default, text, choices, optional, item, only)


def _is_plain(hint: object) -> TypeGuard[type]:
    return hint in (bool, int, float, str, tuple)


def resolve(target: Callable[..., object], values: Mapping[str, object], *, what: str) -> dict[str, Any]:
    """Defaults of ``target`` overlaid with ``values``, each brought to its type.

    Raises:
        OptionError: for a name that ``target`` does not take, a value of the wrong type, or one without effect.
    """
    known = {option.name: option for option in options_of(target)}
    for name in values:
        if name not in known:
            raise OptionError(f"{what} has no option '{name}'; {suggestion(name, list(known))}")
    found = {name: option.parse(values[name]) if name in values else option.default for name, option in known.items()}
    for option in known.values():
        option.check_effect(found)
    return found


def parse_assignment(text: str) -> tuple[str, str, str]:
    """``section.key=value`` → (section, key, value).

    Raises:
        OptionError: if the text has another form.
    """
    name, equals, value = text.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section and key):
        raise OptionError(f"--set {text!r}: expected section.key=value, as in model.rnn_layers=2")
    return section, key.replace("-", "_"), value.strip()


def in_words(name: str, value: float | bool, between: str) -> str:
    """What was asked of answers: the option's name, and its value unless it is a switch."""
    words = name.replace("_", "-")
    return words if value is True else f"{words}{between}{value:g}"
