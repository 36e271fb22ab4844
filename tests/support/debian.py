"""
Programs of Debian's packages, unpacked into a cache: it needs neither root nor an installation.

Where that can't be done, whatever needs one is skipped, and says so.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


def unpacked(name: str, *packages: str) -> Path | None:
    """The folder that these *packages* are unpacked in, once for everybody; None where they are not to be had."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        return None
    home = Path("/var/cache") if os.geteuid() == 0 else Path.home() / ".cache"  # where other users can read it, too
    place = home / "ainp-tests" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if place.exists():
            return place
        with tempfile.TemporaryDirectory(dir=place.parent) as folder:
            subprocess.run(["apt-get", "download", *packages], cwd=folder, capture_output=True, check=False)
            found = list(Path(folder).glob("*.deb"))
            if len(found) != len(packages):
                return None
            whole = Path(folder) / "whole"
            for package in found:
                subprocess.run(["dpkg", "-x", package, whole], check=True)
            whole.chmod(0o755)
            whole.rename(place)
    return place
