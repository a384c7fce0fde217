"""What README, pages and notebooks say: commands parse, files exist, Python is right."""

import ast
import dataclasses
import importlib
import json
import re
import shlex
from pathlib import Path

import pytest

from gan_jax.cli.main import COMMANDS
from gan_jax.cli.parsing import parse
from gan_jax.experiment import Experiment

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [
    README,
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "howto").glob("*.md")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
]
IN_THE_REPOSITORY = re.compile(
    r"(experiments|gan_jax|benchmarks|docs|tests|notebooks)/[\w/.*]*|[\w*]+\.(py|toml|cff)|\.ci/\w+"
)


def text_of(page):
    if page.suffix != ".ipynb":
        return page.read_text()
    cells = json.loads(page.read_text())["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


TEXTS = {str(page.relative_to(ROOT)): text_of(page) for page in PAGES}


def blocks(language):
    """Pairs of a page's name and a fenced block in it."""
    fenced = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [(name, block) for name, text in TEXTS.items() for block in fenced.findall(text)]


def inline():
    """Pairs of a page's name and a piece of code in its sentences and tables."""
    for name, text in TEXTS.items():
        prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        for code in re.findall(r"`([^`]+)`", prose):
            yield name, " ".join(code.split())


def commands():
    for name, block in blocks("sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&", line):
                words = shlex.split(part, comments=True)
                if words[:1] == ["gan-jax"]:
                    yield name, words[1:]


def forms(name):
    """The forms of a command, see `gan_jax.cli.parsing.Command`."""
    return importlib.import_module(f"gan_jax.cli.{name}").FORMS


COMMAND_LINES = list(commands())
PYTHON = blocks("python")


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= 150


def test_there_is_something_to_check():
    assert len(COMMAND_LINES) > 40
    assert len(PYTHON) > 10


@pytest.mark.parametrize(
    "words", [words for _, words in COMMAND_LINES], ids=[" ".join(w) for _, w in COMMAND_LINES]
)
def test_commands_parse(words, monkeypatch):
    monkeypatch.chdir(ROOT)
    name, *rest = words
    assert parse(name, forms(name), rest)


def test_options_in_sentences_exist():
    fields = {field.name for field in dataclasses.fields(Experiment)} | {"help"}
    for name in COMMANDS:
        for form in forms(name):
            fields |= {field.name for field in dataclasses.fields(form)}
    wrong = [
        (name, code)
        for name, code in inline()
        if re.match(r"gan-jax |--\w", code)
        for option in re.findall(r"(?<=--)[a-z][\w-]*", code)
        if option.replace("-", "_") not in fields and not name.startswith("docs/benchmarks")
    ]
    assert not wrong


def test_commands_in_sentences_exist():
    named = [code.split() for _, code in inline() if code.startswith("gan-jax ")]
    assert {words[1] for words in named} <= {*COMMANDS, "--help"}


def test_files_exist():
    missing = []
    for name, code in inline():
        if not IN_THE_REPOSITORY.fullmatch(code) or exists(ROOT / code):
            continue
        # Where no folder is given, pages say in a sentence before which one they mean.
        folders = ("experiments", "benchmarks", "gan_jax", "tests")
        if "/" not in code and any(exists(ROOT / folder / code) for folder in folders):
            continue
        missing.append((name, code))
    assert not missing


def exists(path):
    return any(path.parent.glob(path.name)) if "*" in path.name else path.exists()


def test_links_lead_somewhere():
    wrong = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
            if target.startswith("http"):
                continue
            path, _, anchor = target.partition("#")
            to = page.parent / path if path else page
            if not to.exists() or (anchor and anchor not in anchors(to)):
                wrong.append((page.name, target))
    assert not wrong


def anchors(page):
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("block", [block for _, block in PYTHON])
def test_python_compiles_and_its_imports_are_there(block):
    tree = ast.parse(block)
    imports = [
        node
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "gan_jax"
    ]
    names = {}
    exec(compile(ast.Module(imports, []), "<imports>", "exec"), names)
    if imports and "experiment = Experiment(" in block:
        exec(block, names)
        assert isinstance(names["experiment"], Experiment)


REMEDIES = TEXTS["docs/remedies.md"].partition("## What there is")[2].partition("\n## ")[0]
IMPORTS = REMEDIES.partition("```python\n")[2].partition("```")[0]
# Pieces of code in the right column of the table that are more than a name.
PIECES = [
    piece
    for line in REMEDIES.splitlines()
    if line.startswith("| ")
    for piece in re.findall(r"`([^`]+)`", line.rpartition(" | ")[2])
    if "(" in piece and "..." not in piece
]


def test_there_are_remedies():
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


def test_the_imports_of_remedies_are_all_needed():
    imported = {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(IMPORTS))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    used = set(re.findall(r"\w+", REMEDIES.replace(IMPORTS, "")))
    assert imported - used == {"Experiment"}
