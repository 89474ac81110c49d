# SPDX-License-Identifier: Apache-2.0
"""What a running device shows: energies now; saturations, cycles and line since the look before."""

from dataclasses import asdict, dataclass
from typing import Any

from antevolt.host.device import Device
from antevolt.host.link.session import Session
from antevolt.host.link.use import LinkMeter, LinkUse

__all__ = ["Gauges", "Reading"]

COUNTED = ("steps", "cycles", "busy", "stalled_input", "stalled_output", "slots", "saturated_sums")
COUNTER = 1 << 36  # counters begin anew there


@dataclass(frozen=True)
class Reading:
    """Of one look.

    energy       1/2 |e|^2 of each population after the last step, mean over the streams
    cost         beta C likewise
    saturated    by kind, since the look before; those of inputs and targets on the host, too
    counters     of the core since the look before, as `Device.counters` names them
    link         None where the device has no line
    """

    energy: tuple[float, ...]
    cost: float
    saturated: dict[str, int]
    counters: dict[str, int]
    link: LinkUse | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Gauges:
    """Of a device with a network; made anew after `load` and `restore`."""

    def __init__(self, device: Device):
        self._device = device
        session = getattr(device.backend, "session", None)
        self._meter = LinkMeter(session) if isinstance(session, Session) else None
        self._before = self._counted()

    def look(self) -> Reading:
        before, now = self._before, self._counted()
        self._before = now
        changes = {name: (count - before[name]) % COUNTER for name, count in now.items()}
        energy = self._device.energy()
        return Reading(
            tuple(energy.errors.mean(axis=1).tolist()),
            float(energy.cost.mean()),
            {k: n for k, n in changes.items() if k not in COUNTED},
            {k: n for k, n in changes.items() if k in COUNTED},
            None if self._meter is None else self._meter.look(),
        )

    def _counted(self) -> dict[str, int]:
        found = self._device.counters()
        host = found["saturated_on_host"]
        counts = {name: int(found[name]) for name in COUNTED if found[name] is not None}
        counts |= {name: int(count) for name, count in found["saturated"].items()}
        return counts | {name: int(host[name]) for name in ("inputs", "targets")}
