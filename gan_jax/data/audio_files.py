"""Sound as files: WAV files, pages of spectrograms, and web pages that play it."""

import base64
import html
import io
import itertools
import textwrap
import wave
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float32, Int16, UInt8
from PIL import Image, ImageDraw, ImageFont

from gan_jax.common.errors import RequestError, UnreadableError
from gan_jax.common.files import open_atomically, write_atomically, write_folder_atomically
from gan_jax.data.file_names import numbered
from gan_jax.data.grids import encode_png
from gan_jax.data.sources.audio_folder import AudioFolder, fitted, warn_of_changes
from gan_jax.data.sources.listing import expanded
from gan_jax.data.sources.recording import MOST_SAMPLES, SUFFIXES, read_recording
from gan_jax.ops.spectrograms import Spectrogram

PAUSE = 0.25  # seconds between waveforms in one file
QUIETEST = -80.0  # dB below a full-scale sine, and white on a page
DISPLAYED = Spectrogram()  # of waveforms
LINE, MARGIN = 13, 2  # pixels of a line of a caption, and around it

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>samples</title>
<style>
body {{ font-family: sans-serif; margin: 1rem; }}
main {{ display: flex; flex-wrap: wrap; gap: 1rem; }}
figure {{ margin: 0; width: 12rem; }}
img {{ width: 100%; image-rendering: pixelated; border: 1px solid #ccc; }}
audio {{ width: 100%; }}
</style>
</head>
<body>
<p>Each: {caption} upwards, quiet is white.</p>
<main>
{figures}
</main>
</body>
</html>
"""

Waveforms = Int16[np.ndarray, "count length 1"]
Pictures = UInt8[np.ndarray, "count frequencies frames 1"]
Page = UInt8[np.ndarray, "height width 1"]


def displayed_magnitudes(
    stored: Waveforms,
) -> Float32[np.ndarray, "count frames frequencies"]:
    """Returns the magnitudes with which waveforms are shown on a page."""
    filled = np.pad(stored, [(0, 0), (0, -stored.shape[1] % DISPLAYED.hop), (0, 0)])
    return DISPLAYED.magnitudes_of(filled)


def pictures(magnitudes: Float32[np.ndarray, "count frames frequencies"]) -> Pictures:
    """Draws magnitudes: time to the right, frequency upwards, from white at QUIETEST to black."""
    full_scale = magnitudes.shape[-1] / 2  # of a sine, in a Hann window of twice as many samples
    decibels = 20 * np.log10(np.maximum(magnitudes / full_scale, 1e-9))
    darkness = np.clip(1 - decibels / QUIETEST, 0, 1)
    return np.rint(255 * (1 - darkness)).astype(np.uint8).swapaxes(1, 2)[:, ::-1, :, None]


def captioned(page: Page, seconds: float, rate: int) -> Page:
    """Writes below a page of pictures what their axes are."""
    return np.concatenate([page, _caption(page.shape[1], seconds, rate)])


def without_caption(page: Page, seconds: float, rate: int) -> Page:
    """Returns a page as it was before `captioned`."""
    return page[: -len(_caption(page.shape[1], seconds, rate))]


def _caption(width: int, seconds: float, rate: int) -> Page:
    words = (
        f"each: {seconds:.2f} s to the right, 0 to {rate / 2:,.0f} Hz upwards, "
        f"{QUIETEST:.0f} dB (white) to 0 dB (black)"
    )
    font = ImageFont.load_default_imagefont()
    room = (width - 2 * MARGIN) / font.getlength("x")
    lines = textwrap.wrap(words, max(1, int(room)))
    caption = Image.new("L", (width, len(lines) * LINE + 2 * MARGIN), 255)
    for number, line in enumerate(lines):
        ImageDraw.Draw(caption).text((MARGIN, MARGIN + number * LINE), line, 0, font)
    return np.asarray(caption)[..., None]


def write_joined(parts: Iterable[Waveforms], path: Path, rate: int) -> None:
    """Writes one WAV file with all waveforms one after another, and a pause behind each."""
    pause = bytes(2 * round(PAUSE * rate))
    with open_atomically(path) as file, _writer(file, rate) as writer:
        for waveform in itertools.chain.from_iterable(parts):
            writer.writeframes(waveform.astype("<i2").tobytes() + pause)


def write_folder(
    parts: Iterable[Waveforms], folder: Path, rate: int, class_names: Sequence[str] | None
) -> None:
    """Writes a new folder with a WAV file for each waveform, see `numbered`."""
    waveforms = itertools.chain.from_iterable(parts)
    contents = (
        (f"{name}.wav", _wav(each, rate)) for name, each in numbered(waveforms, class_names)
    )
    write_folder_atomically(folder, contents)


def write_players(
    stored: Waveforms, drawn: Pictures, path: Path, rate: int, class_names: Sequence[str] | None
) -> None:
    """Writes a web page with a spectrogram and a player for each waveform, all in one file."""
    figures = []
    pairs = zip(stored, drawn, strict=True)
    for name, (waveform, picture) in numbered(pairs, class_names):
        shown = _data_url("image/png", encode_png(picture))
        played = _data_url("audio/wav", _wav(waveform, rate))
        figures.append(
            f"<figure><figcaption>{html.escape(name)}</figcaption>"
            f'<img src="{shown}" alt="spectrogram">'
            f'<audio controls preload="none" src="{played}"></audio></figure>'
        )
    caption = f"{stored.shape[1] / rate:.2f} s, 0 to {rate / 2:,.0f} Hz"
    page = PAGE.format(caption=caption, figures="\n".join(figures))
    write_atomically(path, page.encode(errors="replace"))


def read_files(
    paths: Sequence[Path], rate: int, length: int, source: AudioFolder, largest: int | None
) -> tuple[tuple[str, ...], Waveforms]:
    """Returns names and waveforms of recordings, cut and filled as those of `source` are.

    Args:
        paths: files of any of SUFFIXES, and folders of such.
        rate: samples a second, to which they are resampled.
        length: samples of each.
        source: says how they are cut and filled, and whether they are normalised.
        largest: how many samples, over all channels, a file may hold; what is usual if None.

    Raises:
        RequestError: a folder holds no recording, or a file cannot be read; names it.
    """
    files = expanded(paths, SUFFIXES, "recording")
    root, waveforms, changes = Path(source.path).expanduser().resolve(), [], Counter()
    for file in files:
        path = file.resolve()
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        try:
            recording = read_recording(file, rate, largest or MOST_SAMPLES)
        except UnreadableError as error:
            raise RequestError(f"unreadable recording {error}") from error
        stored, of_this = fitted(source, recording, length, name)
        waveforms.append(stored)
        changes += of_this
    warn_of_changes(changes, len(files), rate)
    return tuple(map(str, files)), np.stack(waveforms)


@contextmanager
def _writer(file: BinaryIO, rate: int) -> Iterator[wave.Wave_write]:
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, rate, 0, "NONE", "not compressed"))
        yield writer


def _wav(waveform: Int16[np.ndarray, "length 1"], rate: int) -> bytes:
    buffer = io.BytesIO()
    with _writer(buffer, rate) as writer:
        writer.writeframes(waveform.astype("<i2").tobytes())
    return buffer.getvalue()


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
