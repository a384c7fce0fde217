"""Sound as a data set: samples, pages, files, and both forms."""

import base64
import dataclasses
import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest
import soundfile

from gan_jax.common.errors import RequestError
from gan_jax.data import audio, audio_files, grids
from gan_jax.ops.spectrograms import FULL_SCALE, Spectrogram
from gan_jax.runs import serialisation

LENGTH = 1024


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Four takes of two classes: a rising and a falling tone."""
    folder, time = tmp_path_factory.mktemp("recordings"), np.arange(LENGTH) / 8000
    for take in range(4):
        for label, slope in (("rising", 4000), ("falling", -4000)):
            wave = np.sin(2 * np.pi * (1500 + 50 * take + slope * time) * time) * np.hanning(LENGTH)
            soundfile.write(folder / f"{label}_{take}.wav", 0.5 * wave, 8000)
    return folder


def waveforms(path, **fields):
    usual = {"length": LENGTH, "labels": True, "pattern": "{label}_{take}", "held_out": "take=3"}
    return audio.folder(path, **usual | fields)


@pytest.fixture(params=["waveform", "spectrogram"])
def data(request, path):
    found = waveforms(path)
    return found if request.param == "waveform" else audio.spectrogram(found, Spectrogram(64, 16))


def test_it_says_what_it_is_without_reading(data):
    missing = dataclasses.replace(data, source=dataclasses.replace(data.source, path="nowhere"))
    assert missing.sample_shape in ((LENGTH, 1), (32, 64, 1))
    assert missing.stored == ((LENGTH, 1), "int16")
    with pytest.raises(RequestError, match="there is no folder"):
        missing.load()


def test_batches_are_samples_with_their_labels(data):
    assert (data.count, data.classes, data.class_names) == (6, 2, ("falling", "rising"))
    batch = data.batch(0, 3, 4)
    assert batch["sample"].shape == (4, *data.sample_shape)
    assert batch["sample"].dtype == np.float32 and np.abs(batch["sample"]).max() <= 1
    indices = data.indices(0, 3, 4)
    np.testing.assert_array_equal(batch["condition"], data.load().label[indices])
    compiled = jax.jit(lambda raw: data.prepare({"sample": raw, "label": None})["sample"])
    np.testing.assert_allclose(compiled(data.load().sample[indices]), batch["sample"], atol=1e-3)
    unlabelled = dataclasses.replace(data, labels=False)
    assert unlabelled.batch(0, 3, 4)["condition"] is None


def test_samples_become_waveforms_again(data):
    stored = data.load().sample
    back = data.to_stored(data.prepare({"sample": stored, "label": None})["sample"])
    assert (back.shape[1:], back.dtype) == data.stored
    found, expected = (audio_files.displayed_magnitudes(each) for each in (back, stored))
    assert np.linalg.norm(found - expected) < 0.2 * np.linalg.norm(expected)


def test_held_out_recordings_are_standardised_like_those_to_train_on(data):
    held_out = data.held_out()
    assert (held_out.count, held_out.split, data.split) == (2, "held-out", "train")
    assert held_out.held_out() is None and held_out.labels
    if data.spectrogram:
        assert held_out.statistics() is data.statistics()
        assert dataclasses.replace(data, labels=False).statistics() is data.statistics()
    assert waveforms(data.source.path, held_out=None).held_out() is None
    assert waveforms(data.source.path, held_out=None).split == "all"


def test_samples_need_no_recordings_but_the_statistics_of_their_spectrograms(data, path):
    assert waveforms(path).fitted() is None
    spectrograms = audio.spectrogram(waveforms(path), Spectrogram(64, 16))
    recorded = json.loads(json.dumps(spectrograms.fitted()))
    elsewhere = audio.spectrogram(waveforms(path / "none"), Spectrogram(64, 16))
    again = elsewhere.with_fitted(recorded)
    assert again == elsewhere and serialisation.encode(again) == serialisation.encode(elsewhere)
    samples = spectrograms.batch(0, 0, 3)["sample"]
    np.testing.assert_array_equal(again.to_stored(samples), spectrograms.to_stored(samples))
    with pytest.raises(RequestError, match="no folder"):
        elsewhere.to_stored(samples)
    constant = {"deviation": np.full(32, 1e-6, np.float32).tolist()}  # as of silence
    assert elsewhere.with_fitted(recorded | constant).statistics().deviation[0] == np.float32(1e-6)
    for wrong in (
        {},
        recorded | {"mean": [0.0]},
        recorded | {"mean": [1000.0] * 32},
        recorded | {"mean": [10**400] * 32},
        recorded | {"deviation": [None] * 32},
        recorded | {"deviation": [1e-50] * 32},
    ):
        with pytest.raises(RequestError, match="means and deviations of the 32 frequencies"):
            elsewhere.with_fitted(wrong)


def test_the_fingerprint_is_of_waveforms_and_labels(data, path):
    found = {data.fingerprint(), data.held_out().fingerprint()}
    for changed in ({"rate": 4000}, {"normalise": True}, {"length": 512}, {"labels": False}):
        found.add(waveforms(path, **changed).fingerprint())
    assert len(found) == 6
    assert all(re.fullmatch(r"\d recordings, checksum [0-9a-f]{8}", each) for each in found)


def test_a_page_shows_spectrograms_with_their_axes(data):
    samples = data.prepare({"sample": data.load().sample, "label": None})["sample"]
    page = data.page(samples, 3)
    cells = data.cells(page, 3)
    frames, frequencies = (16, 64) if data.stored.shape == data.sample_shape else (64, 32)
    assert cells.shape == (6, frequencies, frames, 1)
    assert len(page) > 2 * frequencies + grids.GAP  # there is a caption
    for cell, label in zip(cells[..., 0], data.load().label, strict=True):
        heights = np.argmin(cell[:, frames // 4 : 3 * frames // 4], axis=0)  # of the darkest
        falls = heights[-1] > heights[0]  # rows go downwards
        assert falls == (label == 0)
    assert data.cells(data.page(samples[:1], 1), 1).shape == (1, frequencies, frames, 1)


def test_quiet_is_white_and_full_scale_black():
    time = np.arange(2048)
    full = np.rint(FULL_SCALE * np.sin(2 * np.pi * 16 * time / 128)).astype(np.int16)
    loud, soft, silent = audio_files.pictures(
        audio_files.displayed_magnitudes(np.stack([full, full // 1000, 0 * full])[..., None])
    )[..., 16, 0]  # of a frame in the middle
    row = 64 - 1 - 16  # low frequencies are below
    assert loud[row] <= 1 and loud.argmin() == row
    assert 185 < soft[row] < 197  # -60 of -80 dB
    assert (silent == 255).all()


def test_waveforms_whose_length_is_no_multiple_of_a_frame_are_shown(path):
    odd = waveforms(path, length=1000)
    samples = odd.prepare({"sample": odd.load().sample, "label": None})["sample"]
    assert odd.cells(odd.page(samples, 2), 2).shape == (6, 64, 16, 1)


def test_one_file_has_all_samples_with_pauses(data, tmp_path):
    samples = data.prepare({"sample": data.load().sample[:3], "label": None})["sample"]
    data.write([samples[:1], samples[1:]], tmp_path / "all.wav")
    found, rate = soundfile.read(tmp_path / "all.wav", dtype="int16")
    assert rate == 8000 and len(found) == 3 * (LENGTH + 2000)
    parts = found.reshape(3, -1)
    assert not parts[:, LENGTH:].any()
    np.testing.assert_array_equal(parts[:, :LENGTH], data.to_stored(samples)[..., 0])


def test_a_folder_has_a_file_for_each_and_is_read_back(path, tmp_path):
    data = waveforms(path)
    samples = data.prepare({"sample": data.load().sample, "label": None})["sample"]
    names = [data.class_names[label] for label in data.load().label]
    data.write([samples[:4], samples[4:]], tmp_path / "drawn", class_names=names)
    found = sorted(file.name for file in (tmp_path / "drawn").iterdir())
    assert found == [f"{number:06}_{name}.wav" for number, name in enumerate(names)]
    again = data.read([tmp_path / "drawn", tmp_path / "drawn" / found[0]])
    np.testing.assert_array_equal(again.samples[:6], samples)
    np.testing.assert_array_equal(again.samples[6], samples[0])
    assert again.names[0].endswith("000000_falling.wav")


def test_a_web_page_plays_each_sample_beside_its_spectrogram(data, tmp_path):
    samples = data.prepare({"sample": data.load().sample[:2], "label": None})["sample"]
    data.write([samples], tmp_path / "page.html", class_names=["<one>", "two & a half"])
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert ">000000_-one-<" in page and ">000001_two-a-half<" in page
    assert "0.13 s, 0 to 4,000 Hz" in page
    sounds = re.findall(r'src="data:audio/wav;base64,([^"]+)"', page)
    for sound, expected in zip(sounds, data.to_stored(samples), strict=True):
        (tmp_path / "x.wav").write_bytes(base64.b64decode(sound))
        found, _ = soundfile.read(tmp_path / "x.wav", dtype="int16")
        np.testing.assert_array_equal(found, expected[:, 0])
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    cells = data.cells(data.page(samples, 2), 2)
    for picture, expected in zip(pictures, cells, strict=True):
        (tmp_path / "x.png").write_bytes(base64.b64decode(picture))
        np.testing.assert_array_equal(grids.read_png(tmp_path / "x.png"), expected)


def test_without_classes_files_and_players_are_numbered(path, tmp_path):
    data = waveforms(path, labels=False)
    samples = data.prepare({"sample": data.load().sample[:2], "label": None})["sample"]
    data.write([samples], tmp_path / "drawn")
    assert sorted(file.name for file in (tmp_path / "drawn").iterdir()) == [
        "000000.wav",
        "000001.wav",
    ]
    data.write([samples], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<figcaption>000000<" in page and "<figcaption>000001<" in page


def test_other_files_are_refused(data, tmp_path):
    samples = np.zeros((1, *data.sample_shape), np.float32)
    with pytest.raises(RequestError, match=r"must end in \.png or \.wav or \.html, or be a new"):
        data.write([samples], tmp_path / "x.mp3")
    (tmp_path / "x.wav").write_text("no recording")
    with pytest.raises(RequestError, match=r"unreadable recording .*x\.wav"):
        data.read([tmp_path / "x.wav"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match=r"no recording in '.*empty', no .wav, .flac, .ogg file"):
        data.read([tmp_path / "empty"])


def test_written_samples_come_back_normalised_where_recordings_are(path, tmp_path):
    data = waveforms(path, normalise=True)
    samples = data.prepare({"sample": data.load().sample[:2], "label": None})["sample"]
    data.write([np.stack([samples[0] / 2, 0 * samples[1]])], tmp_path / "drawn")
    loud, silent = data.read([tmp_path / "drawn"]).samples
    np.testing.assert_allclose(loud, samples[0], atol=2e-4)
    assert not silent.any()  # which training leaves out


def test_names_that_are_not_in_utf_8_are_shown(path, tmp_path):
    data = waveforms(path)
    samples = data.prepare({"sample": data.load().sample[:1], "label": None})["sample"]
    data.write([samples], tmp_path / "page.html", class_names=["caf\udce9"])
    assert "caf" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_recording_is_cut_alike_wherever_it_is_read_from(path, monkeypatch):
    data = waveforms(path, length=500, place="random", held_out=None)
    expected = data.prepare({"sample": data.load().sample, "label": None})["sample"]
    by_folder = data.read([path]).samples
    np.testing.assert_array_equal(by_folder, expected)
    monkeypatch.chdir(path)
    np.testing.assert_array_equal(data.read([Path("rising_1.wav")]).samples[0], expected[5])


def test_larger_files_than_asked_for_are_refused(path):
    with pytest.raises(RequestError, match="has 1,024, more than 1,000 samples"):
        waveforms(path).read([path / "rising_0.wav"], largest=1000)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: waveforms(path, rate=0), "Audio.rate = 0: must be at least 1"),
        (lambda path: waveforms(path, rate=2**20), "Audio.rate = 1048576: must be at least 1 and"),
        (lambda path: audio.spectrogram(path), "waveforms = .*: must be what audio.folder returns"),
        (lambda path: waveforms(path, length=0), "Audio.length = 0: must be at least 1"),
        (
            lambda path: audio.spectrogram(waveforms(path), "64"),
            "Audio.spectrogram = '64': must be None or a Spectrogram",
        ),
        (lambda path: audio.spectrogram(waveforms(path, length=1000)), "hop = 64: must divide"),
    ],
)
def test_wrong_descriptions_are_refused(path, make, words):
    with pytest.raises(RequestError, match=words):
        make(path)


def test_labels_that_are_not_there_are_refused(path):
    with pytest.raises(RequestError, match=r"labels is True, but .* has no field"):
        waveforms(path, pattern="{take}", held_out=None).load()
