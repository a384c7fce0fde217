"""What the README says can be written in an experiment file can be written."""

import ast
import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
SECTION = README.partition("### Remedies")[2].partition("###")[0]
IMPORTS = SECTION.partition("```python\n")[2].partition("```")[0]
# Pieces of code in the right column of the table that are more than a name.
PIECES = [
    piece
    for line in SECTION.splitlines()
    if line.startswith("| ")
    for piece in re.findall(r"`([^`]+)`", line.rpartition(" | ")[2])
    if "(" in piece and "..." not in piece
]


def test_there_are_pieces():
    assert len(PIECES) > 10


@pytest.mark.parametrize("piece", PIECES)
def test_remedies_are_what_the_package_takes(piece):
    names = {}
    exec(IMPORTS, names)
    names["loss"] = names["losses"].Hinge()
    field = re.match(r"(\w+)=(?!=)(.*)", piece)
    made = eval(field[2] if field else piece, names)
    if field:
        experiment = names["Experiment"]
        assert field[1] in experiment.__dataclass_fields__
    assert made is not None


def test_the_imports_are_all_needed():
    imported = {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(IMPORTS))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    used = set(re.findall(r"\w+", SECTION.replace(IMPORTS, "")))
    assert imported - used == {"Experiment"}
