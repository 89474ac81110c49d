# SPDX-License-Identifier: Apache-2.0
"""The C header of an IP core: registers, memories, numbers of the core, and four functions."""

from collections.abc import Iterator

from antevolt.hdl.spec.axi_map import AXI_REGISTERS, Status
from antevolt.hdl.spec.description import described
from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.formats import QFormat
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import KINDS, Region, Register, size
from antevolt.hdl.spec.outputs import OutputMode

__all__ = ["header"]

FUNCTIONS = """\
/* How a word of the bus is read and written; define both before including this to replace them. */
#ifndef ANTEVOLT_READ32
#define ANTEVOLT_READ32(base, offset) (*(volatile uint32_t *)((uintptr_t)(base) + (offset)))
#define ANTEVOLT_WRITE32(base, offset, word) \\
    (*(volatile uint32_t *)((uintptr_t)(base) + (offset)) = (uint32_t)(word))
#endif

static inline void antevolt_seek(uintptr_t base, uint32_t region, uint32_t unit, uint32_t index)
{
    ANTEVOLT_WRITE32(base, ANTEVOLT_AXI_ADDRESS, region << 24 | unit << 16 | index);
}

/* The next word: of the address sought, then of those after it. Between steps only: with a step
   under way the bus waits PATIENCE cycles at most, and then answers SLVERR without any effect. */
static inline void antevolt_put(uintptr_t base, uint64_t word)
{
    ANTEVOLT_WRITE32(base, ANTEVOLT_AXI_DATA_HIGH, (uint32_t)(word >> 32) & 15u);
    ANTEVOLT_WRITE32(base, ANTEVOLT_AXI_DATA, (uint32_t)word);
}

static inline uint64_t antevolt_get(uintptr_t base)
{
    uint64_t low = ANTEVOLT_READ32(base, ANTEVOLT_AXI_DATA);
    return (uint64_t)ANTEVOLT_READ32(base, ANTEVOLT_AXI_DATA_HIGH) << 32 | low;
}

/* 1 where a core with the numbers of this file answers. */
static inline int antevolt_is_there(uintptr_t base)
{
    static const uint32_t own[ANTEVOLT_CORE_WORDS] = ANTEVOLT_CORE;
    uint32_t n;
    antevolt_seek(base, ANTEVOLT_REGION_REGISTERS, 0, ANTEVOLT_REGISTER_CORE_KIND);
    for (n = 0; n < ANTEVOLT_CORE_WORDS; n++)
        if (antevolt_get(base) != own[n])
            return 0;
    return 1;
}
"""


def header(machine: Machine) -> str:
    """The text of `antevolt_ip.h`, C99."""
    lines = [
        "/* SPDX-License-Identifier: Apache-2.0",
        f"   antevolt IP core {machine.name}. Made by `antevolt export`; what the names mean:",
        "   docs/ip-core.md, docs/ports.md. */",
        "#ifndef ANTEVOLT_IP_H",
        "#define ANTEVOLT_IP_H",
        "",
        "#include <stdint.h>",
    ]
    for title, values in _sections(machine):
        lines += ["", f"/* {title} */"]
        lines += [f"#define ANTEVOLT_{name} {value}" for name, value in values]
    return "\n".join([*lines, "", FUNCTIONS, "#endif\n"])


def _sections(machine: Machine) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """(title, [(name, value)])."""
    registers = [(f"AXI_{r.name}", f"0x{int(r):02X}u") for r in AXI_REGISTERS]
    yield "Registers of the bus, byte offsets", registers
    yield "Bits of STATUS", [(f"STATUS_{s.name}", f"{1 << s}u") for s in Status]
    yield (
        "Bits of TUSER, on a stream's first word",
        [(f"FLAG_{f.name}", f"{int(f)}u") for f in Flag],
    )
    yield "Memories", [(f"REGION_{r.name}", f"{int(r)}u") for r in Region]
    counts = []
    for region in Region:
        units, words = size(machine, region)
        counts += [(f"{region.name}_UNITS", f"{units}u"), (f"{region.name}_WORDS", f"{words}u")]
    yield "Units of each memory, and words per unit", counts
    numbers = [(f"REGISTER_{r.name}", f"{int(r)}u") for r in Register]
    numbers += [
        (f"REGISTER_SATURATED_{kind.upper()}", f"{Register.SATURATED + n}u")
        for n, kind in enumerate(KINDS)
    ]
    yield "Words of the memory REGISTERS", numbers
    yield "Values of OUTPUT_MODE", [(f"OUTPUT_{o.name}", f"{int(o)}u") for o in OutputMode]
    told = ", ".join(f"0x{word:08X}u" for word in described(machine))
    f = machine.formats
    own = [("STREAMS", f"{machine.total_streams}u"), ("WORD", f"{f.word}u")]
    for name in ("w", "r", "e", "u", "v", "g"):
        fmt: QFormat = getattr(f, name)
        own += [(f"{name.upper()}_BITS", f"{fmt.width}u"), (f"{name.upper()}_FRAC", f"{fmt.frac}u")]
    own += [("CORE_WORDS", f"{len(described(machine))}u"), ("CORE", f"{{{told}}}")]
    yield "This core: streams, bits and fractional bits of its formats, what it says it is", own
