"""The broker's key file: made once, for its owner alone, and refused where somebody else had a hand in it."""

import base64
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from nacl.signing import SigningKey, VerifyKey

from ainp.adapters.broker_key import Identity, UnusableKey, identity_of, read, read_or_make
from ainp.core.did import AgentDid, did_of_key

NAME = "broker.key"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "data"
    found.mkdir(mode=0o700)
    return found


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_start_makes_a_key_that_only_its_owner_can_read_and_later_ones_keep_it(folder: Path) -> None:
    path = folder / "new" / NAME
    umask = os.umask(0)
    try:
        made = read_or_make(path)
    finally:
        os.umask(umask)

    assert (mode_of(path), mode_of(path.parent)) == (0o600, 0o700)
    assert read_or_make(path).public_key == read(path).public_key == made.public_key
    assert [each.name for each in path.parent.iterdir()] == [NAME]
    assert json.loads(path.read_text())["did"] == made.did


def test_what_it_signs_verifies_with_the_key_of_its_did(folder: Path) -> None:
    identity = read_or_make(folder / NAME)

    VerifyKey(bytes.fromhex(identity.public_key)).verify(b"said", identity.sign(b"said"))
    assert identity.did == did_of_key(bytes.fromhex(identity.public_key))


def test_processes_that_start_together_make_one_key(folder: Path) -> None:
    path = folder / "new" / NAME
    program = (
        "import sys; from pathlib import Path; from ainp.adapters.broker_key import read_or_make;"
        " print('ready', flush=True); sys.stdin.read(); print(read_or_make(Path(sys.argv[1])).did)"
    )
    command = [sys.executable, "-c", program, str(path)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    for each in started:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in started:
        assert each.stdin is not None
        each.stdin.close()
    said = {each.stdout.read() for each in started if each.stdout is not None}
    for each in started:
        assert each.wait() == 0
        assert each.stdout is not None
        each.stdout.close()

    assert said == {read(path).did + "\n"}
    assert [each.name for each in path.parent.iterdir()] == [NAME]


def opened_to_others(path: Path) -> None:
    path.chmod(0o640)


def in_a_folder_of_all(path: Path) -> None:
    path.parent.chmod(0o777)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def a_link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("elsewhere"))


def a_link_to_what_others_read(path: Path) -> None:
    there = path.rename(path.with_name("elsewhere"))
    there.chmod(0o644)
    path.symlink_to(there)


def another_s(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 65534, 65534)


def emptied(path: Path) -> None:
    path.write_text("")


def with_something_else(path: Path) -> None:
    path.write_text('{"private_key": "distinctive"}')


SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "open to others": (opened_to_others, "is open to others"),
    "in a folder where all may write": (in_a_folder_of_all, "others can write to"),
    "a folder": (a_folder, "Is a directory"),
    "a pipe": (a_pipe, "is no file"),
    "a link to nothing": (a_link_to_nothing, "is a link to what is not there"),
    "a link to what others read": (a_link_to_what_others_read, "is open to others"),
    "another's": (another_s, "belongs to somebody else"),
    "empty": (emptied, "is no key file"),
    "something else": (with_something_else, "is no key file"),
}


@pytest.mark.parametrize(("spoil", "reason"), SPOILT.values(), ids=SPOILT)
def test_a_file_that_others_could_know_or_change_is_not_used(
    folder: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    path = folder / NAME
    read_or_make(path)
    spoil(path)
    found = sorted(folder.iterdir())

    with pytest.raises(UnusableKey, match=reason) as refused:
        read_or_make(path)

    assert "\n" not in str(refused.value)
    assert "distinctive" not in str(refused.value)
    assert sorted(folder.iterdir()) == found


def test_nothing_is_made_where_all_may_write(folder: Path) -> None:
    folder.chmod(0o777)

    with pytest.raises(UnusableKey, match="others can write to"):
        read_or_make(folder / NAME)

    assert list(folder.iterdir()) == []


def test_a_link_to_a_secret_is_followed_as_orchestrators_mount_them(folder: Path) -> None:
    made = read_or_make(folder / "mounted")
    (folder / NAME).symlink_to("mounted")

    assert read(folder / NAME).did == made.did


def test_a_key_speaks_for_its_own_did_key_or_for_a_did_web() -> None:
    key = SigningKey.generate()
    text, own = base64.b64encode(bytes(key)).decode(), did_of_key(bytes(key.verify_key))

    assert identity_of(text).did == identity_of(text, did=own).did == own
    assert identity_of(text, did=AgentDid("did:web:broker.example")).did == "did:web:broker.example"
    with pytest.raises(UnusableKey, match="is that of"):
        identity_of(text, did=did_of_key(bytes(32)))


def test_an_identity_does_not_print_its_key() -> None:
    key = SigningKey.generate()

    assert repr(Identity(key)) == f"Identity({did_of_key(bytes(key.verify_key))})"
