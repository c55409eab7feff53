"""Archives: what is sound comes out whole, what is not leaves one error and nothing on disk."""

import gzip
import io
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from lasernet.data.importers.archive import Limits, unpacked
from lasernet.errors import DataError

FILES = {"a.txt": b"alpha" * 100, "deep/er/b.txt": os.urandom(5000), "empty.txt": b""}
MODES = {".tar": "w", ".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}


def zipped(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name) if name.endswith("/") else name, data)
    return path


def tarred(path: Path, files: dict[str, bytes], members: list[tarfile.TarInfo] | None = None) -> Path:
    ending = max((end for end in MODES if path.name.endswith(end)), key=len)
    with tarfile.open(path, MODES[ending]) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in members or []:
            archive.addfile(member)
    return path


def content(archive: Path, limits: Limits | None = None) -> dict[str, bytes]:
    with unpacked(archive, archive.with_name("out.h5"), limits) as place:
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def refused(archive: Path, limits: Limits | None = None) -> str:
    before = sorted(path for path in archive.parent.rglob("*"))
    with pytest.raises(DataError) as caught:
        content(archive, limits)
    assert sorted(path for path in archive.parent.rglob("*")) == before
    assert "\n" not in str(caught.value)
    assert archive.name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("ending", [".zip", *MODES])
def test_sound_archives_come_out_whole_and_are_swept_afterwards(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    (zipped if ending == ".zip" else tarred)(path, FILES)
    assert content(path) == FILES
    assert os.listdir(tmp_path) == [path.name]


def test_the_directory_is_swept_when_its_user_fails(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", FILES)
    with pytest.raises(ZeroDivisionError), unpacked(path, tmp_path / "out.h5"):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == ["a.zip"]


SLIPS = ["../evil", "a/../../evil", "/etc/evil", "a/../b", "..", "C:/evil", "a\\..\\evil", "x\ny", "a/" * 40 + "b"]


@pytest.mark.parametrize("name", SLIPS)
@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str, ending: str) -> None:
    (tmp_path / "in").mkdir()
    path = (zipped if ending == ".zip" else tarred)(tmp_path / "in" / f"a{ending}", {"ok": b"1", name: b"evil"})
    assert "no safe name" in refused(path)
    assert os.listdir(tmp_path) == ["in"]


@pytest.mark.parametrize(
    "names",
    [("a", "a"), ("a", "A"), ("a", "a/b"), ("a/b", "a"), ("\u00e9", "e\u0301"), ("X/a", "x/b"), ("a/./b", "a/b")],
)
@pytest.mark.parametrize("ending", [".zip", ".tar"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_collide_are_refused(tmp_path: Path, names: tuple[str, str], ending: str) -> None:
    path = tmp_path / f"a{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"1")
    else:
        tarred(path, {}, [tarfile.TarInfo(name) for name in names])
    assert "twice" in refused(path)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_what_is_no_plain_file_in_a_tar_is_refused(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("link")
    member.type, member.linkname = kind, "/etc/passwd"
    message = refused(tarred(tmp_path / "a.tar", {"ok": b"1"}, [member]))
    assert "no plain file" in message or "damaged" in message


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert "no plain file" in refused(tmp_path / "a.zip")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": b"1"}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    assert "encrypted" in refused(path)


@pytest.mark.parametrize("ending", [".zip", ".tar.gz", ".tar.xz", ".tar.bz2"])
def test_a_bomb_is_refused_by_its_real_bytes_before_it_fills_the_disk(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = (zipped if ending == ".zip" else tarred)(tmp_path / f"a{ending}", {"zeros": bytes(64 << 20)})
    written = []
    sweep = shutil.rmtree

    def watched(place: Path, **options: bool) -> None:
        written.extend(item.stat().st_size for item in place.iterdir())
        sweep(place, **options)

    monkeypatch.setattr("shutil.rmtree", watched)
    assert "bomb" in refused(path)
    assert max(written, default=0) <= 33 << 20


def test_a_bomb_in_a_tar_header_is_refused(tmp_path: Path) -> None:
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 64 << 20
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb") as stream:
        stream.write(member.tobuf() + bytes(64 << 20))
    assert "bomb" in refused(path)


def test_a_declared_size_is_not_believed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": bytes(1000)})
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02") + 24
    for lie in (10, 2000):
        data[place : place + 4] = lie.to_bytes(4, "little")
        path.write_bytes(data)
        refused(path)


def test_limits_count_members_and_bytes(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"{k}": os.urandom(100) for k in range(20)})
    assert len(content(path, Limits(members=20, total=2000))) == 20
    assert "more than 19" in refused(path, Limits(members=19))
    assert "larger than" in refused(path, Limits(total=1999))
    tar = tarred(tmp_path / "a.tar", {f"{k}": b"" for k in range(20)})
    assert "more than 19" in refused(tar, Limits(members=19))


@pytest.mark.parametrize("ending", [".zip", *MODES])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.9, 0.98])
def test_truncated_archives_are_refused(tmp_path: Path, ending: str, part: float) -> None:
    path = (zipped if ending == ".zip" else tarred)(
        tmp_path / f"a{ending}", {str(k): os.urandom(9000) for k in range(9)}
    )
    data = path.read_bytes()
    cut = int(part * len(data))
    path.write_bytes(data[: cut - cut % 512 if ending == ".tar" and part < 0.9 else cut])
    if ending == ".tar" and part == 0.98:
        assert len(content(path)) == 9  # only padding is gone
    else:
        refused(path)


def test_a_tar_that_ends_where_a_member_should_begin_is_refused(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", {"a": b"1" * 512, "b": b"2" * 512})
    data = path.read_bytes()
    path.write_bytes(data[:1024])
    refused(path)
    path.write_bytes(data[:1024] + b"\x07" * 512 + data[1536:])
    refused(path)


def test_a_damaged_byte_is_found(tmp_path: Path) -> None:
    for ending in (".zip", ".tar.gz", ".tar.xz", ".tar.bz2"):
        path = (zipped if ending == ".zip" else tarred)(tmp_path / f"a{ending}", {"a": os.urandom(20_000)})
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0x55
        path.write_bytes(data)
        refused(path)


def test_other_archives_are_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.7z").write_bytes(b"7z\xbc\xaf\x27\x1c")
    assert "unpack it" in refused(tmp_path / "a.7z")
    (tmp_path / "b.tar.xz").write_bytes(lzma.compress(b"no tar at all" * 100))
    refused(tmp_path / "b.tar.xz")
