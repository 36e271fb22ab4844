"""One target under atheris; what it takes besides is libFuzzer's, and so is how it ends: 0 if nothing was found."""

import sys

import atheris

with atheris.instrument_imports(include=["ainp.core", "ainp.http.body", "rfc8785"]):
    from fuzz.targets import TARGETS


def main() -> None:
    """Run the target that is named first."""
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()


main()
