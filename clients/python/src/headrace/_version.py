"""The package's version, as it was installed."""

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("headrace")
    except PackageNotFoundError:  # from sources that are not installed
        return "0"


VERSION = _installed()
