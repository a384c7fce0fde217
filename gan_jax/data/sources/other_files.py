"""Files that are there, but are not read as images: what to do with them."""

from pathlib import Path

from gan_jax.data.sources.decode import SUFFIXES

ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")


def advice(path: Path) -> str:
    """Returns what a file is, judged by its suffix, and what to do with it."""
    suffix = path.suffix.lower()
    if suffix == ".npy":
        call = f"np.savez({path.stem + '.npz'!r}, images=np.load({path.name!r}))"
        return f"is an .npy file: put it into an .npz file as 'images', by {call}"
    if suffix == ".npz":
        return "is an .npz file: name it in the experiment as images.arrays(...)"
    if suffix in ARCHIVES:
        return "is an archive: unpack it, and give the folder that comes out"
    if suffix in SUFFIXES:
        return "is a single image: give the folder that it lies in"
    kind = f"a {suffix} file" if suffix else "a file without a suffix"
    return f"is {kind}: write its images into a folder, or into an .npz file as 'images', uint8"
