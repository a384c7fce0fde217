"""Compares scores of samples in files with those that torch-fidelity finds in the same files.

    python -m venv peer
    peer/bin/pip install torch==2.14.1 torchvision==0.29.1 torch-fidelity==0.4.0
    gan-jax sample RUN --count 2000 --out samples
    python benchmarks/torch_fidelity_folder.py samples --torch-python peer/bin/python

torch-fidelity reads the folder and computes the features, the Frechet distance to another folder,
and precision and recall; so does this package, with the same features: mean colours of blocks of an
image, which need no weights. The other folder has held-out digits of the bundled sample, in the
size and channels of the samples.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

BLOCKS = 7  # blocks in a row and in a column
TOLERANCE = 1e-3  # a few of 2,000 samples at the edge of a sphere, as torch-fidelity has float32

PEER = """
import json, sys
import torch, torch_fidelity
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

class Blocks(FeatureExtractorBase):
    def __init__(self, name, features_list, **_):
        super().__init__(name, features_list)
    @staticmethod
    def get_provided_features_list():
        return ("blocks",)
    @staticmethod
    def get_default_feature_layer_for_metric(metric):
        return "blocks"
    @staticmethod
    def can_be_compiled():
        return False
    @staticmethod
    def get_dummy_input_for_compile():
        return torch.zeros((1, 3, 8, 8), dtype=torch.uint8)
    def forward(self, pixels):
        side = pixels.shape[-1] // COUNT
        means = torch.nn.functional.avg_pool2d(pixels[:, :1].double(), side) / 255
        return (means.flatten(1).float(),)

torch_fidelity.register_feature_extractor("blocks", Blocks)
found = torch_fidelity.calculate_metrics(
    input1=sys.argv[1], input2=sys.argv[2], feature_extractor="blocks", fid=True, prc=True,
    cuda=False, cache=False, verbose=False, prc_neighborhood=3,
)
print(json.dumps(found))
""".replace("COUNT", str(BLOCKS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of samples")
    parser.add_argument("--torch-python", type=Path, required=True, help="has torch-fidelity")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        real = Path(temporary) / "real"
        own = measure(given.folder, real)
        command = [given.torch_python, "-c", PEER, given.folder, real]
        peer = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    theirs = {
        "frechet distance": peer["frechet_inception_distance"],
        "precision": peer["precision"],
        "recall": peer["recall"],
    }
    for name, value in own.items():
        difference = abs(value - theirs[name])
        print(f"{name:<17} {value:.6f}  torch-fidelity {theirs[name]:.6f}  {difference:.1e}")
        if difference > TOLERANCE:
            sys.exit(f"{name} differs")


def measure(folder: Path, real: Path) -> dict[str, float]:
    """Scores of a folder against as many digits, which are written to another folder."""
    from gan_jax.data import images
    from gan_jax.data.image_files import read_images
    from gan_jax.data.sources.decode import open_image
    from gan_jax.metrics import frechet, neighbours

    files = sorted(folder.iterdir())
    size = open_image(files[0]).size[0]
    _, pixels = read_images(files, size, 1)
    digits = images.mnist_sample("test", size=size)
    chosen = digits.load().sample[: len(pixels)]
    digits.write([digits.prepare({"sample": chosen, "label": None})["sample"]], real)
    generated, held_out = blocks(pixels), blocks(chosen)
    precision, recall = neighbours.precision_recall(generated, held_out)
    distance = frechet.estimate(generated, frechet.moments([held_out]))
    return {
        "frechet distance": distance.value,
        "precision": precision.value,
        "recall": recall.value,
    }


def blocks(pixels: np.ndarray) -> np.ndarray:
    """Mean brightness of BLOCKS x BLOCKS blocks of images [count, size, size, 1]."""
    side = pixels.shape[1] // BLOCKS
    cut = pixels[:, : side * BLOCKS, : side * BLOCKS, 0].reshape(-1, BLOCKS, side, BLOCKS, side)
    return cut.mean((2, 4)).reshape(len(pixels), -1).astype(np.float32) / 255


if __name__ == "__main__":
    main()
