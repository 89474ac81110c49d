// SPDX-License-Identifier: Apache-2.0
// The fixed-point model of a core, compiled: the twin of core.py in this folder, bit for bit.
//
// It works on the arrays of memories.py in place: whole numbers in double, [word][stream] but for
// weights and gradients [row][column]. compiled.py has checked all that is handed over, so that
// nothing is read or written outside these arrays. One function per kind of operation.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <new>
#include <vector>

#include "twin_array.h"
#include "twin_filter.h"
#include "twin_rules.h"
#include "twin_times.h"

namespace twin {

// Operand numbers as hdl/spec/program.py, memory_map.py and flags.py have them.
enum Kind {
    END, INPUT, TARGET, OUTPUT, FORWARD, MEMBRANE, ERROR, BACK, APPLY, TRACE, EXP, NORM, TIMES
};
enum Cost { HIDDEN, SQUARED, SOFTMAX };
enum Bias { NONE, LOW, HIGH };
enum Register { STEP = 0, SEED = 1, APPLY_EVERY = 2, LEARNED = 3, SLOTS = 8, SATURATED = 16 };
enum Saturation { DRIVE, D, U, P, Q, BETA, DELTA, V, E, W };
enum Flag { VALID = 1, FIRST = 2, TARGET_VALID = 8, LEARN = 16, TARGET_HELD = 32 };

constexpr int PRE = 4;        // see hdl/spec/roundings.py
constexpr int SUM_BITS = 32;  // of a sum of exponentials
constexpr int DITHER_BITS = 16;

// Fields and their order: compiled.py, OPERANDS.
struct Operation {
    int32_t kind, context, prior, bias, q, g, cost, output, table, n, words, groups, interval,
        weights, rates, neurons, extra, head, tail, prior_e, odd, keep, skip, rows, shared;
    int32_t coefficients;  // first of 3 [n] factors, each repeated where `repeated` says so
    int32_t place;         // of an OUTPUT: first row of the outputs
    int32_t slots;         // of the array, all groups
};

// Fields and their order: compiled.py, _Settings.
struct Settings {
    int64_t machine_rows, streams, contexts, w_depth, phi_log2, operations, inputs, outputs,
        output_rows, repeated, tau_depth, keeps_d, apply_rows;
    int64_t word, guard, q_drop, g_drop, g_width, w_frac, r_frac, e_frac, u_frac, drive_frac, q_frac;
    const Operation *program;
    double *coefficients;
    const Interval *tables;  // [tables][2^phi_log2]
    double *weights, *gradients, *rates, *u, *v, *e, *slope, *q, *output, *target, *partial_q,
        *moments, *largest, *total, *d;
    int64_t *registers, *mantissa, *shift;  // of coefficients [tau_depth][mode][which]
    int64_t *times;                         // [4][tau_depth]: tau_m, tau_r, sums
    const int64_t *squares, *roots;         // hdl/spec/moments.py
};

// What the flags of one step say about the streams of one context.
struct Streams {
    std::vector<int64_t> valid, targeted, sent, starting;  // masks; sent: targets not held
    std::vector<long> learning;                      // numbers of streams
    bool all_valid = false, all_targeted = false, any_starting = false;

    explicit Streams(long count)
        : valid(count), targeted(count), sent(count), starting(count) {}

    void set(const int64_t *flags) {
        all_valid = all_targeted = true;
        any_starting = false;
        learning.clear();
        for (size_t k = 0; k < valid.size(); k++) {
            const bool counts = flags[k] & VALID, aims = counts && flags[k] & TARGET_VALID;
            const bool starts = counts && flags[k] & FIRST;
            valid[k] = -int64_t{counts};
            targeted[k] = -int64_t{aims};
            sent[k] = -int64_t{aims && !(flags[k] & TARGET_HELD)};
            starting[k] = -int64_t{starts};
            all_valid &= counts;
            all_targeted &= aims;
            any_starting |= starts;
            if (counts && flags[k] & LEARN) learning.push_back(static_cast<long>(k));
        }
    }
};

inline uint32_t mix(uint32_t x) {
    x += x << 10;
    x ^= x >> 6;
    x += x << 3;
    x ^= x >> 11;
    x += x << 15;
    return x;
}

class Core {
public:
    explicit Core(const Settings &settings);

    // Start a step: flags, x and y of all streams, where the outputs go. True: weights change.
    bool begin(const int64_t *flags, const int64_t *x, const int64_t *y, int64_t *out);
    void run(long from, long to);

    const Settings &settings() const { return s; }

private:
    const Settings s;
    const long S, pitch;  // streams, and padded for vectors
    const Ranges ranges;
    const Rounding q_rounding, g_rounding;
    std::vector<Streams> contexts;
    std::vector<int64_t> everywhere, nowhere;  // masks
    std::vector<std::vector<const double *>> weight_rows;  // by operation; of each target neuron
    std::vector<const double *> error_rows;
    // What sweeps and filters work in.
    std::vector<double> acc, operand, product, errors, row, next, made, other, unity, kept;
    bool fresh = false, due = false;
    int64_t learned = 0;
    const int64_t *x = nullptr, *y = nullptr;
    int64_t *out = nullptr;

    long bank(const Operation &op, long pairs, long neuron) const {
        return (neuron % s.machine_rows) * 2 * s.w_depth +
               2 * (op.weights + neuron / s.machine_rows * pairs);
    }
    long constant_column(const Operation &op, long columns) const;
    void count(Saturation kind, int64_t number) { s.registers[SATURATED + kind] += number; }

    void input(const Operation &op, const Streams &streams);
    void target(const Operation &op, const Streams &streams);
    void give(const Operation &op, const Streams &streams);
    void forward(const Operation &op, const Streams &streams, const double *const *weights);
    void membrane(const Operation &op, const Streams &streams);
    void trace(const Operation &op, const Streams &streams);
    void filter(const Operation &op, const Streams &streams, const int64_t *before);
    void exponential(const Operation &op, const Streams &streams);
    void norm(const Operation &op, const Streams &streams);
    void error(const Operation &op, const Streams &streams);
    void back(const Operation &op, const Streams &streams, const double *const *weights);
    void send(const Operation &op, const Streams &streams, const double *const *weights);
    void learn(const Operation &op, const Streams &streams);
    void add_times(const Operation &op, const Streams &streams, long i);
    void change_times(const Operation &op);
    void put(long place, int mode, int which, Ratio value);
    void apply(const Operation &op);
    template <bool DITHER> int64_t change(const Operation &op, uint32_t key);
    template <bool DITHER> int64_t carry(const Operation &op, uint32_t key);
    template <bool DITHER> int64_t move(const Operation &op, uint32_t key);

    // All neurons and streams of an operation as one row: few streams make no vectors.
    bool flat(const Streams &streams) const {
        return (s.repeated > 1 || S == 1) && even(streams);
    }
    // All streams are alike in this step.
    static bool even(const Streams &streams) {
        return streams.all_valid && !streams.any_starting;
    }
    const int64_t *starting(const Streams &streams, bool asked) const {
        return asked && streams.any_starting ? streams.starting.data() : nowhere.data();
    }
};

Core::Core(const Settings &settings)
    : s(settings),
      S(static_cast<long>(settings.streams)),
      pitch(padded(static_cast<long>(settings.streams))),
      ranges(static_cast<int>(settings.word), static_cast<int>(settings.guard)),
      q_rounding(static_cast<int>(settings.q_drop)),
      g_rounding(static_cast<int>(settings.g_drop)),
      contexts(static_cast<size_t>(settings.contexts), Streams(S)),
      weight_rows(static_cast<size_t>(settings.operations)) {
    long neurons = 1, columns = 1, numbers = 1;
    for (long k = 0; k < s.operations; k++) {
        const Operation &op = s.program[k];
        numbers = std::max<long>(numbers, op.n);
        if (op.kind != FORWARD && op.kind != BACK) continue;
        const long pairs = op.kind == BACK ? (op.words + 1) / 2 : op.words;
        const long targets = op.groups * s.machine_rows;
        neurons = std::max(neurons, targets);
        columns = std::max(columns, 2 * pairs);
        for (long i = 0; i < targets; i++)
            weight_rows[k].push_back(s.weights + bank(op, pairs, i));
    }
    numbers *= S;
    everywhere.assign(numbers, -1);
    nowhere.assign(numbers, 0);
    acc.resize(neurons * S);
    const long terms = std::max(neurons, columns);
    operand.resize(2 * std::max(terms * pitch, S * padded(columns)));
    product.resize(std::max(terms * pitch, neurons * padded(columns)));
    errors.resize(neurons * S);
    error_rows.resize(neurons);
    unity.assign(S, std::ldexp(1.0, static_cast<int>(s.r_frac)));
    for (auto *scratch : {&row, &next, &made, &other, &kept}) scratch->resize(numbers);
}

bool Core::begin(const int64_t *flags, const int64_t *x_of, const int64_t *y_of, int64_t *out_of) {
    bool learns = false;
    for (auto &streams : contexts) {
        streams.set(flags);
        flags += S;
        learns |= !streams.learning.empty();
    }
    x = x_of;
    y = y_of;
    out = out_of;
    learned = s.registers[LEARNED];
    fresh = learned == 0;
    learned += learns;
    due = learned >= s.registers[APPLY_EVERY];
    return due;
}

void Core::run(long from, long to) {
    for (long k = from; k < to; k++) {
        const Operation &op = s.program[k];
        const Streams &streams = contexts[op.context];
        switch (op.kind) {
            case INPUT: input(op, streams); break;
            case TARGET: target(op, streams); break;
            case OUTPUT: give(op, streams); break;
            case FORWARD: forward(op, streams, weight_rows[k].data()); break;
            case MEMBRANE: membrane(op, streams); break;
            case TRACE: trace(op, streams); break;
            case EXP: exponential(op, streams); break;
            case NORM: norm(op, streams); break;
            case ERROR: error(op, streams); break;
            case BACK: back(op, streams, weight_rows[k].data()); break;
            case APPLY:
                if (due) apply(op);
                break;
            case TIMES:
                if (due) change_times(op);
                break;
            case END:
                s.registers[STEP] = (s.registers[STEP] + 1) & 0xFFFFFFFF;
                s.registers[LEARNED] = due ? 0 : learned;
                break;
        }
    }
}

void Core::input(const Operation &op, const Streams &streams) {
    const int64_t *values = x + op.context * S * s.inputs;
    double *rates = s.rates + 2 * op.rates * S;
    for (long j = 0; j < op.n; j++)
        for (long k = 0; k < S; k++)
            if (streams.valid[k]) {
                const double value = static_cast<double>(values[k * s.inputs + j]);
                rates[j * S + k] = value;
                if (op.output) s.output[(op.extra + j) * S + k] = value;
            }
    if (op.n % 2)
        keep_same(S, rates + op.n * S, op.bias == HIGH ? std::ldexp(1.0, s.r_frac) : 0.0,
                  streams.valid.data());
}

void Core::target(const Operation &op, const Streams &streams) {
    const int64_t *values = y + op.context * S * s.outputs;
    for (long j = 0; j < op.n; j++)
        for (long k = 0; k < S; k++)
            if (streams.sent[k])
                s.target[(op.extra + j) * S + k] = static_cast<double>(values[k * s.outputs + j]);
}

void Core::give(const Operation &op, const Streams &streams) {
    const int64_t *zero = starting(streams, op.prior);
    for (long k = 0; k < S; k++)
        for (long j = 0; j < op.n; j++)
            out[(op.place + k) * op.n + j] =
                zero[k] ? 0 : static_cast<int64_t>(s.output[(op.extra + j) * S + k]);
}

long Core::constant_column(const Operation &op, long columns) const {
    if (op.bias == NONE) return -1;
    if (op.kind == BACK) return columns - 1;
    return columns - (op.bias == HIGH ? 1 : 2);
}

void Core::forward(const Operation &op, const Streams &streams, const double *const *weights) {
    const long columns = 2 * op.words, targets = op.groups * s.machine_rows;
    const long one = constant_column(op, columns);
    const double *rates = s.rates + 2 * op.rates * S;
    const bool before = op.prior && streams.any_starting;
    s.registers[SLOTS] += op.slots;
    if ((pitch != S && S != 1) || before) {
        for (long j = 0; j < columns; j++) {
            const int64_t *zero = starting(streams, op.prior && j != one);
            for (long k = 0; k < S; k++)
                operand[j * pitch + k] = zero[k] ? 0.0 : rates[j * S + k];
        }
        if (S == 1)  // without gaps
            for (long j = 0; j < columns; j++) operand[j] = operand[j * pitch];
        rates = operand.data();
    }
    if (S == 1) {
        for (long i = 0; i < targets; i++) {
            const double sum = dot(weights[i], rates, columns);
            acc[i] = op.head ? sum : acc[i] + sum;
        }
        return;
    }
    const bool direct = op.head && pitch == S;
    double *sums = direct ? acc.data() : product.data();
    multiply<false, false>({weights, rates, 0, columns, pitch, sums, pitch, q_rounding}, targets,
                           pitch);
    if (direct) return;
    for (long i = 0; i < targets; i++)
        for (long k = 0; k < S; k++)
            acc[i * S + k] = (op.head ? 0.0 : acc[i * S + k]) + sums[i * pitch + k];
}

void Core::membrane(const Operation &op, const Streams &streams) {
    const double scale = std::ldexp(1.0, static_cast<int>(s.u_frac - s.drive_frac));
    const double low = ranges.wide_low, high = ranges.wide_high;
    int64_t limits = 0;
    const bool together = even(streams);
    const long rows = together ? 1 : op.n, length = together ? op.n * S : S;
    Mask valid = together ? everywhere.data() : streams.valid.data();
    for (long i = 0; i < rows; i++) {
        In sums = acc.data() + i * length;
        Out drive = row.data() + i * length;
        Mask counted = valid;
        int64_t here = 0;
        for (long k = 0; k < length; k++) {
            const double value = half_up(sums[k] * scale);
            const double kept = limited(value, low, high);
            here -= kept != value ? counted[k] : 0;
            drive[k] = kept;
        }
        limits += here;
    }
    count(DRIVE, limits);
    filter(op, streams, starting(streams, op.prior));
    // r is in `made` now
    if (op.output)
        for (long i = 0; i < rows; i++)
            keep_row(length, s.output + op.extra * S + i * length, made.data() + i * length, valid);
    if (S == 1) {
        double most = op.head ? made[0] : s.largest[0];
        for (long i = 0; i < op.n; i++) most = made[i] > most ? made[i] : most;
        s.largest[0] = most;
        return;
    }
    for (long i = 0; i < op.n; i++)
        for (long k = 0; k < S; k++) {
            const double r = made[i * S + k];
            s.largest[k] = (i == 0 && op.head) || r > s.largest[k] ? r : s.largest[k];
        }
}

void Core::trace(const Operation &op, const Streams &streams) {
    const int64_t *before = starting(streams, op.prior);
    const double scale = std::ldexp(1.0, static_cast<int>(s.guard));
    for (long i = 0; i < op.n; i++)
        for (long k = 0; k < S; k++)
            row[i * S + k] = before[k] ? 0.0 : s.output[(op.extra + i) * S + k] * scale;
    filter(op, streams, before);
}

// The membrane filter on the drives in `row`; r is left in `made`.
void Core::filter(const Operation &op, const Streams &streams, const int64_t *before) {
    const double *gamma = s.coefficients + op.coefficients;
    const double *a_m = gamma + op.n * s.repeated, *rho = a_m + op.n * s.repeated;
    const double half = -ranges.low, one = std::ldexp(1.0, static_cast<int>(s.r_frac));
    const int inside = static_cast<int>(s.word - s.phi_log2);
    const Interval *table = op.table ? s.tables + ((op.table - 1L) << s.phi_log2) : nullptr;
    const long first = op.neurons * S, rates = (2L * op.rates + op.odd) * S;
    MembraneCounts counts;
    const bool together = !s.keeps_d && flat(streams);
    const long rows = together ? 1 : op.n, length = together ? op.n * S : S;
    for (long i = 0; i < rows; i++) {
        const long at = i * length;
        const double *e = s.e + first + at, *u = s.u + first + at;
        double *drive = row.data() + at, *u_next = next.data() + at, *p = other.data() + at;
        const long c = i * s.repeated;
        if (s.keeps_d) {
            membrane_row<Same, true>(length, drive, e, before, u, starting(streams, true),
                                     streams.valid.data(), {gamma[c]}, {a_m[c]}, {rho[c]}, ranges,
                                     u_next, p, counts, kept.data());
            if (op.kind == MEMBRANE)
                keep_row(length, s.d + first + at, kept.data(), streams.valid.data());
        } else if (together) {
            membrane_row<In>(length, drive, e, nowhere.data(), u, nowhere.data(),
                             everywhere.data(), gamma, a_m, rho, ranges, u_next, p, counts);
        } else {
            membrane_row<Same>(length, drive, e, before, u, starting(streams, true),
                               streams.valid.data(), {gamma[c]}, {a_m[c]}, {rho[c]}, ranges,
                               u_next, p, counts);
        }
        double *r = made.data() + at, *slope = drive;  // the drive is used up
        if (table) {
            lookup_row(length, p, table, inside, half, ranges, r, slope);
        } else {
            std::copy(p, p + length, r);
            std::fill(slope, slope + length, one);
        }
        const int64_t *valid = together ? everywhere.data() : streams.valid.data();
        keep_row(length, s.u + first + at, u_next, valid);
        keep_row(length, s.slope + first + at, slope, valid);
        keep_row(length, s.rates + rates + at, r, valid);
    }
    if ((op.odd + op.n) % 2)
        keep_same(S, s.rates + rates + op.n * S, op.bias == HIGH ? one : 0.0,
                  streams.valid.data());
    count(D, counts.d);
    count(U, counts.u);
    count(P, counts.p);
}

void Core::exponential(const Operation &op, const Streams &streams) {
    const double *gamma = s.coefficients + op.coefficients;
    const double *a_m = gamma + op.n * s.repeated, *rho = a_m + op.n * s.repeated;
    const double half = -ranges.low, scale = std::ldexp(1.0, static_cast<int>(s.guard));
    const int inside = static_cast<int>(s.word - s.phi_log2);
    const Interval *table = op.table ? s.tables + ((op.table - 1L) << s.phi_log2) : nullptr;
    const int64_t *before = starting(streams, op.prior);
    MembraneCounts uncounted;
    std::fill(s.total, s.total + S, 0.0);
    for (long i = 0; i < op.n; i++) {
        const long at = (op.neurons + i) * S, c = i * s.repeated;
        const double *z = s.output + (op.extra + i) * S;
        for (long k = 0; k < S; k++) {
            const double below = (before[k] ? 0.0 : z[k]) - s.largest[k];
            row[k] = limited(below, ranges.low, ranges.high) * scale;
        }
        membrane_row<Same>(S, row.data(), s.e + at, before, s.u + at, everywhere.data(),
                           nowhere.data(), {gamma[c]}, {a_m[c]}, {rho[c]}, ranges, next.data(),
                           other.data(), uncounted);
        if (table)
            lookup_row(S, other.data(), table, inside, half, ranges, made.data(), row.data());
        else
            std::copy(other.data(), other.data() + S, made.data());
        keep_row(S, s.q + at, made.data(), streams.valid.data());
        for (long k = 0; k < S; k++) s.total[k] += made[k];
    }
}

void Core::norm(const Operation &op, const Streams &streams) {
    const double *a_r = s.coefficients + op.coefficients + op.n * s.repeated;
    const double *kappa = a_r + op.n * s.repeated;
    const int64_t *before = starting(streams, op.prior);
    // 1 / total as a mantissa, and the shift of a product with it
    const double dividend = std::ldexp(1.0, static_cast<int>(s.r_frac + s.word - 2));
    const int share_shift = static_cast<int>(PRE + s.word - 2 - s.guard);
    const double shift = std::ldexp(1.0, static_cast<int>(s.guard - s.r_frac));
    double *scale = made.data();
    for (long k = 0; k < S; k++) {
        const double total = s.total[k];
        const double ones = total < 0 ? std::ldexp(1.0, SUM_BITS) + total : total;
        const double quotient = ones > 0 ? std::floor(dividend / ones) : ranges.high;
        scale[k] = std::ldexp(std::min(quotient, ranges.high), PRE - share_shift);
    }
    ErrorCounts uncounted;
    for (long i = 0; i < op.n; i++) {
        double *q = s.q + (op.neurons + i) * S;
        const long c = i * s.repeated;
        for (long k = 0; k < S; k++) row[k] = before[k] ? 0.0 : q[k];
        // instead of r' the integer 1; v is not read
        error_row<In, Same>(S, row.data(), unity.data(), nowhere.data(), unity.data(),
                            everywhere.data(), nowhere.data(), scale, {a_r[c]}, {kappa[c]}, shift,
                            ranges, next.data(), other.data(), uncounted);
        keep_row(S, q, other.data(), streams.valid.data());
    }
}

void Core::error(const Operation &op, const Streams &streams) {
    const double *scale = s.coefficients + op.coefficients;
    const double *a_r = scale + op.n * s.repeated, *kappa = a_r + op.n * s.repeated;
    const double shift = std::ldexp(1.0, static_cast<int>(s.guard - s.r_frac));
    const int64_t *before = starting(streams, op.prior);
    const long first = op.neurons * S;
    ErrorCounts counts;
    const double *q = s.q + first;
    if (op.cost != HIDDEN) {
        const double *r = op.cost == SOFTMAX ? s.q + first : s.output + op.extra * S;
        const double *wanted = s.target + op.extra * S;
        for (long i = 0; i < op.n; i++)
            for (long k = 0; k < S; k++) {
                const double rate = before[k] ? 0.0 : r[i * S + k];
                const double q_here = wanted[i * S + k] - rate;  // in LSB of r
                row[i * S + k] = streams.targeted[k] ? q_here : 0.0;
            }
        q = row.data();
    } else if (op.prior && streams.any_starting) {
        for (long i = 0; i < op.n; i++)
            for (long k = 0; k < S; k++) row[i * S + k] = before[k] ? 0.0 : q[i * S + k];
        q = row.data();
    }
    const bool together = !op.g && flat(streams);
    const long rows = together ? 1 : op.n, length = together ? op.n * S : S;
    for (long i = 0; i < rows; i++) {
        const long at = i * length, c = i * s.repeated;
        const double *slope = s.slope + first + at, *v = s.v + first + at;
        double *v_next = next.data(), *e = other.data();
        if (together) {
            error_row<In, In>(length, q + at, slope, nowhere.data(), v, nowhere.data(),
                              everywhere.data(), scale, a_r, kappa, shift, ranges, v_next, e,
                              counts);
        } else if (op.g) {
            error_row<Same, Same, true>(length, q + at, slope, before, v, starting(streams, true),
                                        streams.valid.data(), {scale[c]}, {a_r[c]}, {kappa[c]},
                                        shift, ranges, v_next, e, counts, kept.data());
            add_times(op, streams, i);
        } else {
            error_row<Same, Same>(length, q + at, slope, before, v, starting(streams, true),
                                  streams.valid.data(), {scale[c]}, {a_r[c]}, {kappa[c]}, shift,
                                  ranges, v_next, e, counts);
        }
        const int64_t *valid = together ? everywhere.data() : streams.valid.data();
        keep_row(length, s.v + first + at, v_next, valid);
        keep_row(length, s.e + first + at, e, valid);
    }
    count(BETA, counts.beta);
    count(DELTA, counts.delta);
    count(V, counts.v);
    count(E, counts.e);
}

// Products of an ERROR with d: e is in `other`, eps in `kept`; i is the neuron.
void Core::add_times(const Operation &op, const Streams &streams, long i) {
    const double *d = s.d + (op.neurons + i) * S, *errors_of[] = {other.data(), kept.data()};
    const double unit = std::ldexp(1.0, -static_cast<int>(s.g_drop));
    for (int which = 0; which < 2; which++) {
        double sum = 0.0;
        for (const long k : streams.learning) sum += half_up(errors_of[which][k] * d[k] * unit);
        int64_t &total = s.times[(2 + which) * s.tau_depth + op.weights + i];
        total = (fresh && op.context == 0 ? 0 : total) + static_cast<int64_t>(sum);
    }
}

void Core::change_times(const Operation &op) {
    const int word = static_cast<int>(s.word);
    int64_t *tau_m = s.times, *tau_r = tau_m + s.tau_depth;
    const int64_t *sum_m = tau_r + s.tau_depth, *sum_r = sum_m + s.tau_depth;
    for (long c = op.weights; c < op.weights + op.n; c++) {
        const int64_t new_m = moved(tau_m[c], sum_m[c], tau_m[c], op.interval, -1, word);
        const int64_t new_r = moved(tau_r[c], sum_r[c], tau_m[c], op.words, 1, word);
        tau_m[c] = new_m;
        tau_r[c] = new_r;
        put(c, 0, 1, ratio(ONE_STEP, new_m, word));
        put(c, 0, 2, ratio(new_r, new_m, word));
        if (!op.output) continue;
        put(c, 1, 1, ratio(ONE_STEP, new_r, word));
        put(c, 1, 2, ratio(new_m, new_r, word));
    }
}

// A coefficient into its memory, and into the factors of the filters that take it.
void Core::put(long place, int mode, int which, Ratio value) {
    const int shift = static_cast<int>(PRE + s.word - 2 - s.guard) - value.exponent;
    s.mantissa[(2 * place + mode) * 3 + which] = value.mantissa;
    s.shift[(2 * place + mode) * 3 + which] = shift;
    const double factor = std::ldexp(static_cast<double>(value.mantissa), PRE - shift);
    for (long k = 0; k < s.operations; k++) {
        const Operation &op = s.program[k];
        const bool errors_too = op.kind == ERROR || op.kind == NORM;
        if (!errors_too && op.kind != MEMBRANE && op.kind != TRACE && op.kind != EXP) continue;
        const long at = place - op.weights;
        if (errors_too != (mode == 1) || at < 0 || at >= (op.shared ? 1 : op.n)) continue;
        double *factors = s.coefficients + op.coefficients + which * op.n * s.repeated;
        const long many = op.shared ? op.n * s.repeated : s.repeated;
        std::fill(factors + at * s.repeated, factors + at * s.repeated + many, factor);
    }
}

// Errors [target][stream] of the operation's neurons, zero for the others, then q and G.
void Core::back(const Operation &op, const Streams &streams, const double *const *weights) {
    const long targets = op.groups * s.machine_rows;
    const double *e = s.e + op.neurons * S;
    const int64_t *zero = starting(streams, op.prior_e);
    s.registers[SLOTS] += op.slots;
    if (!(op.prior_e && streams.any_starting)) {
        std::fill(errors.begin(), errors.begin() + targets * S, 0.0);
        const long end = std::min<long>(op.skip + op.rows, targets);
        if (op.skip < end) std::copy(e + op.skip * S, e + end * S, errors.begin() + op.skip * S);
    } else for (long i = 0; i < targets; i++) {
        Out kept = errors.data() + i * S;
        if (i < op.skip || i >= op.skip + op.rows)
            std::fill(kept, kept + S, 0.0);
        else
            for (long k = 0; k < S; k++) kept[k] = zero[k] ? 0.0 : e[i * S + k];
    }
    if (op.q) send(op, streams, weights);
    if (op.g) learn(op, streams);
}

void Core::send(const Operation &op, const Streams &streams, const double *const *weights) {
    const long targets = op.groups * s.machine_rows;
    double *sums = product.data();
    const long ld = S == 1 ? 1 : pitch;
    if (S == 1) {
        back_one_stream(weights, errors.data(), targets, op.n, sums, q_rounding);
    } else {
        const long half = targets * pitch;
        for (long i = 0; i < targets; i++) {
            In e = errors.data() + i * S;
            Out up = operand.data() + i * pitch, down = up + half;
            for (long k = 0; k < S; k++) {
                up[k] = e[k] + TINY;
                down[k] = e[k] - TINY;
            }
        }
        multiply<true, true>({weights, operand.data(), half, targets, pitch, sums, pitch,
                              q_rounding}, op.n, pitch);
    }
    const double unit = std::ldexp(1.0, static_cast<int>(s.e_frac - s.q_frac));
    const double low = ranges.low, high = ranges.high;
    int64_t limits = 0;
    const bool together = streams.all_valid && ld == S;
    const long rows = together ? 1 : op.n, length = together ? op.n * S : S;
    Mask valid = together ? everywhere.data() : streams.valid.data();
    for (long j = 0; j < rows; j++) {
        const long at = op.extra * S + j * length;
        double *partial = s.partial_q + at, *sum = sums + j * (together ? length : ld);
        if (!op.head)
            for (long k = 0; k < length; k++) sum[k] += partial[k];
        if (!op.tail) {
            std::copy(sum, sum + length, partial);
            continue;
        }
        Out q = s.q + at;
        int64_t here = 0;
        for (long k = 0; k < length; k++) {
            const double value = half_up(sum[k] * unit);
            const double kept = limited(value, low, high);
            here -= kept != value ? valid[k] : 0;
            q[k] = valid[k] ? kept : q[k];
        }
        limits += here;
    }
    count(Q, limits);
}

void Core::learn(const Operation &op, const Streams &streams) {
    const long targets = op.groups * s.machine_rows, columns = op.words;
    const long pairs = (op.words + 1) / 2, width = padded(columns);
    const long terms = static_cast<long>(streams.learning.size()), half = terms * width;
    const long one = constant_column(op, columns);
    const bool anew = fresh && op.context == 0 && !op.keep;
    // Rates of the streams that learn, [stream][column], and their errors [target][stream].
    const double *rates = s.rates + 2 * op.rates * S;
    for (long t = 0; t < terms; t++) {
        const long k = streams.learning[t];
        const bool zero = op.prior && streams.starting[k];
        Out up = operand.data() + t * width, down = up + half;
        for (long j = 0; j < columns; j++) {
            const double rate = zero && j != one ? 0.0 : rates[j * S + k];
            up[j] = rate + TINY;
            down[j] = rate - TINY;
        }
    }
    if (S == 1 && terms == 1) {
        for (long i = 0; i < targets; i++)
            learn_one_stream(columns, errors[i], operand.data() + (errors[i] < 0 ? half : 0),
                             anew, s.gradients + bank(op, pairs, i), g_rounding);
        return;
    }
    for (long i = 0; i < targets; i++) {
        double *e = errors.data() + i * S;
        if (terms < S)
            for (long t = 0; t < terms; t++) e[t] = e[streams.learning[t]];
        error_rows[i] = e;
    }
    multiply<true, false>({error_rows.data(), operand.data(), half, terms, width, product.data(),
                           width, g_rounding}, targets, width);
    for (long i = 0; i < targets; i++) {
        Out sums = s.gradients + bank(op, pairs, i);
        In change = product.data() + i * width;
        if (anew)
            for (long j = 0; j < columns; j++) sums[j] = change[j];
        else
            for (long j = 0; j < columns; j++) sums[j] += change[j];
    }
}

// w <- w + eta G, or what a rule with moments puts in G's place; of every row, or of one of those
// that share an apply lane.
void Core::apply(const Operation &op) {
    const auto seed = static_cast<uint32_t>(s.registers[SEED]);
    const auto step = static_cast<uint32_t>(s.registers[STEP]);
    const uint32_t key = mix(mix(seed ^ step) ^ static_cast<uint32_t>(op.n));
    if (op.table >= MOMENTUM_SUM)
        count(W, op.output ? carry<true>(op, key) : carry<false>(op, key));
    else if (op.table)
        count(W, op.output ? move<true>(op, key) : move<false>(op, key));
    else
        count(W, op.output ? change<true>(op, key) : change<false>(op, key));
}

template <bool DITHER> int64_t Core::move(const Operation &op, uint32_t key) {
    const int m = op.interval & 7;
    const Decay decay{op.table, op.rates, op.neurons, op.interval >> 3,
                      static_cast<int>(s.g_width), s.squares, s.roots};
    const double unit = std::ldexp(1.0, -DITHER_BITS), nearest = std::ldexp(1.0, DITHER_BITS - 1);
    double eta[SHIFTS + 1];
    for (int shift = 0; shift <= SHIFTS; shift++) eta[shift] = std::ldexp(m, DITHER_BITS - shift);
    const auto random = [](uint32_t word) {
        return static_cast<int32_t>(mix(word) >> (32 - DITHER_BITS));
    };
    int64_t limits = 0;
    for (long i = op.skip; i < op.groups * s.machine_rows; i += s.apply_rows) {
        const long at = bank(op, op.words, i);
        for (long j = 0; j < 2L * op.words; j++) {
            const uint32_t own =
                key ^ static_cast<uint32_t>(i) << 16 ^ static_cast<uint32_t>(j);
            double &weight = s.weights[at + j], &moments = s.moments[at + j];
            const Direction way = direction(
                static_cast<int64_t>(s.gradients[at + j]), static_cast<int64_t>(moments), decay,
                random(own ^ RANDOM_KEYS[0]), random(own ^ RANDOM_KEYS[1]));
            moments = static_cast<double>(way.moments);
            const double added = DITHER ? random(own) : nearest;
            const double step =
                std::floor(static_cast<double>(way.number) * eta[way.shift]) + added;
            const double value = std::floor(step * unit) + weight;
            const double kept = limited(value, ranges.low, ranges.high);
            limits += kept != value;
            weight = kept;
        }
    }
    return limits;
}

template <bool DITHER> int64_t Core::change(const Operation &op, uint32_t key) {
    const int m = op.interval & 7, k = op.interval >> 3;
    const double eta = std::ldexp(m, DITHER_BITS - k), unit = std::ldexp(1.0, -DITHER_BITS);
    const double nearest = std::ldexp(1.0, DITHER_BITS - 1);
    const double low = ranges.low, high = ranges.high;
    const long columns = 2L * op.words;
    int64_t limits = 0;
    for (long i = op.skip; i < op.groups * s.machine_rows; i += s.apply_rows) {
        const long at = bank(op, op.words, i);
        Out weights = s.weights + at;
        In gradients = s.gradients + at;
        int64_t here = 0;
        for (long j = 0; j < columns; j++) {
            double random = nearest;
            if (DITHER) {
                const uint32_t place = static_cast<uint32_t>(i) << 16 ^ static_cast<uint32_t>(j);
                random = static_cast<int32_t>(mix(place ^ key) >> (32 - DITHER_BITS));
            }
            const double step = std::floor(gradients[j] * eta) + random;
            const double value = std::floor(step * unit) + weights[j];
            const double kept = limited(value, low, high);
            here += kept != value;
            weights[j] = kept;
        }
        limits += here;
    }
    return limits;
}

// As `change`, by a sum of which part is carried on.
template <bool DITHER> int64_t Core::carry(const Operation &op, uint32_t key) {
    const int m = op.interval & 7, k = op.interval >> 3;
    const double eta = std::ldexp(m, DITHER_BITS - k), unit = std::ldexp(1.0, -DITHER_BITS);
    const double nearest = std::ldexp(1.0, DITHER_BITS - 1), share = std::ldexp(1.0, -op.rates);
    int64_t limits = 0;
    for (long i = op.skip; i < op.groups * s.machine_rows; i += s.apply_rows) {
        const long at = bank(op, op.words, i);
        for (long j = 0; j < 2L * op.words; j++) {
            double random = nearest, &sum = s.gradients[at + j], &weight = s.weights[at + j];
            if (DITHER) {
                const uint32_t place = static_cast<uint32_t>(i) << 16 ^ static_cast<uint32_t>(j);
                random = static_cast<int32_t>(mix(place ^ key) >> (32 - DITHER_BITS));
            }
            const double step = std::floor(step_of(sum, op.table) * eta) + random;
            const double value = std::floor(step * unit) + weight;
            const double kept = limited(value, ranges.low, ranges.high);
            sum = carried(sum, share);
            limits += kept != value;
            weight = kept;
        }
    }
    return limits;
}

}  // namespace twin

extern "C" {

int64_t twin_sizes() {  // what compiled.py compares its own with
    return static_cast<int64_t>(sizeof(twin::Settings) * 1000 + sizeof(twin::Operation));
}

void *twin_new(const twin::Settings *settings) {
    try {
        return new twin::Core(*settings);
    } catch (const std::bad_alloc &) {
        return nullptr;
    }
}

void twin_free(void *core) { delete static_cast<twin::Core *>(core); }

int twin_begin(void *core, const int64_t *flags, const int64_t *x, const int64_t *y,
               int64_t *out) {
    return static_cast<twin::Core *>(core)->begin(flags, x, y, out);
}

void twin_run(void *core, int64_t from, int64_t to) {
    static_cast<twin::Core *>(core)->run(static_cast<long>(from), static_cast<long>(to));
}

// `steps` whole steps; applied[n]: whether step n changed the weights.
void twin_steps(void *core, int64_t steps, const int64_t *flags, const int64_t *x,
                const int64_t *y, int64_t *out, uint8_t *applied) {
    auto *model = static_cast<twin::Core *>(core);
    const auto &s = model->settings();
    const int64_t streams = s.streams * s.contexts;
    for (int64_t n = 0; n < steps; n++) {
        applied[n] = model->begin(flags, x, y, out);
        model->run(0, static_cast<long>(s.operations));
        flags += streams;
        x += streams * s.inputs;
        y += streams * s.outputs;
        out += s.output_rows;
    }
}
}
