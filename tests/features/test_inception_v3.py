"""Features of Inception-v3 with the random weights of `tests/networks/inception_case.py`."""

import hashlib
import http.server
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from gan_jax.cli import main
from gan_jax.common import exit_codes
from gan_jax.common.errors import RequestError
from gan_jax.features import inception_v3, named, torch_file
from gan_jax.networks.inception import checkpoint_shapes
from tests.networks import inception_case

CONTENT = bytes(range(256)) * 2**13  # 2 MiB


@pytest.fixture
def drawn(tmp_path, monkeypatch) -> inception_v3.Inception:
    """The network with random weights, in batches of two; other files are read as they are."""
    path = tmp_path / "drawn.pth"
    path.write_bytes(b"drawn")
    decode = torch_file.decode

    def decode_or_draw(content, name):
        if content == b"drawn":
            return inception_case.weights(checkpoint_shapes())
        return decode(content, name)

    monkeypatch.setattr(torch_file, "decode", decode_or_draw)
    monkeypatch.setattr(inception_v3, "BATCH", 2)
    inception_v3._variables.cache_clear()
    return inception_v3.inception(path)


def test_extracts_what_the_peer_does_in_batches(drawn, caplog):
    image = inception_case.images()[0]
    pixels = np.stack([image, image[::-1], image[:, ::-1]])
    extracted = drawn.extract(pixels)
    assert (extracted.features.shape, extracted.probabilities.shape) == ((3, 2048), (3, 1008))
    assert {array.dtype for array in extracted[:2]} == {np.dtype(np.float32)}
    with np.load(Path(inception_case.__file__).parent / "inception.npz") as stored:
        peer, logits = stored["2048"][0], stored["logits_unbiased"][0, 2:]
    ours = inception_case.summary(extracted.features)[0]
    np.testing.assert_allclose(ours, peer, atol=1e-5 * np.abs(peer).max())
    np.testing.assert_allclose(extracted.probabilities.sum(1), 1, rtol=1e-5)
    log_probabilities = inception_case.summary(np.log(extracted.probabilities))[0, 2:]
    np.testing.assert_allclose(np.ptp(log_probabilities - logits), 0, atol=1e-4)

    for one, two in zip(drawn.extract(pixels[:1])[:2], extracted[:2], strict=True):
        assert np.array_equal(one[0], two[0])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert drawn.sha256() in caplog.text


def test_grey_images_are_repeated_to_three_channels(drawn):
    grey = inception_case.images()[0][None, :, :, :1]
    colour = np.repeat(grey, 3, axis=3)
    assert np.array_equal(drawn.extract(grey).features, drawn.extract(colour).features)


def test_says_what_it_is(drawn):
    assert drawn == named.from_text(drawn.path) == inception_v3.inception(drawn.path)
    assert hash(drawn) == hash(inception_v3.inception(drawn.path))
    assert drawn.name == "inception-v3-fid"
    assert drawn.sha256() == hashlib.sha256(b"drawn").hexdigest()


@pytest.mark.parametrize("shape", [(2, 28, 28, 2), (2, 28, 28), (0, 28, 28, 3), (2, 0, 28, 3)])
def test_refuses_other_images(drawn, shape):
    with pytest.raises(RequestError, match=r"inception-v3-fid take samples"):
        drawn.extract(np.zeros(shape, np.uint8))
    with pytest.raises(RequestError, match=r"type uint8.*not type float32"):
        drawn.extract(np.zeros((2, 28, 28, 3), np.float32))


def test_refuses_other_files(drawn, tmp_path):
    pixels = np.zeros((1, 28, 28, 3), np.uint8)
    with pytest.raises(RequestError, match=r"dranw\.pth.*did you mean 'drawn\.pth'"):
        inception_v3.inception(tmp_path / "dranw.pth").extract(pixels)
    other = Path(__file__).parent / "torch_files" / "zip.pth"
    with pytest.raises(RequestError, match=r"zip\.pth.*lacks Conv2d_1a_3x3"):
        inception_v3.inception(other).extract(pixels)
    (tmp_path / "cut.pth").write_bytes(other.read_bytes()[:-30])
    with pytest.raises(RequestError, match=r"cut\.pth' is damaged"):
        inception_v3.inception(tmp_path / "cut.pth").extract(pixels)
    with pytest.raises(RequestError, match="path"):
        inception_v3.inception(3)


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends CONTENT, or breaks off in the middle of it, or has nothing."""

    def do_GET(self):
        if self.path == "/missing":
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: 2**20 if self.path == "/half" else None])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    """Takes the path that is asked for."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{serving.server_address[1]}"
        monkeypatch.setattr(inception_v3, "SHA256_START", hashlib.sha256(CONTENT).hexdigest()[:8])
        yield lambda path: monkeypatch.setattr(inception_v3, "URL", address + path)
        serving.shutdown()


def test_downloads_once(server, tmp_path, capsys):
    server("/weights")
    out = tmp_path / "weights.pth"
    arguments = ["features", "inception", "--out", str(out)]
    with pytest.raises(SystemExit) as finished:
        main.main(arguments)
    assert finished.value.code == exit_codes.FINISHED
    assert out.read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["weights.pth"]
    assert "Downloading the weights" in capsys.readouterr().err
    server("/missing")
    inception_v3.download(out)
    assert "already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "path, message", [("/missing", "404"), ("/half", "should begin with"), ("/weights", "altered")]
)
def test_writes_nothing_but_the_published_file(server, tmp_path, monkeypatch, path, message):
    server(path)
    if path == "/weights":
        monkeypatch.setattr(inception_v3, "SHA256_START", message)
    with pytest.raises(RequestError, match=message):
        inception_v3.download(tmp_path / "weights.pth")
    assert not list(tmp_path.iterdir())


def test_without_an_answer_fails_soon(monkeypatch, tmp_path):
    monkeypatch.setattr(inception_v3, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/weights"
        monkeypatch.setattr(inception_v3, "URL", address)
        start = time.monotonic()
        with pytest.raises(RequestError, match=rf"cannot be downloaded \(.*copy {address} to"):
            inception_v3.download(tmp_path / "weights.pth")
        assert time.monotonic() - start < 5
    with pytest.raises(RequestError, match="refused"):
        inception_v3.download(tmp_path / "weights.pth")
    with pytest.raises(RequestError, match=r"must end in \.pth"):
        inception_v3.download(tmp_path / "weights.npz")
    with pytest.raises(RequestError, match="no folder"):
        inception_v3.download(tmp_path / "none" / "weights.pth")
