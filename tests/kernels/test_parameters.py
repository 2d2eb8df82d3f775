"""Parameters: coercion by annotation, and errors that name the nearest right one."""

import numpy as np
import pytest

from workbench.errors import BadInput, BadValue, UnknownName
from workbench.kernels.parameters import Parametrised, coerced


class Box(Parametrised):
    width: int
    height: float = 2
    open: bool = False
    label: str = "box"


class Tall(Box):
    height = 9


def test_values_take_their_annotated_kind() -> None:
    box = Box(np.int64(3), height=np.float32(0.5))
    assert (box.width, box.height) == (3, 0.5)
    assert [type(v) for v in box.parameters.values()] == [int, float, bool, str]
    assert Box(14.0).parameters["width"] == 14
    assert repr(Box(1)) == "Box(width=1, height=2.0, open=False, label='box')"
    assert Box(1) == Box(width=1) != Box(2)


def test_a_subclass_gives_a_new_default() -> None:
    assert Tall(1).parameters["height"] == 9.0


def test_a_misspelt_parameter_answers_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="parameter of Box 'hieght' is unknown: did you mean 'height'"):
        Box(1, hieght=2)


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("period", 1.5, "int"),
        ("period", True, "int"),
        ("period", "14", "int"),
        ("period", 2**64, "int"),
        ("low", float("nan"), "float"),
        ("low", None, "float"),
        ("on", 1, "bool"),
        ("name", 3, "str"),
    ],
)
def test_impossible_values_are_refused(field: str, value: object, kind: str) -> None:
    with pytest.raises(BadValue, match=f"{field} = "):
        coerced(field, value, kind)


def test_missing_twice_and_too_many() -> None:
    with pytest.raises(BadInput, match=r"Box needs width \(int\)"):
        Box()
    with pytest.raises(BadInput, match="given twice"):
        Box(1, width=2)
    with pytest.raises(BadInput, match="takes 4 parameters"):
        Box(1, 2, True, "x", 5)


def test_parameters_are_fixed_once_made() -> None:
    box = Box(1)
    with pytest.raises(BadInput, match=r"Box\.width is fixed once made"):
        box.width = 5
    box.note = "free"


def test_other_annotations_are_refused() -> None:
    with pytest.raises(BadValue, match="annotate int, float, bool or str"):

        class Wrong(Parametrised):
            when: list[int]


def test_a_value_of_many_lines_is_told_in_one() -> None:
    """A table or a column given where a number belongs."""
    with pytest.raises(BadValue) as caught:
        Box(np.arange(6_000.0).reshape(-1, 3))
    assert "\n" not in str(caught.value)
    assert "(ndarray): give a whole number" in str(caught.value)
    assert len(str(caught.value)) < 200
