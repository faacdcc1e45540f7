"""What the tests of helpers.data share: a server on this machine, temporary manifests, and tiny files of the real formats."""

import hashlib
import io
import tarfile
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import yaml


class Server:
    """Serves bytes on 127.0.0.1; `routes` maps a path to bytes, or to what goes wrong there. `hits` counts requests."""

    def __init__(self):
        self.routes, self.status, self.cut, self.delay, self.hits = {}, {}, set(), 0.0, Counter()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.hits[self.path] += 1
                time.sleep(outer.delay)
                body = outer.routes.get(self.path)
                status = outer.status.get(self.path, 200 if body is not None else 404)
                self.send_response(status)
                body = body or b""
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if self.path in outer.cut else body)

            def log_message(self, *_):
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.httpd.server_address[1]}"

    def put(self, path: str, body: bytes) -> str:
        """Serve a body; returns its address."""
        self.routes[path] = body
        return self.address + path


@contextmanager
def serving():
    """A running Server."""
    server = Server()
    thread = threading.Thread(target=server.httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.httpd.shutdown()
        server.httpd.server_close()
        thread.join()


def md5(body: bytes) -> str:
    """The MD5 in hexadecimal."""
    return hashlib.md5(body).hexdigest()


def npz(shape: tuple[int, ...] = (28, 28), several_labels: int = 1, **changes) -> bytes:
    """An .npz of MedMNIST's format with 6, 4 and 5 images; `changes` replace arrays, None leaves one out."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in {"train": 6, "val": 4, "test": 5}.items():
        arrays[f"{split}_images"] = rng.integers(0, 256, (n, *shape), dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(n * several_labels).reshape(n, several_labels) % 2).astype(np.uint8)
    arrays.update(changes)
    out = io.BytesIO()
    np.savez(out, **{key: value for key, value in arrays.items() if value is not None})
    return out.getvalue()


def tar(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A tar archive of these files and symbolic links."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as box:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            box.addfile(info, io.BytesIO(body))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            box.addfile(info)
    return out.getvalue()


def hippocampus_files(n: int = 30) -> dict[str, bytes]:
    """Tiny NIfTI volumes as the Decathlon's archive lays them out, with the droppings a Mac leaves in it."""
    import nibabel as nib

    members = {"Task04_Hippocampus/dataset.json": b"{}"}
    image = nib.Nifti1Image(np.arange(24, dtype=np.float32).reshape(2, 3, 4), np.eye(4)).to_bytes()
    label = nib.Nifti1Image(np.zeros((2, 3, 4), np.uint8), np.eye(4)).to_bytes()
    import gzip

    for number in range(n):
        for part, body in (("imagesTr", image), ("labelsTr", label)):
            members[f"Task04_Hippocampus/{part}/hippocampus_{number:03d}.nii.gz"] = gzip.compress(body, 1)
            members[f"Task04_Hippocampus/{part}/._hippocampus_{number:03d}.nii.gz"] = b"Mac"
    return members


def entry(kind: str = "medmnist", **fields) -> dict:
    """A manifest entry with every needed field."""
    needed = {"title": "Tiny", "task": "binary-class", "modality": "test", "licence": "CC0", "citation": "none", "stand_in": "none"}
    return {"kind": kind, **needed, **fields}


def write_manifest(path: Path, **sets: dict) -> Path:
    """A manifest file of these sets."""
    path.write_text(yaml.safe_dump({"sets": sets}), encoding="utf-8")
    return path


def left_behind(root: Path) -> list[str]:
    """Every file below a data directory except lock files, which are empty and stay."""
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and p.suffix != ".lock")


def is_one_sentence(message: str) -> bool:
    """No line breaks, no traceback, not endless, and it says what to do after a colon."""
    return "\n" not in message and 20 < len(message) < 600 and ": " in message
