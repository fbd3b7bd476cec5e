"""Archives that try to leave their folder, by every way we know."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from tutelage.assets.archive import extract, open_archive
from tutelage.errors import AssetError, UnsafePathError

EVIL_NAMES = ["../evil", "a/../../evil", "/evil", "C:evil", "a\\..\\..\\evil", "..", "//evil"]


def outside(tmp_path: Path) -> set[str]:
    return {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", EVIL_NAMES)
@pytest.mark.parametrize("kind", ["whl", "deb"])
def test_names_that_leave_the_folder_are_refused(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    if kind == "whl":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(name, "evil")
    else:
        path.write_bytes(deb(tar_of(name)))
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    before = outside(tmp_path)
    with open_archive(path) as archive:
        (member,) = archive.names()
        for rename in (lambda n: n, lambda n: "plain"):
            with pytest.raises(UnsafePathError):
                extract(archive, [member], folder, rename=rename)
    assert outside(tmp_path) == before


def test_a_renaming_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as file:
        file.writestr("fine", "text")
    with open_archive(tmp_path / "x.whl") as archive, pytest.raises(UnsafePathError):
        extract(archive, ["fine"], tmp_path, rename=lambda n: "../out")


def test_links_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as file:
        file.writestr(link, "/etc/passwd")
    (tmp_path / "x.deb").write_bytes(deb(tar_of("link", kind=tarfile.SYMTYPE)))
    (tmp_path / "y.deb").write_bytes(deb(tar_of("link", kind=tarfile.LNKTYPE)))
    (tmp_path / "z.deb").write_bytes(deb(tar_of("link", kind=tarfile.FIFOTYPE)))
    (tmp_path / "out").mkdir()
    for name in ("x.whl", "x.deb", "y.deb", "z.deb"):
        with open_archive(tmp_path / name) as archive, pytest.raises(UnsafePathError):
            extract(archive, ["link"], tmp_path / "out", rename=lambda n: n)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_link_already_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as file:
        file.writestr("sub/file", "text")
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "sub").symlink_to(elsewhere)
    with open_archive(tmp_path / "x.whl") as archive, pytest.raises(UnsafePathError):
        extract(archive, ["sub/file"], folder, rename=lambda n: n)
    assert list(elsewhere.iterdir()) == []


def test_no_member_overwrites_another(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as file:
        file.writestr("a/name", "1")
        file.writestr("b/name", "2")
    (tmp_path / "out").mkdir()
    with open_archive(tmp_path / "x.whl") as archive, pytest.raises(UnsafePathError, match="same target"):
        extract(archive, ["a/name", "b/name"], tmp_path / "out", rename=lambda n: "name")
    assert (tmp_path / "out" / "name").read_text() == "1"


def test_a_debian_package_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_bytes(deb(tar_of("./usr/share/data")))
    (tmp_path / "out").mkdir()
    with open_archive(tmp_path / "x.deb") as archive:
        assert archive.names() == ["usr/share/data"]
        (written,) = extract(archive, ["usr/share/data"], tmp_path / "out", rename=lambda n: "data")
    assert written.read_bytes() == b"content"
    with open_archive(tmp_path / "x.deb") as archive, pytest.raises(AssetError, match="no member 'usr/other'"):
        extract(archive, ["usr/other"], tmp_path / "out", rename=lambda n: n)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06", b"!<arch>\n", b"!<arch>\nshort", b"nonsense" * 40])
@pytest.mark.parametrize("kind", ["whl", "deb"])
def test_damaged_archives_are_named(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    path.write_bytes(content)
    with pytest.raises(AssetError) as caught, open_archive(path):
        pass
    assert caught.value.where == str(path)


def test_a_truncated_debian_package_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(deb(tar_of("name"))[:-400])
    with pytest.raises(AssetError) as caught, open_archive(path) as archive:
        extract(archive, ["name"], tmp_path, rename=lambda n: n)
    assert caught.value.where == str(path)


def tar_of(name: str, kind: bytes = tarfile.REGTYPE) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.type = kind
        info.linkname = "/etc/passwd"
        content = b"content" if kind == tarfile.REGTYPE else b""
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def deb(data_tar: bytes) -> bytes:
    """An ``ar`` file with the three members of a Debian package; an odd length is padded."""
    parts = b"!<arch>\n"
    for name, content in (("debian-binary", b"2.0\nx"), ("control.tar", b""), ("data.tar", data_tar)):
        parts += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode() + content
        parts += b"\n" * (len(content) % 2)
    return parts
