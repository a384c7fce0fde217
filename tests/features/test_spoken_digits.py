"""The bundled classifier of spoken digits, and waveforms of any length and level."""

import dataclasses
import tarfile

import numpy as np
import pytest

from gan_jax import features
from gan_jax.common.errors import RequestError
from gan_jax.data import audio

NETWORK = features.spoken_digits()
WAVEFORMS = np.random.default_rng(0).integers(-9000, 9000, (3, 4096, 1), np.int16)


@pytest.fixture(scope="module")
def recordings(real_data, tmp_path_factory):
    """The Free Spoken Digit Dataset, half a second of each."""
    folder = tmp_path_factory.mktemp("spoken")
    with tarfile.open(real_data / "spoken_digit" / "recordings.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return audio.folder(
        folder / "recordings",
        length=4096,
        labels=True,
        pattern="{label}_{speaker}_{index}",
        held_out="index=0,1,2,3,4",
        place="loudest",
        normalise=True,
    )


def test_it_has_the_accuracy_that_it_claims(recordings):
    description = NETWORK.description
    test = recordings.held_out().load()
    right = NETWORK.extract(test.sample).probabilities.argmax(-1) == test.label
    assert right.mean() == description.test_accuracy == 1
    assert description.test_count == len(test.label) == 300
    assert recordings.features() == NETWORK
    assert recordings.class_names == description.class_names


def test_whole_recordings_are_heard_as_well(recordings):
    """Those that are cut at their start, and neither normalised nor half a second long."""
    source = dataclasses.replace(recordings.source, place="start", normalise=False)
    whole = dataclasses.replace(recordings, source=source, length=8192).held_out().load()
    right = NETWORK.extract(whole.sample).probabilities.argmax(-1) == whole.label
    assert right.mean() >= 0.98


def test_what_spectrograms_keep_is_heard_as_well(recordings):
    """Waveforms that are made of the spectrograms of real ones: the way there and back."""
    data = audio.spectrogram(recordings).held_out()
    test = data.load()
    samples = data.prepare({"sample": test.sample, "label": None})["sample"]
    right = NETWORK.extract(data.to_stored(samples)).probabilities.argmax(-1) == test.label
    assert right.mean() >= 0.99
    assert data.features() == NETWORK


def test_other_classes_and_rates_have_no_bundled_classifier(recordings):
    source = dataclasses.replace(recordings.source, pattern="{digit}_{label}_{index}")
    by_speaker = dataclasses.replace(recordings, source=source)
    assert by_speaker.classes == 6 and by_speaker.features() is None
    assert dataclasses.replace(recordings, rate=4000).features() is None


def test_neither_level_nor_silence_around_change_what_is_heard():
    expected = NETWORK.extract(WAVEFORMS)
    quiet = NETWORK.extract((WAVEFORMS.astype(np.int32) // 4).astype(np.int16))
    np.testing.assert_allclose(quiet.probabilities, expected.probabilities, atol=0.02)
    longer = np.pad(WAVEFORMS, ((0, 0), (2000, 0), (0, 0)))
    for one, two in zip(NETWORK.extract(longer)[:2], expected[:2], strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4)


def test_short_waveforms_are_filled_and_silent_ones_are_finite():
    short = NETWORK.extract(WAVEFORMS[:, 1000:3000])
    filled = NETWORK.extract(np.pad(WAVEFORMS[:, 1000:3000], ((0, 0), (0, 2096), (0, 0))))
    np.testing.assert_array_equal(short.features, filled.features)
    silent = NETWORK.extract(np.zeros((2, 4096, 1), np.int16))
    assert np.isfinite(silent.features).all()
    assert silent.features.shape == (2, 128)


@pytest.mark.parametrize(
    "wrong", [WAVEFORMS.astype(np.float32), WAVEFORMS[..., 0], WAVEFORMS.repeat(2, axis=2)]
)
def test_other_samples_are_refused(wrong):
    with pytest.raises(
        RequestError, match=r"take samples of type int16, shape \[count, length, 1\]"
    ):
        NETWORK.extract(wrong)
