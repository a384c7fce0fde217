r"""Measures level, clipping, silence and spectral slope of samples beside recordings.

    python benchmarks/sound_levels.py runs/spoken_digits_spectrogram

With --speakers, a classifier of speakers, it also says how often each of them is heard:

    gan-jax features recordings --sound --pattern '{digit}_{label}_{index}' \
        --held-out index=0,1,2,3,4 --out speakers.npz
    python benchmarks/sound_levels.py RUN --speakers speakers.npz
"""

from pathlib import Path

import numpy as np
import tyro

from gan_jax import features, runs, sampling
from gan_jax.ops import stft
from gan_jax.ops.spectrograms import FULL_SCALE

SILENT = -40.0  # dB below a waveform's peak
WINDOW, HOP = 256, 128
LOWEST, HIGHEST = 0.0625, 0.9  # of half the rate: where the slope of spectra is fitted


def measured(stored: np.ndarray, rate: int) -> dict[str, float]:
    """Returns medians over waveforms, int16 [count, length, 1]."""
    waveforms = stored[..., 0] / FULL_SCALE
    peaks = np.abs(waveforms).max(axis=1)
    heard = np.abs(waveforms) > peaks[:, None] * 10 ** (SILENT / 20)
    first = heard.argmax(axis=1)
    last = heard[:, ::-1].argmax(axis=1)
    padded = np.pad(waveforms, ((0, 0), (0, -waveforms.shape[1] % HOP))).astype(np.float32)
    power = np.square(np.abs(stft.transform(padded, WINDOW, HOP))).mean(axis=1)
    octaves = np.log2(np.arange(1, power.shape[1]) / (power.shape[1] - 1))
    fitted = (octaves >= np.log2(LOWEST)) & (octaves <= np.log2(HIGHEST))
    decibels = 10 * np.log10(power[:, 1:][:, fitted] + 1e-12)
    slopes = np.polyfit(octaves[fitted], decibels.T, 1)[0]
    return {
        "peak, dB": 20 * np.log10(np.median(peaks) + 1e-12),
        "root mean square, dB": np.median(10 * np.log10(np.square(waveforms).mean(1) + 1e-12)),
        "at full scale, %": 100 * np.mean(np.abs(stored) >= FULL_SCALE),
        "silence in front, ms": 1000 * np.median(first) / rate,
        "silence behind, ms": 1000 * np.median(last) / rate,
        "slope, dB per octave": np.median(slopes),
    }


def main(run: Path, /, *, samples: int = 1000, speakers: Path | None = None) -> None:
    """Prints a table of the samples of each seed of a run, and of its recordings.

    Args:
        run: run directory.
        samples: to draw of each seed.
        speakers: file of a classifier, whose classes are counted.
    """
    directory = runs.RunDirectory(run)
    seeds = directory.seeds()
    directories = [directory.of_seed(seed).path for seed in seeds] or [run]
    loaded = [runs.load(path) for path in directories]
    data = loaded[0].experiment.data
    of_recordings = {"training": data, "held out": data.held_out()}
    waveforms = {path.name: data.to_stored(sampling.draw(one.experiment, one.state, samples))
                 for path, one in zip(directories, loaded, strict=True)}  # fmt: skip
    waveforms |= {name: of.load().sample for name, of in of_recordings.items() if of}
    rows = {name: measured(stored, data.rate) for name, stored in waveforms.items()}
    if speakers:
        network = features.classifier(speakers)
        for name, stored in waveforms.items():
            heard = network.extract(stored).probabilities.argmax(axis=1)
            for number, speaker in enumerate(network.description.class_names):
                rows[name][f"{speaker}, %"] = 100 * np.mean(heard == number)
    print(f"| | {' | '.join(rows)} |\n|{'---|' * (len(rows) + 1)}")
    for metric in next(iter(rows.values())):
        print(f"| {metric} | {' | '.join(f'{of[metric]:.3g}' for of in rows.values())} |")


if __name__ == "__main__":
    tyro.cli(main)
