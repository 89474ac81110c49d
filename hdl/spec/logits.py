# SPDX-License-Identifier: Apache-2.0
"""Leaky logits z <- z + dt/tau_z (r - z) as neurons: nothing that a core would need a part for.

A leaky integrator (tau_r = dt) has p = u + dt/tau_m (s - u), which is z for tau_m = tau_z and
s = r; with `phi` linear and instantaneous errors its error is its q, which the identity hands down
to r.
"""

from dataclasses import replace

import numpy as np

from antevolt.hdl.spec.errors import BadNetwork
from antevolt.hdl.spec.network import Network, Parameters, Population, Projection

__all__ = ["logit_weights", "with_logits"]


def with_logits(network: Network) -> Network:
    """The network with the logits as its last population, fed by a frozen identity; itself where
    it has none. Raises BadNetwork for the parallel schedule, where they would come a step late."""
    if network.cost != "cross_entropy" or network.tau_z is None:
        return network
    if network.schedule == "parallel":
        raise BadNetwork(
            "leaky logits (tau_z) need the sequential schedule on the chip; "
            "set schedule='sequential' or tau_z=None"
        )
    depth = len(network.populations)
    logits = Population(network.outputs, "linear", network.tau_z, network.dt, rule="instantaneous")
    identity = Projection(depth, depth + 1, bias=False, learn=False)
    return replace(
        network,
        populations=(*network.populations, logits),
        projections=(*network.projections, identity),
        tau_z=None,
    )


def logit_weights(network: Network) -> Parameters:
    """Parameters that `with_logits` adds."""
    if with_logits(network) is network:
        return {}
    return {f"{len(network.projections)}.weight": np.eye(network.outputs)}
