# SPDX-License-Identifier: Apache-2.0
"""What an APPLY makes of a gradient sum G, in float64: a parameter moves by eta times the result.

    m <- beta_1 m + (1 - beta_1) G       v <- beta_2 v + (1 - beta_2) G^2

    sgd  G    momentum  m    sign  sign(m), 0 at m = 0    adam  m / sqrt(v), 0 at v = 0

momentum_sum and sign_sum are momentum and sign with another m: m <- beta_1 m + G.

beta_1 and beta_2 are `momentum` and `momentum2` of the network. The moments m and v are zero at the
start and not corrected for it.
"""

import numpy as np

from antevolt.hdl.spec.network import Network
from antevolt.sim.golden.activations import Array

__all__ = ["Optimizer"]


class Optimizer:
    """The network's optimizer with the moments `m` and `v` of every parameter, by name.

    A moment is there from the first use of its parameter on.
    """

    def __init__(self, network: Network) -> None:
        self._kind = network.optimizer.removesuffix("_sum")
        self._share = 1.0 if network.optimizer != self._kind else 1.0 - network.momentum
        self._beta_1, self._beta_2 = network.momentum, network.momentum2
        self.m: dict[str, Array] = {}
        self.v: dict[str, Array] = {}

    def direction(self, name: str, gradient: Array) -> Array:
        """The change per eta of parameter `name` for its G, one of any shape; moments move on."""
        if self._kind == "sgd":
            return gradient
        m = self._mean(self.m, name, self._beta_1, self._share * gradient)
        if self._kind == "momentum":
            return m
        if self._kind == "sign":
            return np.sign(m)
        square = (1.0 - self._beta_2) * np.square(gradient)
        root = np.sqrt(self._mean(self.v, name, self._beta_2, square))
        return np.divide(m, root, out=np.zeros_like(m), where=root > 0.0)

    @staticmethod
    def _mean(moments: dict[str, Array], name: str, keep: float, new: Array) -> Array:
        """The running sum of `new`, as it is from now on."""
        moments[name] = keep * moments.get(name, 0.0) + new
        return moments[name]
