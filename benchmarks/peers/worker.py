"""Runs one implementation in a process of its own and answers requests with seconds.

    python benchmarks/peers/worker.py PEER CASE BATCH.npy

Reads lines "train STEPS", "sample COUNT", "memory" and "parameters" and writes a line for each:
seconds, the peak of resident memory in MiB since the process was ready, or how many there are.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from peers.case import CASES, Case, Peer


def build(name: str, case: Case, batch: np.ndarray) -> Peer:
    """Imports only what the named peer needs."""
    if name == "gan_jax":
        from peers import ours

        return ours.build(case, batch)
    if name == "Flax Linen":
        from peers import flax_linen

        return flax_linen.build(case, batch)
    if name.startswith("Keras"):
        os.environ["KERAS_BACKEND"] = "jax" if name.endswith("JAX") else "tensorflow"
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        from peers import keras_models

        make = keras_models.build_jax if name.endswith("JAX") else keras_models.build_tensorflow
        return make(case, batch)
    if case.networks != "dcgan":
        from peers import pytorch_steps

        return pytorch_steps.build(case, batch, channels_last="last" in name)
    from peers import pytorch

    compiled, last = "compiled" in name, "last" in name
    return pytorch.build(case, batch, compiled=compiled, channels_last=last)


def main() -> None:
    """Builds, warms up, then answers."""
    name, case, file = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    start = time.perf_counter()
    peer = build(name, CASES[case], np.load(file))
    peer.train(1)
    built = time.perf_counter() - start
    peer.train(1)
    Path("/proc/self/clear_refs").write_bytes(b"5")  # forget the peak of compilation
    print(built, file=answers, flush=True)
    for line in sys.stdin:
        command, *number = line.split()
        if command == "memory":
            status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
            (peak,) = [int(row.split()[1]) for row in status if row.startswith("VmHWM")]
            print(peak / 1024, file=answers, flush=True)
            continue
        if command == "parameters":
            print(peer.parameters, file=answers, flush=True)
            continue
        act = peer.train if command == "train" else peer.sample
        start = time.perf_counter()
        act(int(*number))
        print(time.perf_counter() - start, file=answers, flush=True)


if __name__ == "__main__":
    main()
