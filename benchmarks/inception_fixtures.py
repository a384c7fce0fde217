"""Stores the outputs of torch-fidelity's Inception-v3 with random weights, for tests to compare.

Resizing is torch-fidelity's, in float32 as TensorFlow's was; the network then runs in float64, so
that differences come from the implementation under test. `tests/networks/inception_case.py` makes
the weights. PyTorch and torch-fidelity are not dependencies of the package.

    pip install torch==2.14.1 torchvision==0.29.1 torch-fidelity==0.4.0
    PYTHONPATH=. python benchmarks/inception_fixtures.py
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from tests.networks.inception_case import BLOCKS, images, summary, weights

FILE = Path(__file__).parents[1] / "tests" / "networks" / "inception.npz"
OUTPUTS = ["2048", "logits_unbiased"]


def peer() -> FeatureExtractorInceptionV3:
    """Returns the extractor with the random weights, loaded from a file as published ones are."""
    # The published checkpoint has the names of torchvision's network without AuxLogits.
    blank = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, init_weights=False)
    state = blank.state_dict()
    shapes = {name: tuple(a.shape) for name, a in state.items() if "num_batches" not in name}
    state.update({name: torch.from_numpy(array) for name, array in weights(shapes).items()})
    with tempfile.NamedTemporaryFile(suffix=".pth") as file:
        torch.save(state, file.name)
        return FeatureExtractorInceptionV3("random", OUTPUTS, file.name)


def main() -> None:
    network = peer().double()
    stored: dict[str, list[np.ndarray]] = {name: [] for name in ["prepared", *BLOCKS, *OUTPUTS]}

    def keep(name, maps):
        # Copied, as the next layer may write into it.
        stored[name].append(maps.permute(0, 2, 3, 1).numpy().copy())

    def enter(_, inputs):
        keep("prepared", inputs[0])
        return inputs[0].double()

    network.Conv2d_1a_3x3.register_forward_pre_hook(enter)
    for name in BLOCKS:
        network.get_submodule(name).register_forward_hook(
            lambda _, __, output, name=name: keep(name, output)
        )
    # The forward pass rounds its outputs to float32.
    for image in images():
        outputs = network(torch.from_numpy(image).permute(2, 0, 1)[None])
        for name, output in zip(OUTPUTS, outputs, strict=True):
            stored[name].append(output.numpy())
    summaries = {name: summary(np.concatenate(maps)) for name, maps in stored.items()}
    for name, rows in summaries.items():
        print(f"{name:16} mean {rows[:, 0].mean():8.3f}  deviation {rows[:, 1].mean():8.3f}")
    np.savez_compressed(FILE, **summaries)


if __name__ == "__main__":
    main()
