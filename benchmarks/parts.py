"""What a training step consists of: the time of each kind of layer, from a profile on a CPU.

    python benchmarks/parts.py "R3GAN" "SNGAN, width 64"

Cases are those of `peers/case.py`. Times are of all threads together, without what runs inside a
loop and has a row of its own; "products" are matrix products and convolutions, "the rest" moves
memory.
"""

import collections
import re
import sys
import tempfile
from pathlib import Path

import jax
import tyro
from inputs import inputs
from peers import ours
from peers.case import CASES
from tyro.conf import Positional

from gan_jax.runtime import devices
from gan_jax.training.loop import run_steps

STEPS = 3
INSTRUCTION = re.compile(r'^\s*(?:ROOT )?%?([\w.-]+) = .*metadata=\{.*op_name="([^"]*)"', re.M)
LAYER = re.compile(r"/([A-Z][A-Za-z]*?(?:[12]d)?)_\d+(?=/)")  # Flax's names of modules
BLOCKS = ("Block", "ResidualBlock", "Generator", "Discriminator")
PRODUCTS = re.compile(r"dot|ynn|conv|custom-call")


def main(cases: Positional[tuple[str, ...]]) -> None:
    """Prints a table for each case."""
    if not cases:
        sys.exit(f"name at least one: {', '.join(map(repr, CASES))}")
    if unknown := set(cases) - set(CASES):
        sys.exit(f"{', '.join(sorted(unknown))}: there are {', '.join(map(repr, CASES))}")
    devices.configure()
    for case in cases:
        spent = profiled(case)
        total = sum(spent.values())
        print(f"{case}: {total / 1e6 / STEPS:.0f} ms of all threads in a step\n")
        print("| | products | the rest |\n|---|---|---|")
        layers = collections.Counter()
        for (layer, _), nanoseconds in spent.items():
            layers[layer] += nanoseconds
        for layer, nanoseconds in layers.most_common():
            if nanoseconds > 0.01 * total:
                cells = [f"{spent[layer, kind] / total:.0%}" for kind in (True, False)]
                print(f"| {layer} | {' | '.join(cells)} |")
        print(flush=True)


def profiled(name: str) -> collections.Counter:
    """Nanoseconds by layer, and by whether it is a product, in a few steps after the first."""
    experiment = ours.experiment_of(CASES[name])
    plan, states, arguments = inputs(experiment, STEPS)
    compiled = run_steps.lower(experiment.static, plan, states, *arguments).compile()
    layers = {found[1]: layer_of(found[2]) for found in INSTRUCTION.finditer(compiled.as_text())}
    states, _ = jax.block_until_ready(compiled(states, *arguments))
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            jax.block_until_ready(compiled(states, *arguments))
        (file,) = Path(folder).rglob("*.xplane.pb")
        planes = jax.profiler.ProfileData.from_file(str(file)).planes
        threads = [list(line.events) for plane in planes for line in plane.lines]
    spent = collections.Counter()
    for events in threads:
        known = [(e.start_ns, e.duration_ns, e.name) for e in events if e.name in layers]
        for instruction, nanoseconds in own_time(known):
            spent[layers[instruction], bool(PRODUCTS.match(instruction))] += nanoseconds
    return spent


def layer_of(path: str) -> str:
    """The kind of layer that an operation belongs to, or "elsewhere"."""
    found = [name for name in LAYER.findall(path) if name not in BLOCKS]
    return found[-1] if found else "elsewhere"


def own_time(events: list[tuple[float, float, str]]) -> list[tuple[str, float]]:
    """The time of each event of a thread without that of the events inside it."""
    own, open_until = [], []
    for start, duration, name in sorted(events, key=lambda event: (event[0], -event[1])):
        while open_until and open_until[-1][0] <= start:
            open_until.pop()
        if open_until:
            parent = open_until[-1][1]
            own[parent] = (own[parent][0], own[parent][1] - duration)
        open_until.append((start + duration, len(own)))
        own.append((name, duration))
    return own


if __name__ == "__main__":
    tyro.cli(main)
