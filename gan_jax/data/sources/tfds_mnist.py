"""MNIST and Fashion-MNIST prepared for tensorflow-datasets without TensorFlow.

The stock builder unpacks the files and encodes the images with TensorFlow. What is written here
differs only in the compression of the PNGs: the keys are the same, and hence the order, the pixels
and the labels.
"""

import contextlib
import gzip
import hashlib
import io
import os
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from gan_jax.common.errors import RequestError

PARTS = {"train": "train", "test": "t10k"}
TIMEOUT = 5.0  # seconds


def prepare(stock: Any, data_dir: Path) -> None:
    """Writes a data set where `tfds.data_source` finds it, downloading what is missing.

    The original files are looked for in `data_dir/downloads/manual`, in its sub-folder with the
    data set's name (as both data sets use the same file names), and among earlier downloads.

    Args:
        stock: builder of 'mnist' or 'fashion_mnist' that is not prepared.
        data_dir: root of all prepared data sets.

    Raises:
        RequestError: There are neither files nor a network, or the folder cannot be written.
    """
    import tensorflow_datasets as tfds

    files = _find(stock, data_dir / "downloads")
    missing = [url for url in stock.url_infos if url not in files]
    if missing and not _answers(missing[0]):
        raise RequestError(
            f"name: {stock.name!r} is not prepared in {str(data_dir)!r}, and {missing[0]} cannot "
            f"be reached; copy {', '.join(url.rpartition('/')[2] for url in missing)} from there "
            f"to {str(data_dir / 'downloads' / 'manual' / stock.name)!r} and run again"
        )
    print(f"Preparing {stock.name} in {data_dir}, once: about 20 s", file=sys.stderr)
    try:
        write(stock, data_dir, files)
    except (OSError, tfds.download.DownloadError) as error:
        raise RequestError(f"name: {stock.name!r} cannot be prepared: {error}") from error


def _find(stock: Any, downloads: Path) -> dict[str, Path]:
    """Returns the original files that exist, identified by their checksums, by URL."""
    folders = ["manual", f"manual/{stock.name}", stock.name, "."]
    there = [file for folder in folders for file in (downloads / folder).glob("*.gz")]
    found = {}
    for url, original in stock.url_infos.items():
        for file in there:
            if _is(file, original):
                found[url] = file
                break
    return found


def _is(file: Path, original: Any) -> bool:
    if not file.is_file() or file.stat().st_size != original.size:
        return False
    return hashlib.sha256(file.read_bytes()).hexdigest() == original.checksum


def _answers(url: str) -> bool:
    """Returns whether a server answers at once; tensorflow-datasets would try for minutes."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=TIMEOUT).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def write(stock: Any, data_dir: Path, files: dict[str, Path]) -> None:
    """Writes a data set from its IDX files, unless another process has written it meanwhile.

    Args:
        stock: builder of 'mnist' or 'fashion_mnist' that is not prepared.
        data_dir: root of all prepared data sets.
        files: original files by their URL; all others are downloaded.

    Raises:
        OSError: A file cannot be read, written or downloaded.
    """
    import tensorflow_datasets as tfds

    data_dir.mkdir(parents=True, exist_ok=True)
    # In a folder of its own and renamed when complete, so that two processes do not collide.
    with tempfile.TemporaryDirectory(dir=data_dir, prefix=".preparing-") as temporary:
        builder = _builder_class(stock, files)(data_dir=temporary, file_format="array_record")
        # The manual downloads were looked through already, and TFDS would stumble over those of
        # another data set.
        config = tfds.download.DownloadConfig(manual_dir=Path(temporary, "none"))
        # What TFDS says on stdout names the temporary folder.
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare(
                download_dir=data_dir / "downloads", download_config=config
            )
        target = Path(stock.data_dir)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(builder.data_dir, target)
        except OSError:
            if not (target / "dataset_info.json").exists():
                raise


def _builder_class(stock: Any, files: dict[str, Path]) -> Any:
    """Returns a builder class of the stock's name and format that needs no TensorFlow."""
    from tensorflow_datasets.core import registered

    with registered.skip_registration():

        class Builder(type(stock)):
            name = stock.name

            def _split_generators(self, dl_manager):
                generators = {}
                for split, part in PARTS.items():
                    urls = [
                        f"{self.URL}{part}-{kind}-ubyte.gz"
                        for kind in ("images-idx3", "labels-idx1")
                    ]
                    paths = [files.get(url) or dl_manager.download(url) for url in urls]
                    generators[split] = self._generate_examples(*paths)
                return generators

            def _generate_examples(self, images_path, labels_path):
                images = read_idx(images_path)
                for index, label in enumerate(read_idx(labels_path)):
                    yield index, {"image": _png(images[index]), "label": int(label)}

    return Builder


def read_idx(path: os.PathLike[str]) -> UInt8[np.ndarray, "number ..."]:
    """Returns the array of a gzipped IDX file of bytes, the format that MNIST is published in."""
    with gzip.open(path) as file:
        content = file.read()
    rank = content[3]
    shape = np.frombuffer(content, ">u4", count=rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def _png(image: UInt8[np.ndarray, "height width"]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png")
    return buffer.getvalue()
