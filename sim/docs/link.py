# SPDX-License-Identifier: Apache-2.0
"""Tables of the serial link, from the table that gateware and host are made from."""

from typing import Any

import numpy as np

from antevolt.boards import links
from antevolt.boards.catalogue import BOARDS
from antevolt.boards.estimate import BIT_TIMES
from antevolt.hdl.spec.errors import BadFile
from antevolt.hdl.spec.flags import TARGETED, Flag
from antevolt.hdl.spec.link import (
    GAP_MOST,
    HEAD,
    LINK_REGION,
    LINK_WORDS,
    PAYLOAD_BYTES,
    RESEND_MOST,
    SLACK_BYTES,
    TABLE,
    VERSION,
    Code,
    Kind,
    LinkParameters,
    describe,
)
from antevolt.hdl.spec.machine import Machine
from antevolt.host.link.codec import LONGEST, encode
from antevolt.host.link.session import GONE, SILENT
from antevolt.host.link.steps import step_frames
from antevolt.host.targets import Targets
from antevolt.sim.docs.mutants import record

__all__ = [
    "cells",
    "codes",
    "description",
    "faults",
    "frames",
    "limits",
    "modes",
    "resends",
    "soak",
    "targets",
]

CLASSES, LENGTH = 10, 72  # outputs and steps of the sequences that tables speak of

MEANS = {
    Code.CRC: "the CRC or the COBS code is wrong, or a stop bit was low",
    Code.SHORT: "less than a header and a CRC",
    Code.OVERSIZE: f"a payload of more than {PAYLOAD_BYTES} bytes; the rest is skipped",
    Code.KIND: "a first byte that is no kind a board takes",
    Code.LENGTH: "a payload that this kind cannot have, or a broken word at its end",
    Code.RANGE: "a memory, a unit, a word or a rate that this board has not",
    Code.SEQUENCE: "a frame before this one is missing",
    Code.CREDIT: "no room in the receive buffer",
    Code.VERSION: "HELLO of another version of the protocol",
    Code.ACKNOWLEDGED: "ACK of a frame that was never sent",
    Code.MISSING: "is kept; `missing` frames before it and others are not there yet",
}


def frames() -> str:
    """Both directions, a frame a line."""
    parts = []
    for sender, title in (("host", "From the host"), ("board", "From the board")):
        lines = [
            f"**{title}**",
            "",
            "| kind | | sequence | payload | meaning |",
            "|---|---|---|---|---|",
        ]
        for frame in TABLE:
            if frame.sender == sender:
                payload = [f"`{f.name}` ({f.size or 'n'}): {f.about}" for f in frame.fields]
                if frame.packed == "*":
                    payload.append("words, packed as said")
                elif frame.packed:
                    payload.append(f"words of {frame.packed} bits")
                order = "in order" if frame.kind.sequenced else "free"
                lines.append(
                    f"| `{frame.kind.name}` {frame.kind:#04x} | {order} | {frame.sequence} "
                    f"| {'; '.join(payload) or '-'} | {frame.about} |"
                )
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def codes() -> str:
    """Of ERROR and of the counters; raises BadFile for one that nobody described."""
    if set(MEANS) != set(Code):
        raise BadFile("sim/docs/link.py does not describe every code of hdl/spec/link.py")
    lines = ["| code | | the frame |", "|---|---|---|"]
    lines += [f"| {int(code)} | {code.name} | {MEANS[code]} |" for code in Code]
    return "\n".join(lines)


def limits() -> str:
    """Numbers of the table, and what a board is built with when nothing else is said."""
    link = LinkParameters()
    rows = {
        "version of the protocol": VERSION,
        "payload, bytes at most": PAYLOAD_BYTES,
        "frame on the line, bytes at most, delimiter included": LONGEST + 1,
        f"receive buffer, bytes; the host may fill all but {SLACK_BYTES}": link.receive_bytes,
        "send buffer, bytes": link.send_bytes,
        "inputs that wait at the core, words": link.x_words,
        "rate at power-up, baud": link.power_up_baud,
        "seconds without a good frame until a board is mute": link.silence,
        "seconds of trial of a new rate": link.trial,
        "seconds without a good frame until the host seeks the board anew": SILENT * link.silence,
        "seconds of questions without an answer after which it gives up": GONE * link.silence,
        "frames missing in a row before one that is kept, less than": GAP_MOST,
        "frames that can be asked for at a time": RESEND_MOST,
        f"words of region {LINK_REGION}, the link's registers": LINK_WORDS,
    }
    lines = ["| | |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows.items())])


def targets() -> str:
    """Bytes to the board of a sequence whose targets last, sent with every step and once."""
    baud = LinkParameters().fastest_baud
    lines = [
        f"| targets are sent | bytes of inputs | of targets | steps/s at {baud / 1e6:g} Mbaud |",
        "|---|---|---|---|",
    ]
    for name, lasting in (("with every step", False), ("once", True)):
        x, y = _to_board(Machine(streams=22), lasting)
        lines.append(f"| {name} | {x:,} | {y:,} | {_steps(baud, x + y):,.0f} |")
    return "\n".join(lines)


def modes() -> str:
    """Steps per second that a board's line carries, by what it puts out."""
    sums = {"last": CLASSES, "sum": CLASSES, "argmax": 1, "none": 0}
    ways = {"every": CLASSES * LENGTH, "every, 8": CLASSES * LENGTH // 8, **sums}
    lines = [
        "| board | Mbaud | streams | " + " | ".join(f"`{name}`" for name in ways) + " |",
        "|---|---|---|" + "---|" * len(ways),
    ]
    for board in (board for board in BOARDS.values() if board.linked):
        machine, baud = board.machine, board.baud
        there = sum(_to_board(machine, lasting=True))
        cells = []
        for name, words in ways.items():
            if name in ("sum", "argmax") and not machine.sums:
                cells.append("-")
                continue
            back = _from_board(machine, words * machine.total_streams)
            cells.append(f"{_steps(baud, max(there, back)):,.0f}")
        row = (board.name, f"{baud / 1e6:g}", machine.total_streams, *cells)
        lines.append("| " + " | ".join(map(str, row)) + " |")
    return "\n".join(lines)


def _steps(baud: int, size: float) -> float:
    """Per second, of sequences of so many bytes each, on one direction of the line."""
    return baud / BIT_TIMES / size * LENGTH


def _to_board(machine: Machine, lasting: bool) -> tuple[int, int]:
    """Bytes of a sequence's inputs, and of its targets, on the line; one input, ten classes."""
    streams, word, rng = machine.total_streams, machine.formats.word, np.random.default_rng(0)
    flags = np.full((LENGTH, streams), TARGETED | int(Flag.LEARN))
    flags[0] |= int(Flag.FIRST)
    flags[-1] |= int(Flag.LAST)
    x = rng.integers(1, 1 << word, (LENGTH, streams, 1)) | flags[:, :, None] << word
    y = rng.integers(1, 1 << word, (1, streams, CLASSES))
    y = np.tile(y, (LENGTH, 1, 1)).ravel()
    if lasting:
        known = Targets(machine)
        known.hold(x, y + 1, LENGTH)  # another label was before
        x, y = known.hold(x, y, LENGTH)
    sizes = dict.fromkeys((Kind.X, Kind.X_FLAGS, Kind.Y), 0)
    for kind, payload in step_frames(x, y, word, LinkParameters().x_words):
        sizes[kind] += len(encode(kind, 0, payload))
    return sizes[Kind.X] + sizes[Kind.X_FLAGS], sizes[Kind.Y]


def _from_board(machine: Machine, words: int) -> float:
    """Bytes of so many outputs, in full frames, on the line."""
    frames = words * (1 + machine.formats.word) / 8 / PAYLOAD_BYTES
    return frames * len(encode(Kind.OUT, 0, bytes(PAYLOAD_BYTES)))


def description() -> str:
    """Fields of the description in HELLO."""
    about = {
        "spec": "CRC-32 of the contract: names of all fields and regions, and this table",
        "build": "which build; 0: nobody said",
        "clock_hz": "of the link; a core may have a faster one",
        "power_up": "clocks per bit at power-up",
        "fastest": "clocks per bit, the least",
        "receive_bytes": "buffer",
        "send_bytes": "buffer",
        "x_words": "inputs that wait at the core",
        "selective": "1: keeps frames behind a gap, and sends single ones again; 0: goes back",
    }
    lines = ["| field | bytes | |", "|---|---|---|", "| version | 1 | of the protocol |"]
    lines += [f"| {name} | {size} | {about[name]} |" for name, size in HEAD]
    lines.append("| core | 4 each | the registers CORE_KIND and those after it, in order |")
    return "\n".join(lines)


def faults() -> str:
    """The last long campaign, and the last one with the bits of each byte."""
    found, bits = record("faults.json"), record("faults-bits.json")
    ways = {"to board": 0, "from board": 0}
    kinds: dict[str, int] = {}
    for name, count in found["faults"].items():
        way, kind = name.split(": ")
        ways[way] += count
        kinds[kind] = kinds.get(kind, 0) + count
    means = sorted(found["means"].items(), key=lambda item: float(item[0]))
    rows = {
        "faults injected": f"{found['injected']:,} ({ways['to board']:,} to the board, "
        f"{ways['from board']:,} from it), in {found['line_bytes']:,} bytes",
        "by kind": ", ".join(f"{kind} {count:,}" for kind, count in sorted(kinds.items())),
        "by bytes from one to the next, each way": ", ".join(
            f"{mean}: {count:,}" for mean, count in means
        ),
        "words and bytes that came back and were compared": f"{found['words']:,}",
        "wrong data that nobody noticed": found["undetected"],
        "calls that hung until their deadline": found["hangs"],
        "calls that failed otherwise": found["failed"],
        "sessions at whose end both ends' counts agreed, and did not": f"{found['agreed']:,}, "
        f"{found['disagreed']}",
        "board switched off in between, and noticed": f"{found['resets']}, {found['noticed']}",
        "times the faults stopped while frames were under way": f"{found['recoveries']:,}",
        "of these, no frame of that window was sent again twice": f"{found['within']:,}",
        "longest until all had arrived, of the line's time": f"{1000 * found['recovered']:.0f} ms",
        "frames sent again by the host": f"{found['resent']:,}",
        "longest call, of the line's time": f"{1000 * found['slowest']:.0f} ms",
        "faults per second of the processor": f"{found['injected'] / found['cpu_seconds']:,.0f}",
    }
    after = (
        f"With the bits of each byte, too ({_when(bits)}): {bits['injected']:,} faults, wrong and "
        f"unnoticed {bits['undetected']}, hung {bits['hangs']}, failed {bits['failed']}."
    )
    said = "".join(f"* {message}\n" for message in found["messages"])
    return f"{_when(found)}:\n\n{_table(rows)}\n\n{said and said + chr(10)}{after}\n\n{_dense()}"


def _dense() -> str:
    """Of a campaign with more faults than a whole answer to HELLO gets through."""
    found = record("faults-dense.json")
    least = min(found["means"], key=float)
    if any("LinkLost" not in message for message in found["messages"]):
        raise BadFile("a session of faults-dense.json ended otherwise than its page says")
    return (
        f"With twice as many ({_when(found)}): {found['injected']:,} faults, "
        f"{found['means'][least]:,} of them one every {least} bytes (an answer to HELLO alone has "
        f"{_hello()}): wrong and unnoticed {found['undetected']}, hung {found['hangs']}; "
        f"{found['failed']} of {found['sessions']} sessions ended with `LinkLost` for no reason."
    )


def _hello() -> int:
    """Bytes of a board's answer to HELLO, on the line."""
    fields = next(f.fields for f in TABLE if f.sender == "board" and f.kind == Kind.HELLO)
    said = describe(Machine(), LinkParameters()) + bytes(sum(field.size for field in fields))
    return len(encode(Kind.HELLO, 0, said))


def resends() -> str:
    """What is sent again per loss, beside what was lost: going back, and selectively."""
    baud = LinkParameters().fastest_baud
    lines = ["| | to the board | from it |", "|---|---|---|"]
    told = []
    for name, how in (("back", "going back"), ("sparse", "selective")):
        found = record(f"faults-{name}.json")
        if found["line"] != {"back": "back", "sparse": "large"}[name]:
            raise BadFile(f"faults-{name}.json is of another line")
        told.append(f"{how}: {_when(found)}, {found['injected']:,} faults")
        losses = (found["resends"], found["gaps"])
        again = (found["resent_bytes"] - found["missing_bytes"], found["repeated_bytes"])
        each = [size / max(1, times) for size, times in zip(again, losses, strict=True)]
        rows = {
            "times that frames were sent again": [f"{times:,}" for times in losses],
            "bytes that were not lost, each time": [f"{size:,.0f}" for size in each],
            f"their time at {baud / 1e6:g} Mbaud, ms": [
                f"{1e4 * size / baud:.1f}" for size in each
            ],
        }
        lines += [f"| {how}: {row} | {' | '.join(cells)} |" for row, cells in rows.items()]
    return "\n".join(lines) + f"\n\n{'; '.join(told)}."


def cells() -> str:
    """What the link takes, going back and selective, by family."""
    names = {"ecp5": "ECP5", "gowin": "Gowin", "ice40": "iCE40"}
    lines = ["| | LUTs | flip-flops | block RAMs |", "|---|---|---|---|"]
    for family, both in links.stored().items():
        for name, used in both.items():
            lines.append(
                f"| {names[family]}, {name} | {used.luts:,} | {used.ffs:,} | {used.rams} |"
            )
    return "\n".join(lines)


def soak() -> str:
    """The last long soak."""
    found = record("soak.json")
    resident = ", ".join(f"{name} {size / 2**20:.2f}" for name, size in found["resident"].items())
    rows = {
        "bytes on the line, both ways": f"{found['bytes']:,}",
        "frames, each counted once": f"{found['frames']:,}",
        "words and bytes that came back and were compared": f"{found['words']:,}",
        "wrong": found["wrong"],
        "calls that failed": found["failed"],
        "counts of the two ends at the end": "differ" if found["disagreed"] else "agree",
        "pauses of the host, and their sum in the line's time": f"{found['pauses']:,}, "
        f"{found['paused']:.0f} s",
        "of these, so long that the board fell silent": f"{found['renewals']:,}",
        "frames sent again by the host": f"{found['resent']:,}",
        "memory of the process, MB": resident,
    }
    return f"{_when(found)}:\n\n{_table(rows)}"


def _when(found: dict[str, Any]) -> str:
    return f"{found['date'][:10]}, commit {found['commit'][:10]}, seed {found['seed']}"


def _table(rows: dict[str, Any]) -> str:
    return "\n".join(
        ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    )
