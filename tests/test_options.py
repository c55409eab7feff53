from typing import Annotated, Literal

import pytest

from lasernet.errors import OptionError
from lasernet.options import Only, Option, options_of, parse_assignment, reserved_of, resolve


class Example:
    def __init__(
        self,
        spec: object = None,
        *,
        width: Annotated[int, "channels"] = 8,
        rate: Annotated[float, "speed"] = 0.5,
        kind: Annotated[Literal["a", "b"], "which"] = "a",
        deep: Annotated[bool, "or not"] = False,
        sizes: Annotated[tuple[int, ...], "per level"] = (1, 2),
        limit: Annotated[float | None, "if any"] = None,
        task: str = "microstructure",
    ) -> None: ...


def option(name: str) -> Option:
    return next(found for found in options_of(Example) if found.name == name)


def test_the_constructor_is_the_schema() -> None:
    assert [found.name for found in options_of(Example)] == ["width", "rate", "kind", "deep", "sizes", "limit"]
    assert option("kind").choices == ("a", "b")
    assert option("width").help == "channels"
    assert reserved_of(Example) == ("spec", "task")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("width", "12", 12),
        ("width", 12.0, 12),
        ("rate", "1e-3", 1e-3),
        ("deep", "yes", True),
        ("sizes", "3,4,5", (3, 4, 5)),
        ("sizes", [3, 4], (3, 4)),
        ("limit", "none", None),
        ("limit", "2", 2.0),
    ],
)
def test_text_and_json_values_come_to_their_type(name: str, text: object, value: object) -> None:
    assert option(name).parse(text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [("width", "1.5"), ("width", "x"), ("width", True), ("width", None), ("kind", "c"), ("deep", "maybe"),
     ("sizes", "1,x"), ("sizes", 3), ("rate", [1]), ("width", 1e400)],
)  # fmt: skip
def test_a_value_of_another_type_is_refused_in_one_line(name: str, text: object) -> None:
    with pytest.raises(OptionError) as error:
        option(name).parse(text)
    assert f"--{name}" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(OptionError, match="did you mean 'width'"):
        resolve(Example, {"widht": 3}, what="example")


def test_resolve_fills_in_the_defaults() -> None:
    assert resolve(Example, {"width": "3"}, what="example")["rate"] == 0.5


@pytest.mark.parametrize("text", ["model.width", "width=3", "=", "a.=3", ".b=3", ""])
def test_an_assignment_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match=r"section\.key=value"):
        parse_assignment(text)


def test_an_assignment_names_section_and_key() -> None:
    assert parse_assignment("model.rnn-layers=2") == ("model", "rnn_layers", "2")


class Oven:
    def __init__(
        self,
        *,
        fuel: Annotated[Literal["gas", "wood", "coal"], "what burns"] = "gas",
        logs: Annotated[int, "how many", Only("fuel", ("wood", "coal"))] = 3,
    ) -> None:
        pass


def test_an_option_without_effect_is_refused() -> None:
    with pytest.raises(OptionError, match=r"--logs 4 has no effect with --fuel gas.*--fuel wood or coal"):
        resolve(Oven, {"logs": 4}, what="oven")
    assert resolve(Oven, {"logs": "4", "fuel": "coal"}, what="oven") == {"fuel": "coal", "logs": 4}


def test_a_default_without_effect_may_be_repeated() -> None:
    assert resolve(Oven, {"logs": 3}, what="oven") == {"fuel": "gas", "logs": 3}
