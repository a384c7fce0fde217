"""Writes the PyTorch checkpoints that `tests/features/test_torch_file.py` reads.

PyTorch is not a dependency of the package. The values are those of `expected` in that test.

    pip install torch==2.13.0
    python benchmarks/torch_file_fixtures.py
"""

import collections
from pathlib import Path

import torch

FOLDER = Path(__file__).parents[1] / "tests" / "features" / "torch_files"


def state_dict() -> collections.OrderedDict:
    """Returns tensors of every supported kind, with `_metadata` as in a module's state dict."""
    layer = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3, bias=False), torch.nn.BatchNorm2d(3))
    with torch.no_grad():
        layer[0].weight.copy_(torch.arange(54.0).reshape(3, 2, 3, 3) / 8)
    state = layer.state_dict()
    whole = torch.arange(24.0, dtype=torch.float32)
    state["whole"] = whole
    state["part"] = whole[4:10]
    state["transposed"] = whole.reshape(4, 6).T
    state["every second"] = whole.reshape(4, 6)[1:, 1::2]
    state["expanded"] = whole[3:5].reshape(2, 1).expand(2, 3)
    state["half"] = torch.arange(7, dtype=torch.float16) / 4
    state["double"] = torch.arange(5, dtype=torch.float64) / 3
    state["long"] = torch.tensor([[-(2**62), 2**62]])
    state["scalar"] = torch.tensor(2.5)
    state["empty"] = torch.zeros(0, 3)
    return state


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, zipped in {"zip.pth": True, "legacy.pth": False}.items():
        torch.save(state_dict(), FOLDER / name, _use_new_zipfile_serialization=zipped)
    refused = {
        "nested.pth": {"epoch": 3, "state_dict": state_dict()},
        "bfloat16.pth": {"weight": torch.zeros(2, dtype=torch.bfloat16)},
        "parameter.pth": {"weight": torch.nn.Parameter(torch.zeros(2))},
        "list.pth": [torch.zeros(2)],
    }
    for name, value in refused.items():
        torch.save(value, FOLDER / name)


if __name__ == "__main__":
    main()
