# SPDX-License-Identifier: Apache-2.0
"""A small device for the tests of the host."""

from collections.abc import Iterator

import pytest

from antevolt.host.device import Device, open
from small import NETWORK, SMALL


@pytest.fixture(params=["model", "rtl"])
def device(request: pytest.FixtureRequest) -> Iterator[Device]:
    """A small device with `NETWORK` loaded."""
    with open(request.param, machine=SMALL, deadline=30.0) as opened:
        opened.load(NETWORK)
        yield opened
