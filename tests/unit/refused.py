# SPDX-License-Identifier: Apache-2.0
"""What a refusal says where gateware is refused while it is made."""

import gc
import warnings
from collections.abc import Callable
from typing import Any

from amaranth.hdl import UnusedElaboratable

from antevolt.hdl.spec.errors import AntevoltError

__all__ = ["refusal"]


def refusal(make: Callable[[], Any]) -> str:
    """The message of the error that `make` raises, empty if there is none.

    Nobody will use what was made by then. Amaranth would say so once anything has been elaborated
    in this process, and these tests may not warn.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        said = ""
        try:
            make()
        except AntevoltError as error:
            said = str(error)
        gc.collect()
    return said
