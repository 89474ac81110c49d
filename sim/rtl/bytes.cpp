// SPDX-License-Identifier: Apache-2.0
//
// The clock loop around a Verilated link whose line carries whole bytes (`sim/rtl/byte_top.py`); a C
// interface for ctypes (`sim/rtl/byte_line.py`).
//
// A byte takes BYTE clocks for each clock of a bit. While nothing moves but counters that count
// down, time is skipped: see `rests`.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "Vcore.h"
#include "Vcore___024root.h"
#include "verilated.h"

namespace {

constexpr std::uint32_t BYTE = 4;
constexpr std::uint32_t QUIET = 96;  // cycles without a byte after which a look is worth it
constexpr std::uint32_t MARGIN = 8;  // counts left before 0 that are not skipped
constexpr std::size_t WORDS = sizeof(Vcore___024root) / sizeof(std::uint32_t);

struct Simulator {
    VerilatedContext context;
    std::unique_ptr<Vcore> top = std::make_unique<Vcore>(&context);
    std::uint64_t cycles = 0;
    std::uint32_t to_wait = 0;
    std::uint32_t quiet = 0;
    std::uint32_t noise = 1;
    std::uint32_t before[WORDS];

    ~Simulator() { top->final(); }

    // A cycle; true when the board has sent a byte in the one before, which is then `top->left`.
    bool cycle() {
        top->clk = 0;
        top->eval();
        top->clk = 1;
        top->eval();
        ++cycles;
        return top->leaves;
    }

    // Makes two cycles, or one if the board sends a byte (true). If the second changed nothing of
    // the model but words that went down by one, all to come are like it until one of these is near
    // 0: no counter of the link is compared with anything else. So many cycles are left out, by
    // counting them off at once; at most `most`.
    bool rest(std::uint64_t most) {
        auto* words = reinterpret_cast<std::uint32_t*>(top->rootp);
        if (cycle()) return true;
        std::memcpy(before, words, sizeof before);
        if (cycle()) return true;
        std::uint32_t moved[4];
        std::size_t count = 0;
        for (std::size_t k = 0; k < WORDS; ++k) {
            if (words[k] == before[k]) continue;
            if (words[k] + 1 != before[k] || count == 4) return false;
            moved[count++] = static_cast<std::uint32_t>(k);
        }
        for (std::size_t k = 0; k < count; ++k) {
            const std::uint32_t left = words[moved[k]];
            if (left <= MARGIN) return false;
            if (left - MARGIN < most) most = left - MARGIN;
        }
        for (std::size_t k = 0; k < count; ++k)
            words[moved[k]] -= static_cast<std::uint32_t>(most);
        cycles += most;
        return false;
    }

    std::uint8_t garbage() {  // what a receiver at another rate makes of a byte
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        return static_cast<std::uint8_t>(noise >> 9);
    }
};

bool alike(std::uint32_t a, std::uint32_t b) {
    const std::uint32_t most = a > b ? a : b;
    return (most - (a > b ? b : a)) * 50 <= most;
}

}  // namespace

extern "C" {

struct Exchange {  // mirrored in byte_line.py
    std::uint32_t divisor;  // of the host
    std::uint32_t gap;      // cycles without a byte after which it ends, once one came
    const std::uint8_t* to_board;
    std::uint64_t to_count;
    std::uint64_t to_done;
    std::uint8_t* from_board;
    std::uint64_t from_size;
    std::uint64_t from_done;
    std::uint64_t cycles;  // at most
    std::uint64_t now;     // cycles since the start, at its end
};

void* antevolt_bytes_create() { return new Simulator; }

void antevolt_bytes_destroy(void* handle) { delete static_cast<Simulator*>(handle); }

// What switching a board on does, apart from its memories.
void antevolt_bytes_reset(void* handle) {
    auto& sim = *static_cast<Simulator*>(handle);
    sim.to_wait = sim.quiet = 0;
    sim.top->comes = sim.top->breaks = 0;
    sim.top->rst = 1;
    for (int i = 0; i < 4; ++i) sim.cycle();
    sim.top->rst = 0;
    sim.cycle();
}

void antevolt_bytes_exchange(void* handle, Exchange* exchange) {
    auto& sim = *static_cast<Simulator*>(handle);
    auto& top = *sim.top;
    auto& e = *exchange;
    const std::uint64_t end = sim.cycles + e.cycles;
    std::uint64_t stop = end;
    while (sim.cycles < stop && e.from_done < e.from_size) {
        const std::uint64_t begin = sim.cycles;
        const bool sends = e.to_done < e.to_count;
        std::uint64_t most = stop - begin;  // cycles in which no byte goes to the board
        if (sends && sim.to_wait < most) most = sim.to_wait;
        top.comes = top.breaks = 0;
        ++sim.quiet;
        bool leaves = false;
        if (sim.quiet > QUIET && most > QUIET) {
            sim.quiet = 0;
            leaves = sim.rest(most - 2);
        } else {
            if (sends && !sim.to_wait) {
                const bool same = alike(e.divisor, top.divisor);
                top.given = e.to_board[e.to_done++];
                top.comes = same;
                top.breaks = !same;
                sim.to_wait = BYTE * e.divisor;
                sim.quiet = 0;
            }
            leaves = sim.cycle();
        }
        const auto passed = static_cast<std::uint32_t>(sim.cycles - begin);
        sim.to_wait = sim.to_wait > passed ? sim.to_wait - passed : 0;
        if (leaves) {
            const bool same = alike(e.divisor, top.divisor);
            e.from_board[e.from_done++] = same ? top.left : sim.garbage();
            sim.quiet = 0;
            stop = sim.cycles + e.gap < end ? sim.cycles + e.gap : end;
        }
    }
    e.now = sim.cycles;
}

}  // extern "C"
