# SPDX-License-Identifier: Apache-2.0
"""Errors that a user can act on: what was wrong, where, and what to do about it."""

__all__ = [
    "AntevoltError",
    "BadFile",
    "BadInput",
    "BadNetwork",
    "BuildFailed",
    "Closed",
    "DeadlineExceeded",
    "DoesNotFit",
    "LinkError",
    "LinkLost",
    "NoPort",
    "PortDenied",
    "PortTaken",
    "Refused",
    "WrongCore",
]


class AntevoltError(Exception):
    """Base of all errors that are raised on purpose."""


class BadNetwork(AntevoltError, ValueError):
    """A network description contradicts itself or asks for something no core has."""


class BadInput(AntevoltError, ValueError):
    """Data with a wrong shape or type, or numbers that are not finite."""


class BadFile(AntevoltError, ValueError):
    """A file that is truncated, foreign or does not belong to the network."""


class DoesNotFit(AntevoltError):
    """A network that a core cannot hold, or a core that a part cannot; `resource`, `need` and
    `limit` say by how much."""

    def __init__(self, resource: str, need: int, limit: int, remedy: str, holder: str = "the core"):
        self.resource, self.need, self.limit = resource, need, limit
        super().__init__(f"does not fit: {resource} needs {need}, {holder} has {limit}; {remedy}")


class WrongCore(AntevoltError):
    """What answers is no core, or another one than it was taken for; the message says in what."""


class Closed(AntevoltError):
    """The device was closed."""


class DeadlineExceeded(AntevoltError, TimeoutError):
    """A wait took longer than its deadline. The device is left closed."""


class BuildFailed(AntevoltError):
    """A tool that the device is built with failed; the message ends with what it printed."""


class LinkError(AntevoltError, OSError):
    """Base of what can go wrong between host and board. The device is left closed."""


class LinkLost(LinkError):
    """The board does not answer any more, or it was switched off or reset by somebody else."""


class NoPort(LinkError):
    """There is no such port, or no board behind it."""


class PortTaken(LinkError):
    """Another program uses the port."""


class PortDenied(LinkError):
    """The user may not use the port."""


class Refused(LinkError):
    """The board dropped a frame that it can never take: host and board disagree."""
