"""Names of files as patterns."""

import pytest

from gan_jax.common.errors import RequestError
from gan_jax.data.sources.name_pattern import fields_of, parse


@pytest.mark.parametrize(
    ("names", "stem", "parts"),
    [
        ("{label}_{take}", "a_0", {"label": "a", "take": "0"}),
        ("{label}_{take}", "a_b_0", {"label": "a", "take": "b_0"}),
        (
            "{part}/{label}_{s}_nohash_{t}",
            "x/y_1_nohash_2",
            dict(part="x", label="y", s="1", t="2"),
        ),
        ("x{label}y", "xxyy", {"label": "xy"}),
        ("{a}{b}", "123", {"a": "1", "b": "23"}),
        ("{label}.(+)[0]", "a.(+)[0]", {"label": "a"}),
        ("{label}/{take}", "a/b/c", None),
        ("{label}_{take}", "a/b_c", None),
        ("{label}_{take}", "_0", None),
        ("{label}_{take}", "a_", None),
        ("{label}", "a_0\n", {"label": "a_0\n"}),
        ("{label}_0", "a_1", None),
        ("word", "word", {}),
    ],
)
def test_names_are_parsed(names, stem, parts):
    assert parse(names, stem) == parts


def test_names_are_parsed_from_the_right_too():
    found = parse("{label}_{take}", "turn_left_0", from_the_right=True)
    assert found == {"label": "turn_left", "take": "0"}
    assert parse("{label}/{take}_x", "a/1_x", from_the_right=True) == {
        "label": "a",
        "take": "1",
    }


def test_a_name_of_many_pieces_is_parsed_at_once():
    names = "_".join(f"{{p{number}}}" for number in range(12)) + "x"
    assert parse(names, "_".join(["a"] * 1000)) is None


@pytest.mark.parametrize("names", ["{label}_{label}", "{a label}", "{}", "{1}"])
def test_parts_that_are_no_words_or_there_twice_are_refused(names):
    with pytest.raises(RequestError, match=r"has .label. twice|must be a word"):
        fields_of(names)
