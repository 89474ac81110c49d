// SPDX-License-Identifier: Apache-2.0
//
// The clock loop around a Verilated top level, and the host's end of its serial line, bit by bit;
// a C interface for ctypes (`sim/rtl/line.py`).

#include <cstddef>
#include <cstdint>
#include <memory>

#include "Vcore.h"
#include "verilated.h"

namespace {

// 8 data bits, no parity, one stop bit; `divisor` clocks per bit.
struct Transmitter {
    std::uint32_t bits = 0;
    std::uint32_t left = 0;
    std::uint32_t timer = 0;

    bool busy() const { return left != 0; }

    void start(std::uint8_t byte) {
        bits = 0x200u | static_cast<std::uint32_t>(byte) << 1;
        left = 10;
        timer = 0;
    }

    bool level(std::uint32_t divisor) {
        if (!left) return true;
        const bool now = bits & 1u;
        if (++timer >= divisor) {
            timer = 0;
            bits >>= 1;
            --left;
        }
        return now;
    }
};

struct Receiver {
    std::uint32_t bits = 0;
    std::uint32_t count = 0;
    std::uint32_t timer = 0;
    bool active = false;
    bool before = true;

    // True when a byte is whole; one with a bad stop bit is given too, as a real port does.
    bool look(bool line, std::uint32_t divisor, std::uint8_t& byte) {
        const bool falls = before && !line;
        before = line;
        if (!active) {
            if (falls) {
                active = true;
                count = 0;
                bits = 0;
                timer = divisor / 2;
            }
            return false;
        }
        if (timer--) return false;
        timer = divisor - 1;
        if (count == 0 && line) {  // a spike
            active = false;
            return false;
        }
        if (count >= 1 && count <= 8) bits |= static_cast<std::uint32_t>(line) << (count - 1);
        if (count++ < 9) return false;
        active = false;
        byte = static_cast<std::uint8_t>(bits);
        return true;
    }
};

struct Simulator {
    VerilatedContext context;
    std::unique_ptr<Vcore> top = std::make_unique<Vcore>(&context);
    std::uint64_t cycles = 0;
    Transmitter transmitter;
    Receiver receiver;

    ~Simulator() { top->final(); }

    void cycle() {
        top->clk = 0;
        top->eval();
        top->clk = 1;
        top->eval();
        ++cycles;
    }
};

}  // namespace

extern "C" {

struct Exchange {  // mirrored in line.py
    std::uint32_t divisor;
    std::uint32_t stuck;  // 0: the line to the board works; 1: it is low; 2: it is high
    const std::uint8_t* to_board;
    std::uint64_t to_count;
    std::uint64_t to_done;
    std::uint8_t* from_board;
    std::uint64_t from_size;
    std::uint64_t from_done;
    std::uint64_t want;    // stop when so many bytes came and none is on the line
    std::uint64_t cycles;  // at most
};

void* antevolt_line_create() { return new Simulator; }

void antevolt_line_destroy(void* handle) { delete static_cast<Simulator*>(handle); }

std::uint64_t antevolt_line_cycles(void* handle) { return static_cast<Simulator*>(handle)->cycles; }

// What switching a board on does, apart from its memories.
void antevolt_line_reset(void* handle) {
    auto& sim = *static_cast<Simulator*>(handle);
    sim.transmitter = Transmitter{};
    sim.receiver = Receiver{};
    sim.top->rx = 1;
    sim.top->rst = 1;
    for (int i = 0; i < 4; ++i) sim.cycle();
    sim.top->rst = 0;
}

void antevolt_line_exchange(void* handle, Exchange* exchange) {
    auto& sim = *static_cast<Simulator*>(handle);
    auto& e = *exchange;
    std::uint8_t byte = 0;
    for (std::uint64_t n = 0; n < e.cycles && e.from_done < e.from_size; ++n) {
        if (!sim.transmitter.busy() && e.to_done < e.to_count)
            sim.transmitter.start(e.to_board[e.to_done++]);
        const bool level = sim.transmitter.level(e.divisor);
        sim.top->rx = e.stuck ? e.stuck == 2 : level;
        sim.cycle();
        if (sim.receiver.look(sim.top->tx, e.divisor, byte)) {
            e.from_board[e.from_done++] = byte;
            if (e.from_done >= e.want) break;
        }
    }
}

}  // extern "C"
