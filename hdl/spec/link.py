# SPDX-License-Identifier: Apache-2.0
"""The link between host and board: every frame, its fields and limits, and the error codes.

One table for the gateware's parser, the host's codec and `docs/protocol.md`. A frame is

    COBS(kind, sequence (2 bytes), payload, CRC-32 (4 bytes)) 0x00

with all numbers little endian, the CRC that of zlib over everything before it. Kinds are either
free (HELLO, RESET, ACK, BAUD, ERROR: at any time, beside the order, no credit) or sequenced: these
are delivered once, in order, in both directions (`Kind.sequenced`).
"""

import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from antevolt.hdl.spec.description import FIELDS, WORDS, described, machine_of
from antevolt.hdl.spec.errors import WrongCore
from antevolt.hdl.spec.flags import INPUT_FLAG_BITS
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, Region, size

__all__ = [
    "ACK_FLAGS",
    "CRC_BYTES",
    "FRAMES",
    "GAP_BITS",
    "GAP_MOST",
    "HEADER_BYTES",
    "LINK_REGION",
    "PAYLOAD_BYTES",
    "RESEND_MOST",
    "RESEND_PLACE",
    "SLACK_BYTES",
    "TABLE",
    "VERSION",
    "AckFlag",
    "Code",
    "Description",
    "Field",
    "Frame",
    "Kind",
    "LinkParameters",
    "LinkRegister",
    "MemoryLimit",
    "describe",
    "memory_limits",
    "parse_description",
]

VERSION = 2
HEADER_BYTES = 3  # kind, sequence
CRC_BYTES = 4
PAYLOAD_BYTES = 240  # most; so that a frame without its delimiter is one COBS block
ENTRY_BYTES = 2  # length and kind, beside the payload, in a board's buffers
SLACK_BYTES = 8  # of the receive buffer, beyond what a host may fill: a CRC passes through it
LEAST_DIVISOR = 4  # clocks per bit
LINK_REGION = 15  # of READ and WRITE: the registers of the link, no memory of the core
LINK_WORDS = 16
WORD_BYTES = 4  # of the core's own description in HELLO


class Kind(IntEnum):
    """The first byte of a frame."""

    HELLO = 0x01
    RESET = 0x02
    ACK = 0x03
    BAUD = 0x04
    ERROR = 0x05
    X = 0x10
    X_FLAGS = 0x11
    Y = 0x12
    WRITE = 0x13
    READ = 0x14
    ECHO = 0x15
    OUT = 0x20
    ANSWER = 0x21
    ECHOED = 0x22

    @property
    def sequenced(self) -> bool:
        return self >= Kind.X


class Code(IntEnum):
    """Why a board dropped a frame: field of ERROR, index of the counters in the link's region."""

    CRC = 1  # or the COBS code, or a stop bit
    SHORT = 2  # less than a header and a CRC
    OVERSIZE = 3  # longer than a payload of PAYLOAD_BYTES makes it
    KIND = 4  # no kind that a board takes
    LENGTH = 5  # a payload that this kind cannot have, or with a broken word at its end
    RANGE = 6  # a memory or rate that this board has not
    SEQUENCE = 7  # a frame before this one is missing
    CREDIT = 8  # no room: the host sent more than it was allowed
    VERSION = 9  # of the protocol
    ACKNOWLEDGED = 10  # a frame that was never sent
    MISSING = 11  # not dropped, but kept: frames before it are missing


class LinkRegister(IntEnum):
    """Words of LINK_REGION; 16 bits each but the fingerprint's 32. Counters wrap."""

    ACCEPTED = 0  # sequenced frames since RESET, as all counters
    # 1..10: frames dropped, by Code; one that is kept before its turn is an accepted one
    FINGERPRINT = 14  # of the loaded program: written by the host, 0 when the program is changed
    DUPLICATES = 15  # sequenced frames that came again


class AckFlag(IntEnum):
    """Bits of an ACK from the host."""

    RESEND = 1  # send again from this sequence number on
    REQUEST = 2  # answer with an ACK


ACK_FLAGS = 8  # bits
RESEND_PLACE = 2  # of the bits above the flags: how many frames are to be sent again
RESEND_MOST = (1 << ACK_FLAGS - RESEND_PLACE) - 1
GAP_BITS = 8  # of the numbers of frames in ERROR
GAP_MOST = 1 << GAP_BITS - 1  # frames missing in a row before one that is kept are fewer


class Field(NamedTuple):
    """Of a payload: `size` in bytes, 0 for all that follows."""

    name: str
    size: int
    about: str


class Frame(NamedTuple):
    """One kind of frame in one direction.

    packed  bits of the words that follow the fields, lowest bit first, the last byte filled with
            zeros; "" for none, W for the core's word
    """

    kind: Kind
    sender: str
    sequence: str
    fields: tuple[Field, ...]
    packed: str
    about: str

    @property
    def head(self) -> int:
        """Bytes of the fields."""
        return sum(field.size for field in self.fields)

    def width(self, word: int) -> int:
        """Bits of a packed word, 0 where there are none."""
        flagged = f"W + {INPUT_FLAG_BITS}"
        widths = {"W": word, flagged: word + INPUT_FLAG_BITS, "36": DATA_BITS, "8": 8}
        return widths.get(self.packed, 0)


PLACE = (
    Field("region", 1, "`hdl/spec/memory_map.py`, or 15: the link's registers"),
    Field("unit", 1, "row, column or 0"),
    Field("index", 2, "of the first word"),
)

TABLE: tuple[Frame, ...] = (
    Frame(
        Kind.HELLO, "host", "any", (Field("version", 1, "of the protocol"),), "",
        "asks who is there; the first frame a board answers; changes nothing",
    ),
    Frame(
        Kind.RESET, "host", "session", (), "",
        "resets core and buffers, whatever they do; both sequences go on from `session`",
    ),
    Frame(
        Kind.ACK, "host", "next expected",
        (Field("flags", 1, "1 RESEND, 2 REQUEST; above them, 6 bits, a number of frames"),), "",
        "all frames before it have arrived; RESEND: send so many again from there on, 0 for all "
        "(for all, whatever it says, where `selective` is 0); REQUEST: answer",
    ),
    Frame(
        Kind.BAUD, "host", "any", (Field("divisor", 2, "clocks per bit"),), "",
        "changes the rate, on trial: without a good frame the board goes back",
    ),
    Frame(
        Kind.X, "host", "own", (Field("flags", 1, "`hdl/spec/flags.py`, of all words"),), "W",
        "inputs, in the order of the core's port `x`",
    ),
    Frame(
        Kind.X_FLAGS, "host", "own", (), f"W + {INPUT_FLAG_BITS}",
        "inputs, each with its flags above it",
    ),
    Frame(
        Kind.Y, "host", "own", (), "W",
        "targets that are not held, in the order of the core's port `y`",
    ),
    Frame(
        Kind.WRITE, "host", "own", PLACE, "36",
        "words of one unit; after all steps before it are done",
    ),
    Frame(
        Kind.READ, "host", "own", (*PLACE, Field("count", 2, "words")), "",
        "answered with ANSWER; after all steps before it are done",
    ),
    Frame(Kind.ECHO, "host", "own", (), "8", "sent back as ECHOED"),
    Frame(
        Kind.HELLO, "board", "that of the question",
        (Field("description", 0, "see below"), Field("fingerprint", 4, "of the program"),
         Field("session", 2, "of the last RESET, 0 after power-up")), "",
        "who is there",
    ),
    Frame(Kind.RESET, "board", "session", (), "", "the reset is done"),
    Frame(
        Kind.ACK, "board", "next expected",
        (Field("consumed", 2, "bytes of the receive buffer used up since RESET, modulo 2^16"),
         Field("next", 2, "sequence number of the next frame it will make")), "",
        "all frames before it have arrived; credit",
    ),
    Frame(
        Kind.BAUD, "board", "that of the question", (Field("divisor", 2, "from now on"),), "",
        "the last frame at the old rate",
    ),
    Frame(
        Kind.ERROR, "board", "next expected",
        (Field("code", 1, "below"), Field("kind", 1, "first byte of that frame"),
         Field("missing", 1, "frames from the next expected one on that are missing before others "
               "that are kept; 0: none is kept"),
         Field("until", 1, "frames from the next expected one on up to the end of those kept; 0")),
        "", "a frame was dropped and changed nothing; or, MISSING, came early and is kept",
    ),
    Frame(
        Kind.OUT, "board", "own", (), "*",
        "outputs: per word one bit; if it is 1, 5 bits of flags, else those of the word before (0 "
        "at the start of a frame); then W bits",
    ),
    Frame(Kind.ANSWER, "board", "own", (), "36", "words that were asked for"),
    Frame(Kind.ECHOED, "board", "own", (), "8", "the bytes of ECHO"),
)  # fmt: skip

FRAMES: dict[Kind, Frame] = {frame.kind: frame for frame in TABLE if frame.sender == "host"}
"""What a board takes, by kind."""


@dataclass(frozen=True)
class LinkParameters:
    """Elaboration parameters of the link.

    clock_hz       of the domain that the link is in
    power_up_baud  after power-up, and whenever the host was not heard for `silence` seconds
    fastest_baud   the highest the host may ask for
    receive_bytes, send_bytes  buffers, powers of two: what may be on its way each way
    x_words        inputs waiting at the core
    selective      keep frames behind a gap, and send single ones again; else go back to the gap
    silence        seconds without a good frame after which the board is mute, at power_up_baud
    trial          likewise, of a new rate
    build          which build this is, 64 bits; 0: nobody said
    """

    clock_hz: int = 12_000_000
    power_up_baud: int = 115_200
    fastest_baud: int = 3_000_000
    receive_bytes: int = 2048
    send_bytes: int = 2048
    x_words: int = 256
    silence: float = 2.0
    trial: float = 0.25
    build: int = 0
    selective: bool = False

    def __post_init__(self) -> None:
        for name in ("power_up_baud", "fastest_baud"):
            baud = getattr(self, name)
            if not 0 < baud <= self.clock_hz:
                raise ValueError(f"{name} is {baud}; the clock is {self.clock_hz} Hz")
            divisor = self.divisor(baud)
            error = abs(self.clock_hz / divisor / baud - 1) if divisor else 1.0
            if not LEAST_DIVISOR <= divisor < 1 << 16 or error > 0.02:
                raise ValueError(
                    f"{name} is {baud}: {self.clock_hz} Hz / {divisor} is off by {error:.1%}; a "
                    f"rate is the clock divided by {LEAST_DIVISOR}..65535, within 2 %"
                )
        if self.fastest_baud < self.power_up_baud:
            raise ValueError("fastest_baud is below power_up_baud")
        for name in ("receive_bytes", "send_bytes"):
            count = getattr(self, name)
            if count & (count - 1) or not 512 <= count <= 1 << 14:
                raise ValueError(f"{name} is {count}; it is a power of two, 512..16384")
        if self.x_words < 2 or self.x_words > 1 << 14:
            raise ValueError(f"x_words is {self.x_words}; it is 2..16384")
        if not 0 < self.trial <= self.silence <= 60:
            raise ValueError("trial and silence are seconds, 0 < trial <= silence <= 60")
        if not 0 <= self.build < 1 << 64:
            raise ValueError("build is a number of 64 bits")

    def divisor(self, baud: int) -> int:
        """Clocks per bit."""
        return round(self.clock_hz / baud)


class MemoryLimit(NamedTuple):
    """Of a region: units, and words of each."""

    units: int
    words: int


def memory_limits(machine: Machine) -> dict[int, MemoryLimit]:
    """What READ and WRITE may address, by number of the region."""
    found = {int(region): MemoryLimit(*size(machine, region)) for region in Region}
    return {**found, LINK_REGION: MemoryLimit(1, LINK_WORDS)}


@dataclass(frozen=True)
class Description:
    """What a board says of itself in HELLO, without what can change."""

    machine: Machine
    link: LinkParameters
    version: int = VERSION


SPEC = zlib.crc32(" ".join((*map(str, FIELDS), *map(str, TABLE), *map(str, Region))).encode())
"""Of the names and the table: a host and a board that differ do not understand each other."""
HEAD = (("spec", 4), ("build", 8), ("clock_hz", 4), ("power_up", 2), ("fastest", 2),
        ("receive_bytes", 2), ("send_bytes", 2), ("x_words", 2), ("selective", 1))  # fmt: skip


def describe(machine: Machine, link: LinkParameters) -> bytes:
    """The description in HELLO: version, `HEAD`, then the words of `spec.description`."""
    values = {
        "spec": SPEC,
        "build": link.build,
        "clock_hz": link.clock_hz,
        "power_up": link.divisor(link.power_up_baud),
        "fastest": link.divisor(link.fastest_baud),
        "receive_bytes": link.receive_bytes,
        "send_bytes": link.send_bytes,
        "x_words": link.x_words,
        "selective": int(link.selective),
    }
    out = bytes([VERSION]) + b"".join(values[n].to_bytes(width, "little") for n, width in HEAD)
    return out + b"".join(word.to_bytes(WORD_BYTES, "little") for word in described(machine))


def parse_description(data: bytes) -> Description:
    """The inverse; raises ValueError for another version, another contract, or nonsense."""
    if not data or data[0] != VERSION:
        raise ValueError(f"the board speaks version {data[:1].hex()}, this host {VERSION:02x}")
    total = 1 + sum(width for _, width in HEAD) + WORD_BYTES * WORDS
    if len(data) != total:
        raise ValueError(f"the description has {len(data)} bytes instead of {total}")
    at, head = 1, {}
    for name, width in HEAD:
        head[name] = int.from_bytes(data[at : at + width], "little")
        at += width
    if head["spec"] != SPEC:
        raise ValueError("the board was built from another version of antevolt")
    words = [
        int.from_bytes(data[k : k + WORD_BYTES], "little") for k in range(at, total, WORD_BYTES)
    ]
    try:
        machine = machine_of(tuple(words))
    except WrongCore as error:
        raise ValueError(f"the description names no core: {error}") from error
    if not head["power_up"] or not head["fastest"]:
        raise ValueError("the description has a rate of 0 clocks per bit")
    link = LinkParameters(
        head["clock_hz"],
        head["clock_hz"] // head["power_up"],
        head["clock_hz"] // head["fastest"],
        head["receive_bytes"],
        head["send_bytes"],
        head["x_words"],
        build=head["build"],
        selective=bool(head["selective"]),
    )
    return Description(machine, link)
