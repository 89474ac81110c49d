# SPDX-License-Identifier: Apache-2.0
"""Networks of prospective neurons that learn while data streams through them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from antevolt.host.device import open

    __version__: str

__all__ = ["__version__", "open"]


def __getattr__(name: str) -> object:
    """Import on first use: a module of `antevolt` must not load the whole host."""
    if name == "open":
        from antevolt.host.device import open

        return open
    if name == "__version__":
        from importlib.metadata import version

        return version("antevolt")
    raise AttributeError(f"module 'antevolt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
