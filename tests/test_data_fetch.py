"""Bad transfers and bad places to store: each gets one clear sentence and leaves nothing half-written."""

import errno
import io
import multiprocessing
import zipfile

import pytest

from helpers import data
from helpers.data import fetch, manifest
from helpers.data.core import DataError
from tests.data_fixtures import entry, hippocampus_files, is_one_sentence, left_behind, md5, npz, serving, tar, write_manifest

GOOD = npz()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    with serving() as running:
        yield running


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty data directory and an empty cache."""
    monkeypatch.setenv(manifest.VARIABLE, str(tmp_path / "data"))
    monkeypatch.setattr(manifest, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "data"


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """offer(addresses, body, **fields): make "tiny" known, a MedMNIST file at these addresses with this body's checksum."""

    def _offer(addresses, body=GOOD, **fields):
        file = {"path": "medmnist/tiny.npz", "size": 28, "md5": md5(body), "addresses": addresses, **fields}
        path = write_manifest(tmp_path / "manifest.yaml", tiny=entry(files=[file]))
        monkeypatch.setattr(manifest, "manifest_path", lambda: path)

    return _offer


def refused(**options) -> str:
    with pytest.raises(DataError) as caught:
        data.load("tiny", stand_in="never", **options)
    assert is_one_sentence(str(caught.value)), caught.value
    return str(caught.value)


def test_a_good_file_is_fetched_once(server, place, offer):
    offer([server.put("/tiny.npz", GOOD)], bytes=len(GOOD))
    assert len(data.load("tiny").train) == 6
    assert len(data.load("tiny").test) == 5
    assert server.hits["/tiny.npz"] == 1
    assert left_behind(place) == ["medmnist/tiny.npz"]
    assert data.path("tiny").stat().st_mode & 0o444 == 0o444, "a shared data directory must be readable by the others"


def test_addresses_are_tried_in_order(server, place, offer):
    wrong, dead, good = server.put("/wrong", GOOD + b"!"), "http://127.0.0.1:9/tiny.npz", server.put("/good", GOOD)
    offer([server.address + "/missing", dead, wrong, good])
    assert data.path("tiny").read_bytes() == GOOD
    assert server.hits["/missing"] == server.hits["/wrong"] == server.hits["/good"] == 1
    assert left_behind(place) == ["medmnist/tiny.npz"]


def test_wrong_checksum(server, place, offer):
    offer([server.put("/tiny.npz", GOOD[:-1] + b"!")])
    assert "its MD5 is not the manifest's" in refused()
    assert left_behind(place) == []


def test_wrong_length(server, place, offer):
    offer([server.put("/tiny.npz", GOOD)], bytes=7)
    assert f"it has {len(GOOD)} bytes where the manifest says 7" in refused()
    assert left_behind(place) == []


def test_cut_transfer(server, place, offer):
    offer([server.put("/tiny.npz", GOOD)])
    server.cut.add("/tiny.npz")
    assert "the transfer was cut off" in refused()
    assert left_behind(place) == []


@pytest.mark.parametrize("status", [404, 503])
def test_server_refuses(server, place, offer, status):
    offer([server.put("/tiny.npz", GOOD)])
    server.status["/tiny.npz"] = status
    assert f"the server answered {status}" in refused()
    assert left_behind(place) == []


def test_no_connection(place, offer):
    offer(["http://127.0.0.1:9/tiny.npz"])
    message = refused()
    assert "no connection" in message and "check the network" in message
    assert left_behind(place) == []


def test_missing_certificates_are_not_taken_for_a_full_disk(place, offer, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle")
    offer(["https://127.0.0.1:9/tiny.npz"])
    assert "certificate" in refused()


def test_server_that_never_answers(server, place, offer, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT", (1, 0.1))
    server.delay = 0.5
    offer([server.put("/tiny.npz", GOOD)])
    assert "no answer in time" in refused()
    assert left_behind(place) == []


def test_disk_fills_up_in_the_middle(server, place, offer, monkeypatch):
    import pooch

    def half(self, url, output_file, *_, **__):
        with open(output_file, "wb") if isinstance(output_file, str) else output_file as out:
            out.write(GOOD[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", half)
    offer([server.put("/tiny.npz", GOOD)])
    assert "is full: free some space" in refused()
    assert left_behind(place) == []


def test_too_little_space_is_seen_before_the_transfer(server, place, offer, monkeypatch):
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10}))
    offer([server.put("/tiny.npz", GOOD)], bytes=len(GOOD))
    assert "is full" in refused()
    assert server.hits["/tiny.npz"] == 0 and left_behind(place) == []


def test_unwritable_directory(server, tmp_path, place, offer, monkeypatch):
    (tmp_path / "a_file").write_text("not a folder")
    monkeypatch.setenv(manifest.VARIABLE, str(tmp_path / "a_file" / "data"))
    offer([server.put("/tiny.npz", GOOD)])
    message = refused()
    assert "can't write to the data directory" in message and manifest.VARIABLE in message
    assert server.hits["/tiny.npz"] == 0


def test_read_only_directory_is_left_alone(server, tmp_path, place, offer):
    offer([server.put("/tiny.npz", GOOD)])
    place.mkdir()
    place.chmod(0o555)  # root could write here all the same
    try:
        assert data.path("tiny") == tmp_path / "cache" / "medmnist" / "tiny.npz"
        assert list(place.iterdir()) == []
    finally:
        place.chmod(0o755)


def test_damaged_file_is_replaced(server, place, offer):
    offer([server.put("/tiny.npz", GOOD)])
    (place / "medmnist").mkdir(parents=True)
    (place / "medmnist" / "tiny.npz").write_bytes(GOOD[:500])
    assert len(data.load("tiny").val) == 4
    assert data.path("tiny").read_bytes() == GOOD


def test_damaged_file_without_network(place, offer):
    offer(["http://127.0.0.1:9/tiny.npz"])
    (place / "medmnist").mkdir(parents=True)
    (place / "medmnist" / "tiny.npz").write_bytes(b"damaged")
    message = refused()
    assert "is damaged" in message and "no good copy could be fetched" in message
    assert left_behind(place) == ["medmnist/tiny.npz"]


def test_what_a_killed_process_left_is_swept(server, place, offer):
    offer([server.put("/tiny.npz", GOOD)])
    (place / ".partial" / "medmnist-tiny.npz").mkdir(parents=True)
    (place / ".partial" / "medmnist-tiny.npz" / "download").write_bytes(b"half")
    assert data.path("tiny").read_bytes() == GOOD
    assert left_behind(place) == ["medmnist/tiny.npz"]


def _load_in_child(queue):
    try:
        queue.put(len(data.load("tiny", stand_in="never").train))
    except BaseException as error:
        queue.put(repr(error))


def test_two_processes_download_once(server, place, offer):
    offer([server.put("/tiny.npz", GOOD)])
    server.delay = 0.3
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    children = [context.Process(target=_load_in_child, args=(queue,)) for _ in range(2)]
    for child in children:
        child.start()
    assert [queue.get(timeout=30) for _ in children] == [6, 6]
    for child in children:
        child.join()
    assert server.hits["/tiny.npz"] == 1
    assert left_behind(place) == ["medmnist/tiny.npz"]


def test_member_of_a_zip_archive(server, place, offer):
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as archive:
        archive.writestr("inner.npz", GOOD)
    archive, none = server.put("/a.zip", box.getvalue()), server.put("/none.zip", b"no zip")
    offer([f"{archive}#absent.npz", f"{none}#inner.npz", f"{archive}#inner.npz"])
    assert data.path("tiny").read_bytes() == GOOD
    assert left_behind(place) == ["medmnist/tiny.npz"]


# ---------------------------------------------------------------- archives


@pytest.fixture
def offer_archive(server, tmp_path, monkeypatch):
    def _offer(body):
        file = {"path": "Task.tar", "unpack": "Task04_Hippocampus", "md5": md5(body), "addresses": [server.put("/Task.tar", body)]}
        path = write_manifest(tmp_path / "manifest.yaml", tiny=entry("decathlon", files=[file]))
        monkeypatch.setattr(manifest, "manifest_path", lambda: path)

    return _offer


def test_archive_is_unpacked_without_droppings(server, place, offer_archive):
    members = hippocampus_files()
    offer_archive(tar(members, links={"Task04_Hippocampus/imagesTr/link.nii.gz": "/etc/passwd"}))
    loaded = data.load("tiny", stand_in="never")
    assert sum(map(len, loaded.splits.values())) == 30
    assert left_behind(place) == sorted(name for name in members if "/." not in name)
    data.load("tiny")
    assert server.hits["/Task.tar"] == 1


@pytest.mark.parametrize("evil", ["../outside.nii.gz", "/outside.nii.gz", "Task04_Hippocampus/../../outside.nii.gz"])
def test_archive_that_points_outside(place, offer_archive, evil):
    offer_archive(tar({**hippocampus_files(2), evil: b"evil"}))
    assert "points outside" in refused()
    assert left_behind(place) == [] and not list(place.parent.rglob("outside*"))


@pytest.mark.parametrize("body", [b"no archive", tar({"Other/file": b"x"}), tar(hippocampus_files(3))[:5000]])
def test_archive_that_is_no_archive_of_this_set(place, offer_archive, body):
    offer_archive(body)
    refused()
    assert not [name for name in left_behind(place) if "partial" in name]


def test_archive_with_too_few_cases(place, offer_archive):
    offer_archive(tar(hippocampus_files(3)))
    assert "holds only 3 cases" in refused()
