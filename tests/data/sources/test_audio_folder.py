"""Folders of recordings: formats, names, lengths, rates, channels, and files that are wrong."""

import logging
import os
import sys

import numpy as np
import pytest
import soundfile
from scipy import signal

from gan_jax.common.errors import RequestError, UnreadableError
from gan_jax.data.sources import audio_folder, recording
from gan_jax.data.sources.audio_folder import AudioFolder, read
from gan_jax.ops.spectrograms import FULL_SCALE

RATE = 8000


def tone(seconds, frequency=440.0, rate=RATE, peak=0.5):
    return peak * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def write(path, samples, rate=RATE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **options)
    return path


@pytest.fixture
def digits(tmp_path):
    """Two takes of three digits by two speakers, each with a frequency of its own."""
    for number, label in enumerate(("zero", "one", "ten")):
        for speaker in ("anna", "tom"):
            for take in range(2):
                name = f"{label}_{speaker}_{take}.wav"
                write(tmp_path / "digits" / name, tone(0.02, 500 * (number + 1)))
    return tmp_path / "digits"


NAMES = "{label}_{speaker}_{take}"


def test_recordings_have_the_class_that_their_names_say(digits):
    recordings = read(AudioFolder(str(digits), NAMES), RATE, 160)
    assert (recordings.sample.shape, recordings.sample.dtype) == ((12, 160, 1), np.int16)
    assert recordings.class_names == ("one", "ten", "zero")
    assert recordings.label.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    expected = np.rint(tone(0.02, 1000) * FULL_SCALE)
    np.testing.assert_allclose(recordings.sample[0, :, 0], expected, atol=2)
    assert not recordings.sample.flags.writeable


def test_training_and_test_folders_are_not_classes(tmp_path):
    for part in ("train", "test"):
        for take in range(2):
            write(tmp_path / part / "a" / f"{take}.wav", tone(0.01))
    with pytest.raises(RequestError, match=r"holds training and test files .* give a folder of"):
        read(AudioFolder(str(tmp_path)), RATE, 80)
    parts = AudioFolder(str(tmp_path), "{part}/{label}/{take}", "part=test")
    assert len(read(parts, RATE, 80).sample) == len(read(parts.held_out(), RATE, 80).sample) == 2


def test_classes_that_are_numbers_are_in_their_order(tmp_path):
    for label in ("10", "9", "x"):
        for take in range(2):
            write(tmp_path / label / f"{take}.wav", tone(0.01))
    assert read(AudioFolder(str(tmp_path)), RATE, 80).class_names == ("9", "10", "x")


@pytest.mark.parametrize(
    ("held_out", "kept", "held"),
    [("speaker=tom", 6, 6), ("take=1", 6, 6), ("label=ten, zero", 4, 8)],
)
def test_parts_of_the_names_are_held_out(digits, held_out, kept, held):
    training = AudioFolder(str(digits), NAMES, held_out)
    one, two = read(training, RATE, 160), read(training.held_out(), RATE, 160)
    assert (len(one.sample), len(two.sample)) == (kept, held)
    assert one.class_names == two.class_names
    assert training.held_out().held_out() is None
    assert AudioFolder(str(digits), NAMES).held_out() is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"held_out_values": "speakr=tom"}, "has label, speaker, take; did you mean 'speaker'"),
        ({"held_out_values": "speaker"}, "give a field and its values"),
        ({"pattern": None, "held_out_values": "speaker=tom"}, "pattern = None has no fields"),
        ({"pattern": "{label}_{label}"}, r"has \{label\} twice"),
        ({"pattern": "{a label}"}, r"\{a label\} must be a word"),
        ({"path": ""}, "path = '': must not be empty"),
        ({"place": "middle"}, "place = 'middle'"),
        ({"seed": -1}, "seed = -1: must be at least 0"),
    ],
)
def test_wrong_fields_are_refused(fields, words):
    with pytest.raises(RequestError, match=words):
        AudioFolder(**{"path": "x", "pattern": NAMES} | fields)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"pattern": "{label}-{take}"},
            r"none of the 12 recordings .* matches; they are called one_",
        ),
        ({"held_out_values": "speaker=eve"}, "no recording has speaker 'eve'; there are anna, tom"),
        ({"held_out_values": "speaker=anna,tom"}, "all recordings are held out"),
    ],
)
def test_what_does_not_fit_the_files_is_refused(digits, fields, words):
    folder = AudioFolder(**{"path": str(digits), "pattern": NAMES} | fields)
    with pytest.raises(RequestError, match=words):
        read(folder, RATE, 160)


def test_files_that_are_called_otherwise_are_left_out_with_a_warning(digits, caplog):
    write(digits / "noise.wav", tone(0.01))
    (digits / "readme.txt").write_text("")
    assert len(read(AudioFolder(str(digits), NAMES), RATE, 160).sample) == 12
    assert "1 of 13 recordings do not match {label}_{speaker}_{take}" in caplog.text
    assert "1 file was left out: .txt (1)" in caplog.text


def test_without_classes_there_are_no_labels_and_a_reason(tmp_path):
    write(tmp_path / "a.wav", tone(0.01))
    alone = read(AudioFolder(str(tmp_path)), RATE, 80)
    assert (alone.label, alone.class_names) == (None, ())
    assert f"{tmp_path / 'a.wav'} lies in the folder itself" in alone.unlabelled
    named = read(AudioFolder(str(tmp_path), "{take}"), RATE, 80)
    assert named.unlabelled == "pattern = '{take}' has no field {label}"
    for name in ("b", "c"):
        write(tmp_path / name / "0.wav", tone(0.01))
    stray = read(AudioFolder(str(tmp_path), place="loudest"), RATE, 80)
    assert stray.label is None and f"{tmp_path / 'a.wav'} lies in" in stray.unlabelled
    (tmp_path / "a.wav").unlink()
    assert read(AudioFolder(str(tmp_path)), RATE, 81).class_names == ("b", "c")


def test_names_that_can_be_read_in_several_ways_are_warned_of(tmp_path, caplog):
    for label in ("turn_left", "turn_right", "stop"):
        for take in range(2):
            write(tmp_path / f"{label}_{take}.wav", tone(0.01))
    found = read(AudioFolder(str(tmp_path), "{label}_{take}"), RATE, 80)
    assert found.class_names == ("stop", "turn")
    assert "4 of 6 names match {label}_{take} in several ways" in caplog.text
    assert "turn_left_0.wav is label=turn, take=left_0" in caplog.text


@pytest.mark.parametrize("suffix", recording.SUFFIXES)
def test_all_formats_are_read(tmp_path, suffix):
    write(tmp_path / f"a{suffix}", tone(0.5))
    (sample,) = read(AudioFolder(str(tmp_path)), RATE, 4000).sample
    expected = tone(0.5) * FULL_SCALE
    loss = np.linalg.norm(sample[:, 0] - expected) / np.linalg.norm(expected)
    assert loss < (0.1 if suffix == ".ogg" else 1e-3)


@pytest.mark.parametrize("subtype", ["PCM_24", "PCM_U8", "FLOAT", "DOUBLE"])
def test_all_depths_are_read(tmp_path, subtype):
    write(tmp_path / "a.wav", tone(0.02), subtype=subtype)
    (sample,) = read(AudioFolder(str(tmp_path)), RATE, 160).sample
    step = 256 if subtype == "PCM_U8" else 1
    expected = tone(0.02) * FULL_SCALE
    np.testing.assert_allclose(sample[:, 0], expected, atol=1.5 * step)


def test_several_channels_are_mixed_and_other_rates_resampled(tmp_path, caplog):
    stereo = np.stack([tone(0.5), -tone(0.5, 880)], axis=1)
    write(tmp_path / "a.wav", stereo)
    write(tmp_path / "b.wav", tone(0.5, 440, 44100), 44100)
    write(tmp_path / "c.wav", tone(0.5, 440, 16000), 16000)
    with caplog.at_level(logging.WARNING):
        mixed, *others = read(AudioFolder(str(tmp_path)), RATE, 4000).sample[..., 0]
    np.testing.assert_allclose(mixed, stereo.mean(1) * FULL_SCALE, atol=2)
    for sample in others:
        spectrum = np.abs(np.fft.rfft(sample))
        assert np.argmax(spectrum) == 220  # of half a second
        inner = sample[400:-400] / FULL_SCALE
        np.testing.assert_allclose(inner, tone(0.5)[400:-400], atol=2e-3)
    assert "mixed to one channel: 1 of 3 recordings" in caplog.text
    assert "resampled to 8,000 Hz: 2 of 3 recordings, from " in caplog.text
    assert "44,100 Hz (1), 16,000 Hz (1)" in caplog.text


def test_what_is_above_half_the_rate_is_filtered_out(tmp_path):
    write(tmp_path / "a.wav", tone(0.5, 7000, 16000) + tone(0.5, 1000, 16000, 0.1), 16000)
    (sample,) = read(AudioFolder(str(tmp_path)), RATE, 4000).sample[..., 0]
    frequencies, power = signal.periodogram(sample, RATE)
    assert power[np.abs(frequencies - 1000) < 20].max() > 100 * power[frequencies > 1200].max()


def test_places_of_short_and_long_recordings(tmp_path):
    short, long = np.full(50, 0.5), np.r_[np.full(60, 0.1), np.full(60, 0.5), np.full(60, 0.1)]
    write(tmp_path / "a.wav", short)
    write(tmp_path / "b.wav", long)

    def placed(**fields):
        sample = read(AudioFolder(str(tmp_path), **fields), RATE, 100).sample
        return np.rint(10.0 * sample[..., 0] / 2**15)

    a, b = placed()
    assert a.tolist() == [5] * 50 + [0] * 50
    assert b.tolist() == [1] * 60 + [5] * 40
    a, b = placed(place="loudest")
    assert a.tolist() == [5] * 50 + [0] * 50
    assert (b == 5).sum() == 60
    starts = {tuple(np.flatnonzero(placed(place="random", seed=seed)[0])) for seed in range(8)}
    assert len(starts) > 4 and all(len(start) == 50 for start in starts)
    np.testing.assert_array_equal(placed(place="random", seed=3), placed(place="random", seed=3))
    before = placed(place="random")
    write(tmp_path / "0.wav", tone(0.01))
    audio_folder._read.cache_clear()
    np.testing.assert_array_equal(placed(place="random")[1:], before)


def test_normalised_recordings_reach_full_scale(tmp_path):
    write(tmp_path / "a.wav", tone(0.02, peak=0.03))
    write(tmp_path / "b.wav", tone(0.02, peak=0.9))
    found = read(AudioFolder(str(tmp_path), normalise=True), RATE, 160).sample
    np.testing.assert_array_equal(np.abs(found).max((1, 2)), FULL_SCALE)


def test_what_exceeds_full_scale_is_clipped_with_a_warning_or_normalised(tmp_path, caplog):
    write(tmp_path / "a.wav", 4 * tone(0.02), subtype="FLOAT")
    write(tmp_path / "b.wav", tone(0.02))
    read(AudioFolder(str(tmp_path)), RATE, 160)
    assert "clipped, as they exceed full scale: 1 of 2 recordings" in caplog.text
    caplog.clear()
    loud, quiet = read(AudioFolder(str(tmp_path), normalise=True), RATE, 160).sample
    np.testing.assert_allclose(loud, quiet, atol=2)
    assert not caplog.text


def test_only_recordings_that_are_used_are_counted(tmp_path, caplog):
    write(tmp_path / "a.wav", np.stack([tone(0.02)] * 2, axis=1))
    write(tmp_path / "silent.wav", np.zeros((100, 2)))
    read(AudioFolder(str(tmp_path)), RATE, 160)
    assert "mixed to one channel: 1 of 1 recordings" in caplog.text


def test_names_that_are_not_in_utf_8_are_read(tmp_path):
    path = write(tmp_path / "a.wav", tone(0.02))
    path.rename(tmp_path / os.fsdecode(b"caf\xe9.wav"))
    for place in ("start", "random"):
        assert len(read(AudioFolder(str(tmp_path), place=place), RATE, 160).sample) == 1


WRONG = {
    "empty.wav": "empty.wav: is empty",
    "silent.wav": "silent.wav: is silent in the part that is kept",
    "nothing.wav": "nothing.wav: ",
    "text.wav": "text.wav: ",
    "cut.flac": "cut.flac: ",
    "infinite.wav": "infinite.wav: has samples that are not finite",
    "huge.wav": "huge.wav: has samples that are not finite",
    "short.wav": "short.wav: is cut off",
    "fast.wav": "fast.wav: has 2,147,483,647 Hz, too far from 8,000 Hz",
    "slow.wav": "slow.wav: has 1 Hz, too far from 8,000 Hz",
}


def make_wrong(path):
    path.parent.mkdir(exist_ok=True)
    if path.name == "text.wav":
        path.write_text("not a recording")
    elif path.name == "nothing.wav":
        path.write_bytes(b"")
    elif path.name == "huge.wav":
        write(path, np.full((200, 2), 1.7e308), 16000, subtype="DOUBLE")
    elif path.name in ("fast.wav", "slow.wav"):
        write(path, tone(2), 2**31 - 1 if path.name == "fast.wav" else 1)
    elif path.name in ("cut.flac", "short.wav"):
        write(path, tone(0.1))
        path.write_bytes(path.read_bytes()[: 60 if path.suffix == ".flac" else 1000])
    else:
        samples = {"empty": [], "silent": np.zeros(99), "infinite": [0.5, np.inf]}[path.stem]
        write(path, np.asarray(samples), subtype="FLOAT")


@pytest.mark.parametrize("name", WRONG)
def test_files_that_are_wrong_are_skipped_or_refused(tmp_path, caplog, name):
    write(tmp_path / "right.wav", tone(0.02))
    make_wrong(tmp_path / name)
    assert len(read(AudioFolder(str(tmp_path)), RATE, 160).sample) == 1
    assert f"skipped an unreadable recording: {tmp_path / name}: " in caplog.text
    assert WRONG[name] in caplog.text
    with pytest.raises(RequestError, match=f"{WRONG[name]}.*repair or remove it"):
        read(AudioFolder(str(tmp_path), corrupt="refuse"), RATE, 160)


def test_folders_without_a_recording_are_refused(tmp_path):
    with pytest.raises(RequestError, match=r"there is no folder '.*/nowhere'"):
        read(AudioFolder(str(tmp_path / "nowhere")), RATE, 160)
    (tmp_path / "song.mp3").write_text("")
    with pytest.raises(RequestError, match=r"no recording in .*, but .mp3 \(1\); right is"):
        read(AudioFolder(str(tmp_path)), RATE, 160)
    with pytest.raises(RequestError, match="is a file: give the folder that it lies in"):
        read(AudioFolder(str(tmp_path / "song.mp3")), RATE, 160)
    make_wrong(tmp_path / "silent.wav")
    with pytest.raises(RequestError, match=r"none of the 1 recordings in .* is usable"):
        read(AudioFolder(str(tmp_path)), RATE, 160)


def test_recordings_that_are_too_long_are_not_read(tmp_path):
    path = write(tmp_path / "long.wav", np.stack([tone(0.02)] * 2, axis=1))
    with pytest.raises(UnreadableError, match=r"has 320, more than 300 samples over all"):
        recording.read_recording(path, RATE, most_samples=300)
    with pytest.raises(UnreadableError, match="has 8,000 Hz, too far from 24,000 Hz"):
        recording.read_recording(path, 3 * RATE, most_samples=320)
    assert len(recording.read_recording(path, RATE, most_samples=320).waveform) == 160


def test_without_soundfile_it_says_what_to_install(tmp_path, monkeypatch):
    write(tmp_path / "a.wav", tone(0.01))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(RequestError, match=r"need soundfile: pip install 'gan_jax\[audio\]'"):
        read(AudioFolder(str(tmp_path)), RATE, 160)
