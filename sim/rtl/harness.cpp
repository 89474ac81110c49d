// SPDX-License-Identifier: Apache-2.0
//
// The clock loop around a Verilated core, as a C interface for ctypes (`sim/rtl/library.py`).
//
// Every cycle: set the inputs, evaluate with the clock low so that ready and valid settle, note
// which streams transfer, then raise the clock. A stream transfers when valid and ready are both
// high at the rising edge; valid, once high, stays high with the same payload until then.
// Calls return after `slice_seconds` at the latest (code AGAIN), so that the caller can look at its
// deadline and at signals; calling again with the same arguments goes on where it stopped.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "Vcore.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

// Amaranth names a port x__valid; Verilator writes a double underscore of a name as ___05F.
#define PORT(stream, field) stream##___05F##field

namespace {

enum Code : int { DONE = 0, AGAIN = 1, STUCK = 2, SURPLUS = 3, NO_TRACE = 4 };

constexpr std::uint64_t CYCLES_PER_LOOK = 512;  // looking at the wall clock costs more than a cycle

template <typename Port>
void put(Port& port, std::uint64_t low, std::uint64_t /*high*/) {
    port = static_cast<Port>(low);
}

template <std::size_t N>
void put(VlWide<N>& port, std::uint64_t low, std::uint64_t high) {
    for (std::size_t i = 0; i < N; ++i) {
        const std::uint64_t half = i < 2 ? low : high;
        port[i] = i < 4 ? static_cast<std::uint32_t>(half >> (32 * (i & 1))) : 0;
    }
}

class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed * 2654435769u + 88172645463325252u) {}
    bool happens(std::uint32_t percent) {
        if (percent == 0) return false;
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return (state_ >> 32) % 100 < percent;
    }

  private:
    std::uint64_t state_;
};

struct Stall {
    std::uint32_t percent = 0;
    Random random{1};
    bool now() { return random.happens(percent); }
};

class Slice {
  public:
    explicit Slice(double seconds)
        : end_(std::chrono::steady_clock::now() +
               std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                   std::chrono::duration<double>(seconds))) {}
    bool over() { return ++count_ % CYCLES_PER_LOOK == 0 && std::chrono::steady_clock::now() > end_; }

  private:
    std::chrono::steady_clock::time_point end_;
    std::uint64_t count_ = 0;
};

struct Simulator {
    VerilatedContext context;
    std::unique_ptr<Vcore> top;
#if VM_TRACE
    VerilatedVcdC trace;
#endif
    std::uint64_t cycles = 0;
    std::uint64_t quiet = 0;  // cycles since the last transfer of the call under way
    bool offers_x = false;
    bool offers_y = false;
    Stall stall_x, stall_y, stall_out;

    Simulator() {
#if VM_TRACE
        context.traceEverOn(true);
#endif
        top = std::make_unique<Vcore>(&context);
#if VM_TRACE
        top->trace(&trace, 99);
#endif
    }

    ~Simulator() {
#if VM_TRACE
        if (trace.isOpen()) trace.close();
#endif
        top->final();
    }

    void half(bool level) {
        top->clk = level;
        top->eval();
#if VM_TRACE
        if (trace.isOpen()) trace.dump(context.time());
#endif
        context.timeInc(5);
    }

    void settle() { half(false); }

    void edge() {
        half(true);
        ++cycles;
        ++quiet;
    }

    void idle_inputs() {
        top->PORT(x, valid) = 0;
        top->PORT(y, valid) = 0;
        top->PORT(out, ready) = 0;
        top->PORT(access, valid) = 0;
        top->PORT(answer, ready) = 0;
    }
};

}  // namespace

extern "C" {

struct Run {  // mirrored in library.py
    const std::uint32_t* x;
    std::uint64_t x_count;
    const std::uint32_t* y;
    std::uint64_t y_count;
    std::uint32_t* out;
    std::uint64_t out_count;
    std::uint64_t x_done;
    std::uint64_t y_done;
    std::uint64_t out_done;
    std::uint64_t cycles;
};

struct Access {  // mirrored in library.py
    std::uint32_t write;
    std::uint32_t region;
    std::uint32_t unit;
    std::uint32_t index;
    std::uint64_t* data;
    std::uint64_t count;
    std::uint64_t asked;
    std::uint64_t done;
};

void* antevolt_create() { return new Simulator; }

void antevolt_destroy(void* handle) { delete static_cast<Simulator*>(handle); }

std::uint64_t antevolt_cycles(void* handle) { return static_cast<Simulator*>(handle)->cycles; }

void antevolt_reset(void* handle, std::uint64_t cycles) {
    auto& sim = *static_cast<Simulator*>(handle);
    sim.idle_inputs();
    sim.offers_x = sim.offers_y = false;
    sim.top->rst = 1;
    for (std::uint64_t i = 0; i < cycles; ++i) {
        sim.settle();
        sim.edge();
    }
    sim.top->rst = 0;
    sim.quiet = 0;
}

// Percentages of the cycles in which a stream holds back, and the seed they are drawn from.
void antevolt_stall(void* handle, std::uint64_t seed, std::uint32_t x, std::uint32_t y,
                    std::uint32_t out) {
    auto& sim = *static_cast<Simulator*>(handle);
    sim.stall_x = Stall{x, Random(3 * seed + 1)};
    sim.stall_y = Stall{y, Random(3 * seed + 2)};
    sim.stall_out = Stall{out, Random(3 * seed + 3)};
}

// Offers the words of x and y, takes those of out, and ends when all are through and the core is
// no longer inside a step. STUCK: `patience` cycles without a transfer. SURPLUS: one output more
// than expected.
int antevolt_run(void* handle, Run* run, std::uint64_t patience, double slice_seconds) {
    auto& sim = *static_cast<Simulator*>(handle);
    auto& top = *sim.top;
    Slice slice(slice_seconds);
    if (!run->x_done && !run->y_done && !run->out_done && !run->cycles) sim.quiet = 0;
    sim.idle_inputs();
    for (;;) {
        if (!sim.offers_x && run->x_done < run->x_count) sim.offers_x = !sim.stall_x.now();
        if (!sim.offers_y && run->y_done < run->y_count) sim.offers_y = !sim.stall_y.now();
        if (sim.offers_x) put(top.PORT(x, payload), run->x[run->x_done], 0);
        if (sim.offers_y) put(top.PORT(y, payload), run->y[run->y_done], 0);
        top.PORT(x, valid) = sim.offers_x;
        top.PORT(y, valid) = sim.offers_y;
        const bool takes = !sim.stall_out.now();
        top.PORT(out, ready) = takes;
        sim.settle();
        const bool all = run->x_done == run->x_count && run->y_done == run->y_count &&
                         run->out_done == run->out_count;
        if (all && !top.busy && !top.PORT(out, valid)) break;
        const bool x_moves = sim.offers_x && top.PORT(x, ready);
        const bool y_moves = sim.offers_y && top.PORT(y, ready);
        const bool out_moves = takes && top.PORT(out, valid);
        if (out_moves) {
            if (run->out_done == run->out_count) return SURPLUS;
            run->out[run->out_done++] = static_cast<std::uint32_t>(top.PORT(out, payload));
        }
        sim.edge();
        ++run->cycles;
        if (x_moves) {
            ++run->x_done;
            sim.offers_x = false;
        }
        if (y_moves) {
            ++run->y_done;
            sim.offers_y = false;
        }
        if (x_moves || y_moves || out_moves) sim.quiet = 0;
        if (sim.quiet > patience) return STUCK;
        if (slice.over()) return AGAIN;
    }
    sim.idle_inputs();
    return DONE;
}

// Reads or writes `count` words of one region and unit from `index` on; one answer per read.
int antevolt_access(void* handle, Access* access, std::uint64_t patience, double slice_seconds) {
    auto& sim = *static_cast<Simulator*>(handle);
    auto& top = *sim.top;
    Slice slice(slice_seconds);
    if (!access->asked) sim.quiet = 0;
    sim.idle_inputs();
    while (access->asked < access->count || access->done < access->count) {
        const bool offers = access->asked < access->count;
        if (offers) {
            const std::uint64_t data = access->write ? access->data[access->asked] : 0;
            const std::uint64_t index = (access->index + access->asked) & 0xFFFF;
            const std::uint64_t low = (access->write & 1u) |
                                      static_cast<std::uint64_t>(access->region & 0xFu) << 1 |
                                      static_cast<std::uint64_t>(access->unit & 0xFFu) << 5 |
                                      index << 13 | data << 29;
            put(top.PORT(access, payload), low, data >> 35);
        }
        top.PORT(access, valid) = offers;
        top.PORT(answer, ready) = !access->write;
        sim.settle();
        const bool moves = offers && top.PORT(access, ready);
        const bool answers = !access->write && top.PORT(answer, valid);
        if (answers) {
            if (access->done == access->count) return SURPLUS;
            access->data[access->done++] = static_cast<std::uint64_t>(top.PORT(answer, payload));
        }
        sim.edge();
        if (moves) {
            ++access->asked;
            if (access->write) ++access->done;
        }
        if (moves || answers) sim.quiet = 0;
        if (sim.quiet > patience) return STUCK;
        if (slice.over()) return AGAIN;
    }
    sim.idle_inputs();
    return DONE;
}

// Waveforms (VCD) from now on into a file, or none with a null pointer.
int antevolt_trace(void* handle, const char* path) {
#if VM_TRACE
    auto& sim = *static_cast<Simulator*>(handle);
    if (sim.trace.isOpen()) sim.trace.close();
    if (path) sim.trace.open(path);
    return DONE;
#else
    (void)handle;
    (void)path;
    return NO_TRACE;
#endif
}

}  // extern "C"
