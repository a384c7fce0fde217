import json
from pathlib import Path

import pytest
from scipy import special

from gan_jax.metrics import classes, frechet, kernel, neighbours
from tests.metrics.torch_fidelity_features import CASES, SUBSETS, draw_features

PUBLISHED = json.loads(Path(__file__).with_name("torch_fidelity.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES)
def test_metrics_are_those_of_torch_fidelity(case):
    generated, real, logits = draw_features(case)
    moments = frechet.moments([real])
    precision, recall = neighbours.precision_recall(generated, real)
    found = {
        "kernel": [kernel.squared_discrepancy(generated[rows], real[rows]) for rows in SUBSETS],
        "precision": precision.value,
        "recall": recall.value,
        "score": classes.classifier_score(special.softmax(logits, axis=1)).value,
    }
    expected = PUBLISHED[case]
    distance = frechet.estimate(generated, moments).value
    assert distance == pytest.approx(expected["frechet"], rel=1e-9)
    for name, value in found.items():
        assert value == pytest.approx(expected[name], rel=1e-6), name
