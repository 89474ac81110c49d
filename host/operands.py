# SPDX-License-Identifier: Apache-2.0
"""The operands of an operation as people read them."""

from antevolt.hdl.spec.program import LAYOUT, MEANING, Kind, Operation

__all__ = ["operands"]

RATES = {
    Kind.APPLY: {"interval": "eta"},
    Kind.TIMES: {"interval": "eta_tau_m", "words": "eta_tau_r"},
}
"""Operands that hold a rate m 2^-k, and what they are called then."""


def operands(op: Operation) -> dict[str, str]:
    """What is not zero of the operands that its kind has, and the context."""
    rates, found = RATES.get(op.kind, {}), {}
    for name in LAYOUT:
        value = int(getattr(op, name))
        if value and (name == "context" or name in MEANING[op.kind]):
            rate = f"{value & 7} 2^-{value >> 3}"
            found[rates.get(name, name)] = rate if name in rates else str(value)
    return found
