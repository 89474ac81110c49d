# SPDX-License-Identifier: Apache-2.0
"""What all benches use."""

from antevolt.sim.bench.fixture import bench

__all__ = ["bench"]
