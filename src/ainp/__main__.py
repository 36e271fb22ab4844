"""`python -m ainp` is `ainp`."""

import sys


def main() -> None:
    """Run the command, or say what it needs."""
    try:
        from ainp.cli import app  # noqa: PLC0415 - the SDK is installed without what the command needs
    except ModuleNotFoundError as error:
        sys.exit(f"ainp: {error.name} is not installed; the command needs: pip install 'ainp[server]'")
    app()


if __name__ == "__main__":
    main()
