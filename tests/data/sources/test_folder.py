import io
import logging
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from gan_jax.common.errors import RequestError
from gan_jax.data import images, named
from gan_jax.data.sources import classes
from gan_jax.data.sources.folder import Folder

CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck"


def load(path, size=4, channels=3, corrupt="skip"):
    """Load without the cache of the process, as a new process would."""
    return Folder(str(path), corrupt).examples(size, channels)


def write(path, colour, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), colour).save(path, **options)


@pytest.fixture
def pets(tmp_path):
    """Two classes of PNGs, each of one colour."""
    root = tmp_path / "pets"
    for name, value in {
        "dog/2.png": 30,
        "dog/1.png": 20,
        "cat/deep/9.PNG": 10,
        "cat/b.png": 5,
    }.items():
        write(root / name, (value,) * 3)
    (root / "dog" / "notes.txt").write_text("no image")
    (root / "empty").mkdir()
    write(root / ".hidden" / "1.png", "red")
    write(root / "dog" / "._1.png", "red")
    return root


def test_classes_labels_and_order(pets):
    examples = load(pets)
    assert examples.class_names == ("cat", "dog")
    assert examples.sample[:, 0, 0, 0].tolist() == [5, 10, 20, 30]
    assert examples.label.tolist() == [0, 0, 1, 1]


def test_real_jpegs_are_decoded_as_pillow_does(cifar10):
    described = images.folder(cifar10, size=32, labels=True)
    files = sorted(cifar10.rglob("*.jpg"))
    assert described.count == len(files) == 1000
    assert described.load().class_names == tuple(CIFAR10.split())
    for position in range(0, 1000, 37):
        expected = np.asarray(Image.open(files[position]).convert("RGB"))
        raw = described.gather(np.array([position]))
        np.testing.assert_array_equal(raw["sample"][0], expected)
        assert raw["label"].tolist() == [position // 100]


def test_second_load_comes_from_the_cache(cifar10, cache_folder):
    first = load(cifar10, size=16, channels=1)
    (file,) = cache_folder.iterdir()
    written = file.stat().st_mtime_ns
    second = load(cifar10, size=16, channels=1)
    np.testing.assert_array_equal(first.sample, second.sample)
    np.testing.assert_array_equal(first.label, second.label)
    assert file.stat().st_mtime_ns == written
    assert file.stat().st_size < 1000 * (16 * 16 + 4) + 200


def test_size_and_channels_are_not_confused_in_the_cache(pets):
    assert [load(pets, size, channels).sample.shape for size in (4, 6) for channels in (1, 3)] == [
        (4, 4, 4, 1),
        (4, 4, 4, 3),
        (4, 6, 6, 1),
        (4, 6, 6, 3),
    ]


def test_a_changed_folder_is_not_served_stale(pets):
    load(pets)
    file = pets / "dog" / "1.png"
    before = file.stat()
    write(file, (21, 21, 21))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert load(pets).sample[2, 0, 0, 0] == 21
    write(pets / "dog" / "3.png", (40, 40, 40))
    assert load(pets).sample[:, 0, 0, 0].tolist() == [5, 10, 21, 30, 40]
    (pets / "cat").rename(pets / "bat")
    assert load(pets).class_names == ("bat", "dog")
    (pets / "dog" / "2.png").unlink()
    assert load(pets).sample[:, 0, 0, 0].tolist() == [5, 10, 21, 40]


def test_images_directly_in_the_folder_have_no_labels(tmp_path):
    write(tmp_path / "flat" / "b.jpg", "white", quality=95)
    write(tmp_path / "flat" / "a.jpeg", "black", quality=95)
    examples = load(tmp_path / "flat")
    assert examples.sample[:, 0, 0, 0].tolist() == [0, 255]
    assert (examples.label, examples.class_names) == (None, ())
    assert images.folder(tmp_path / "flat", 4).classes == 0
    with pytest.raises(RequestError, match=r"but there are none .*lie in the folder itself .*a\.j"):
        images.folder(tmp_path / "flat", 4, labels=True).load()


def test_images_beside_sub_folders_take_the_labels_away_and_are_named(pets, caplog):
    write(pets / "z.png", (50, 50, 50))
    examples = load(pets)
    assert examples.sample[:, 0, 0, 0].tolist() == [5, 10, 20, 30, 50]
    assert examples.label is None
    named = f"images lie beside the sub-folders: {pets / 'z.png'}"
    assert f"no image has a label, as {named}" in caplog.text
    with pytest.raises(RequestError, match=f"labels is True, but there are none .*{named}"):
        images.folder(pets, 4, labels=True).load()


def test_files_of_other_kinds_are_counted_by_suffix(pets, caplog):
    for name in ("1.SVG", "2.svg", "LICENSE"):
        (pets / "cat" / name).write_text("")
    assert len(load(pets).sample) == 4
    assert f"{pets}: 4 files were left out: .svg (2), no suffix (1), .txt (1)" in caplog.text
    caplog.clear()
    images.mnist_sample().read([pets])
    assert "4 files were left out" in caplog.text


def test_all_formats_that_are_read_make_classes(tmp_path):
    for number, suffix in enumerate(["png", "webp", "bmp", "tif", "gif"]):
        write(tmp_path / suffix / f"1.{suffix}", (60 * number,) * 3)
    examples = load(tmp_path)
    assert examples.class_names == ("bmp", "gif", "png", "tif", "webp")
    grey = examples.sample[:, 0, 0, 0].astype(int)
    assert abs(grey - [120, 240, 0, 180, 60]).max() <= 1


def test_only_the_first_of_several_images_is_read_and_that_is_said(tmp_path, caplog):
    frames = [Image.new("L", (4, 4), grey) for grey in (10, 200)]
    frames[0].save(tmp_path / "b.tif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "a.png")
    assert load(tmp_path).sample.max() == 10
    said = f"only the first of several images in a file is read: 1 of 2 files, {tmp_path / 'b.tif'}"
    assert said in caplog.text


@pytest.mark.parametrize("inside", ["", "pets/"])
@pytest.mark.parametrize(("training", "test"), [("train", "test"), ("Training", "Validation")])
def test_training_and_test_images_are_not_classes(tmp_path, monkeypatch, inside, training, test):
    monkeypatch.chdir(tmp_path)
    for part in (training, test):
        write(tmp_path / "n" / f"{inside}{part}" / "cat" / "1.png", "red")
    named = rf"'n/{inside}' holds training .*'n/{inside}{training}' for".replace("/'", "'")
    for labels in (False, True):
        with pytest.raises(RequestError, match=named):
            images.folder("n", 4, labels=labels).load()
    assert images.folder(f"n/{inside}{training}", 4, labels=True).classes == 1


def test_a_class_for_every_image_is_no_class(tmp_path, monkeypatch):
    monkeypatch.setattr(classes, "USUAL", 2)
    for name in "abc":
        write(tmp_path / name / "1.png", "red")
    assert load(tmp_path).class_names == ()
    with pytest.raises(RequestError, match="3 examples have 3 different labels: fewer than two"):
        images.folder(tmp_path, 4, labels=True).load()
    write(tmp_path / "a" / "2.png", "red")
    write(tmp_path / "b" / "2.png", "red")
    write(tmp_path / "c" / "2.png", "red")
    assert load(tmp_path).class_names == ("a", "b", "c")


def test_own_shapes_are_counted_by_the_headers(pets, caplog):
    Image.new("L", (6, 5)).save(pets / "cat" / "grey.png")
    (pets / "cat" / "damaged.png").write_text("no image")
    assert Folder(str(pets)).shapes() == {(4, 4, 3): 4, (5, 6, 1): 1}
    for name in ("cat", "dog"):
        shutil.rmtree(pets / name)
    write(pets / "dog" / "1.png", "red")
    (pets / "dog" / "1.png").write_text("no image")
    with pytest.raises(RequestError, match=r"unreadable image .*1\.png"):
        Folder(str(pets)).shapes()


@pytest.fixture
def damaged(cifar10, tmp_path):
    """Real JPEGs, among them all kinds of files that are none."""
    root = tmp_path / "damaged"
    shutil.copytree(cifar10 / "cat", root / "cat")
    shutil.copytree(cifar10 / "dog", root / "dog")
    whole = sorted((root / "cat").iterdir())[0].read_bytes()
    (root / "cat" / "aa_truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "cat" / "zz_empty.jpg").touch()
    (root / "dog" / "mm_text.png").write_text("this is no image")
    (root / "dog" / "nn_dangling.jpg").symlink_to("nowhere.jpg")
    (root / "dog" / "oo_postscript.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0")
    return root


BAD = ["aa_truncated.jpg", "zz_empty.jpg", "mm_text.png", "nn_dangling.jpg", "oo_postscript.jpg"]


def test_corrupt_images_are_left_out_and_named(damaged, caplog):
    for _ in range(2):  # decoded, and then from the cache
        caplog.clear()
        examples = load(damaged, size=32)
        assert len(examples.sample) == 200
        assert np.bincount(examples.label).tolist() == [100, 100]
        said = [record for record in caplog.records if record.levelno == logging.WARNING]
        warnings = [record for record in said if "skipped" in record.getMessage()]
        assert len(warnings) == len(BAD)
        for name, record in zip(BAD, warnings, strict=True):
            assert name in record.getMessage()
            assert "\n" not in record.getMessage()
    clean = [sorted((damaged / name).iterdir()) for name in ("cat", "dog")]
    files = [file for folder in clean for file in folder if file.name not in BAD]
    expected = np.stack([np.asarray(Image.open(file)) for file in files])
    np.testing.assert_array_equal(examples.sample, expected)


@pytest.mark.parametrize("seen_before", [False, True])
def test_corrupt_images_are_refused_on_request(damaged, seen_before):
    if seen_before:
        load(damaged, size=32)
    with pytest.raises(RequestError, match=r"unreadable image .*aa_truncated\.jpg.*corrupt='skip'"):
        load(damaged, size=32, corrupt="refuse")


def test_only_corrupt_images_is_an_error(tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "1.png").write_text("no image")
    with pytest.raises(RequestError, match=r"unreadable image .*1\.png"):
        load(tmp_path / "bad")


def test_a_truncated_file_never_gives_other_pixels(cifar10, tmp_path):
    """A file cut anywhere is either corrupt or, where only its end mark is gone, intact."""
    for source in [sorted((cifar10 / "ship").iterdir())[0], png_of(cifar10, tmp_path)]:
        whole = source.read_bytes()
        expected = np.asarray(Image.open(source))
        cut = tmp_path / "cut" / source.name
        cut.parent.mkdir(exist_ok=True)
        for length in [*range(0, len(whole), 9), *range(len(whole) - 30, len(whole))]:
            cut.write_bytes(whole[:length])
            try:
                np.testing.assert_array_equal(load(cut.parent, size=32).sample[0], expected)
            except RequestError as error:
                assert "unreadable image" in str(error)
            else:
                assert length > len(whole) - 30
        cut.unlink()


def png_of(cifar10, tmp_path):
    source = sorted((cifar10 / "ship").iterdir())[0]
    Image.open(source).save(tmp_path / "ship.png")
    return tmp_path / "ship.png"


def test_photographs_are_turned_the_way_they_were_taken(tmp_path):
    image = Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4) * 16)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    (tmp_path / "turned").mkdir()
    buffer = io.BytesIO()
    image.save(buffer, "png", exif=exif)
    (tmp_path / "turned" / "1.png").write_bytes(buffer.getvalue())
    turned = load(tmp_path / "turned", channels=1).sample[0, ..., 0]
    np.testing.assert_array_equal(turned, np.asarray(image)[::-1, ::-1])


def test_links_are_followed_once(pets, tmp_path):
    root = tmp_path / "links"
    root.mkdir()
    (root / "cat").symlink_to(pets / "cat")
    (pets / "cat" / "loop").symlink_to(pets / "cat")
    assert load(root).sample[:, 0, 0, 0].tolist() == [5, 10]


def test_wrong_folders_are_refused(pets, tmp_path):
    with pytest.raises(RequestError, match=r"no folder '.*/pet'; did you mean 'pets'\?"):
        load(tmp_path / "pet")
    with pytest.raises(RequestError, match=r"notes\.txt' is a \.txt file: write its images into a"):
        load(pets / "dog" / "notes.txt")
    with pytest.raises(RequestError, match="there is no image in"):
        load(pets / "empty")
    (pets / "empty" / "1.heic").write_text("")
    with pytest.raises(RequestError, match=r"there is no image in .*, but \.heic \(1\); right is"):
        load(pets / "empty")


def test_an_unwritable_cache_only_costs_time(pets, cache_folder, caplog):
    cache_folder.parent.mkdir(parents=True)
    cache_folder.write_text("a file where the folder should be")
    assert load(pets).label.tolist() == [0, 0, 1, 1]
    assert "not cached" in caplog.text


def test_wrong_arguments_are_refused_at_once():
    with pytest.raises(
        RequestError, match=r"Folder\.corrupt = 'skp': expected one of 'skip', 'refuse'; did you"
    ):
        images.folder("somewhere", 32, corrupt="skp")
    with pytest.raises(RequestError, match=r"Folder\.path = 5: expected str"):
        images.folder(5, 32)
    with pytest.raises(RequestError, match=r"Folder\.path = '': must not be empty"):
        images.folder("", 32)


@pytest.mark.usefixtures("in_time")
def test_what_is_not_a_regular_file_is_left_out_and_named(tmp_path, caplog):
    write(tmp_path / "a.png", "red")
    os.mkfifo(tmp_path / "b.png")
    assert len(load(tmp_path).sample) == 1
    assert f"skipped an unreadable image: {tmp_path / 'b.png'} (" in caplog.text
    assert "is a FIFO, not a regular file" in caplog.text
    with pytest.raises(RequestError, match=r"unreadable image .*b\.png .*FIFO.*corrupt='skip'"):
        load(tmp_path, corrupt="refuse")


def test_images_above_the_limit_are_left_out_until_it_is_raised(tmp_path, caplog):
    for name, width in (("a.png", 8), ("b.png", 9)):
        Image.new("L", (width, 8)).save(tmp_path / name)
    described = images.folder(tmp_path, 4, most_pixels=64)
    assert described.count == 1
    assert f"{tmp_path / 'b.png'} (9 x 8 pixels, more than most_pixels = 64" in caplog.text
    assert images.folder(tmp_path, 4, most_pixels=72).count == 2
    assert named.from_text(str(tmp_path), 4, 3, most_pixels=64).count == 1
    assert Folder(str(tmp_path), most_pixels=64).shapes() == {(8, 8, 1): 1}
    with pytest.raises(RequestError, match=r"Folder\.most_pixels = 0: must be at least 1"):
        images.folder(tmp_path, 4, most_pixels=0)
