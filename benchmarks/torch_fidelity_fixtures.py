"""Writes torch-fidelity's metrics of seeded features, for `tests/metrics/test_torch_fidelity.py`.

    python -m venv peer
    peer/bin/pip install torch==2.14.1 torchvision==0.29.1 torch-fidelity==0.4.0 numpy==2.4.6
    PYTHONPATH=. peer/bin/python benchmarks/torch_fidelity_fixtures.py

The test draws the same features again, so that only the results are stored. Each function is
torch-fidelity's own (github.com/toshas/torch-fidelity, Apache-2.0), called with float64.
"""

import json
from pathlib import Path

import torch
import torch_fidelity
from torch_fidelity import metric_fid, metric_isc, metric_kid, metric_prc

from tests.metrics.torch_fidelity_features import CASES, SUBSETS, draw_features

FILE = Path(__file__).parents[1] / "tests" / "metrics" / "torch_fidelity.json"


def main() -> None:
    found = {name: measure(name) for name in CASES}
    versions = {"torch_fidelity": torch_fidelity.__version__, "torch": torch.__version__}
    FILE.write_text(json.dumps({"versions": versions, "cases": found}, indent=2) + "\n")


def measure(case: str) -> dict:
    """Returns torch-fidelity's metrics of one case, with a kernel distance per pair of subsets."""
    drawn = draw_features(case)
    generated, real = torch.from_numpy(drawn.generated), torch.from_numpy(drawn.real)
    statistics = [metric_fid.fid_features_to_statistics(part) for part in (generated, real)]
    nearest = metric_prc.prc_features_to_metric(generated, real, verbose=False)
    score = metric_isc.isc_features_to_metric(torch.from_numpy(drawn.logits), 1, shuffle=False)
    return {
        "frechet": metric_fid.fid_statistics_to_metric(*statistics, verbose=False)[
            metric_fid.KEY_METRIC_FID
        ],
        "kernel": [
            float(metric_kid.kernel_mmd(drawn.generated[rows], drawn.real[rows]))
            for rows in SUBSETS
        ],
        "precision": nearest[metric_prc.KEY_METRIC_PRECISION],
        "recall": nearest[metric_prc.KEY_METRIC_RECALL],
        "score": score[metric_isc.KEY_METRIC_ISC_MEAN],
    }


if __name__ == "__main__":
    main()
