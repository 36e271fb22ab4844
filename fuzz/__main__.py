"""`python -m fuzz`: every target for so many seconds; what breaks one is kept in .fuzz, and repeated the next time."""

import argparse
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from fuzz.seeds import seeds

_LONGEST = 4096  # bytes of an input: more of them find nothing that fewer do not


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(seeds())}; without one, all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"), help="where the inputs are kept (.fuzz)")
    options = parser.parse_args()
    broken = [name for name in options.targets or seeds() if not _run(name, options.folder, options.seconds)]
    if broken:
        raise SystemExit(f"broken: {', '.join(broken)}; {options.folder} has the input")


def _run(name: str, folder: Path, seconds: int) -> bool:
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds()[name]:
        (corpus / sha256(seed).hexdigest()[:40]).write_bytes(seed)
    given = [f"-max_total_time={seconds}", f"-max_len={_LONGEST}", "-timeout=10", "-print_final_stats=1"]
    print(f"--- {name}: {seconds} s", flush=True)  # noqa: T201 - it is a command
    command = [sys.executable, "-m", "fuzz.run", name, *given, f"-artifact_prefix={folder}/{name}-", str(corpus)]
    return subprocess.run(command, check=False).returncode == 0


if __name__ == "__main__":
    main()
