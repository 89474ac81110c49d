# SPDX-License-Identifier: Apache-2.0
"""What a session counts."""

from dataclasses import dataclass, field

__all__ = ["Counts"]


@dataclass
class Counts:
    """Of one session. `sent` = `accepted` + those under way; the others are what it took.

    sent, accepted       sequenced frames to the board, each once; acknowledged ones
    received             sequenced frames from the board, each once
    resends              times the host sent frames again; resent, resent_bytes: those;
                         missing_bytes: of those that the board had named, missing for sure
    kept                 times the board said that it keeps a frame behind a gap
    repeated, repeated_bytes  frames from the board that had come before
    early, early_bytes   those that came after a gap, and were kept; gaps: their number
    bad                  frames from the board that were damaged
    errors               by code: frames that the board dropped, as far as it was heard
    polls, renewals      questions into silence; times the link was made anew
    bytes_out, bytes_in  on the line
    """

    sent: int = 0
    accepted: int = 0
    received: int = 0
    resent: int = 0
    resent_bytes: int = 0
    resends: int = 0
    missing_bytes: int = 0
    kept: int = 0
    repeated: int = 0
    repeated_bytes: int = 0
    early: int = 0
    early_bytes: int = 0
    gaps: int = 0
    bad: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    polls: int = 0
    renewals: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
