// SPDX-License-Identifier: Apache-2.0
// The three products of the array, w r, w e and e r, as one kernel: out[m][n] = sum over t of
// a(m, t) b[t][n], in double, where every sum of the machine is exact (below 2^53).
//
// Two of them round each product: half_up(p, drop) = floor((p + 2^(drop-1)) / 2^drop). One fused
// multiply-add does that, too. A sum that starts from 1.5 * 2^(52 + drop) has 2^drop as the unit of
// its last place, so that the hardware rounds every product that is added to a multiple of 2^drop:
// to the nearest one, which is half_up but for ties. No tie comes up when p is larger by less than
// one: b is taken with TINY added where a > 0 and subtracted where a < 0, so that p grows by
// |a| TINY <= 1/2. The operand b therefore comes twice, with + and with - TINY, `half` apart.
// Words are of up to 18 bits: with TINY they have 35, and their products at most 52, so that this
// needs no fused operation either: all is exact but for the one rounding that is meant.

#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace twin {

typedef double Vector __attribute__((vector_size(32), aligned(8), may_alias));
constexpr long LANES = 4;
constexpr double TINY = 1.0 / (1 << 18);
constexpr int WIDEST = 14;  // vectors of one row of out that are kept in registers

inline long padded(long n) { return (n + LANES - 1) / LANES * LANES; }

// Where a sum starts, and what reads it.
struct Rounding {
    double start, unit;

    explicit Rounding(int drop)
        : start(1.5 * static_cast<double>(int64_t{1} << 52) * static_cast<double>(1L << drop)),
          unit(1.0 / static_cast<double>(1L << drop)) {}
};

// Operands: rows of a, and b [terms][pitch], twice where products are rounded.
struct Product {
    const double *const *a;
    const double *b;
    long half, terms, pitch;
    double *out;
    long out_pitch;
    Rounding rounding;
};

// ROWS rows of out from m on, NV vectors of each. TURNED: a(m, t) is a[t][m], else a[m][t].
template <int NV, int ROWS, bool ROUNDED, bool TURNED>
inline void block(const Product &g, long m, long column) {
    Vector sum[ROWS][NV];
    const double start = ROUNDED ? g.rounding.start : 0.0;
    for (int u = 0; u < ROWS; u++)
        for (int v = 0; v < NV; v++) sum[u][v] = Vector{start, start, start, start};
    const double *b = g.b + column;
    for (long t = 0; t < g.terms; t++, b += g.pitch) {
        for (int u = 0; u < ROWS; u++) {
            const double a = TURNED ? g.a[t][m + u] : g.a[m + u][t];
            const double *row = b;
            if (ROUNDED) {
                int64_t bits;
                std::memcpy(&bits, &a, sizeof bits);
                row += (bits >> 63) & g.half;  // no branch: signs of weights are random
            }
            const Vector all = {a, a, a, a};
            for (int v = 0; v < NV; v++)
                sum[u][v] += all * *reinterpret_cast<const Vector *>(row + LANES * v);
        }
    }
    for (int u = 0; u < ROWS; u++) {
        double *out = g.out + (m + u) * g.out_pitch + column;
        for (int v = 0; v < NV; v++) {
            Vector value = sum[u][v];
            if (ROUNDED) value = (value - start) * g.rounding.unit;
            *reinterpret_cast<Vector *>(out + LANES * v) = value;
        }
    }
}

// As many rows at a time as there are registers for, so that additions need not wait.
template <int NV, bool ROUNDED, bool TURNED>
void columns(const Product &g, long rows, long column) {
    constexpr int ROWS = NV == 1 ? 8 : NV == 2 ? 6 : NV == 3 ? 4 : NV == 4 ? 3 : NV < 8 ? 2 : 1;
    long m = 0;
    for (; m + ROWS <= rows; m += ROWS) block<NV, ROWS, ROUNDED, TURNED>(g, m, column);
    for (; m < rows; m++) block<NV, 1, ROUNDED, TURNED>(g, m, column);
}

// out[rows][width], width a multiple of LANES.
template <bool ROUNDED, bool TURNED>
void multiply(const Product &g, long rows, long width) {
    const long vectors = width / LANES, parts = (vectors + WIDEST - 1) / WIDEST;
    long column = 0;
    for (long part = 0; part < parts; part++) {
        const long here = (vectors * (part + 1)) / parts - (vectors * part) / parts;
        switch (here) {
#define ANTEVOLT_CASE(NV)                                  \
    case NV:                                               \
        columns<NV, ROUNDED, TURNED>(g, rows, column);     \
        break;
            ANTEVOLT_CASE(1)
            ANTEVOLT_CASE(2)
            ANTEVOLT_CASE(3)
            ANTEVOLT_CASE(4)
            ANTEVOLT_CASE(5)
            ANTEVOLT_CASE(6)
            ANTEVOLT_CASE(7)
            ANTEVOLT_CASE(8)
            ANTEVOLT_CASE(9)
            ANTEVOLT_CASE(10)
            ANTEVOLT_CASE(11)
            ANTEVOLT_CASE(12)
            ANTEVOLT_CASE(13)
            ANTEVOLT_CASE(14)
#undef ANTEVOLT_CASE
        }
        column += here * LANES;
    }
}

// Gradients of one target neuron and one stream: sums[j] += half_up(e b[j]), or = where `anew`; b
// has TINY in it, with the sign of e.
inline void learn_one_stream(long columns, double e, const double *__restrict b, bool anew,
                             double *__restrict sums, const Rounding &rounding) {
    const double start = rounding.start, unit = rounding.unit;
    for (long j = 0; j < columns; j++) {
        const double change = (start + e * b[j] - start) * unit;
        sums[j] = change + (anew ? 0.0 : sums[j]);
    }
}

// The forward product of one stream: sum over t of a[t] b[t].
inline double dot(const double *a, const double *b, long terms) {
    Vector sum[4] = {};
    long t = 0;
    for (; t + 4 * LANES <= terms; t += 4 * LANES)
        for (int v = 0; v < 4; v++)
            sum[v] += *reinterpret_cast<const Vector *>(a + t + LANES * v) *
                      *reinterpret_cast<const Vector *>(b + t + LANES * v);
    for (; t + LANES <= terms; t += LANES)
        sum[0] += *reinterpret_cast<const Vector *>(a + t) *
                  *reinterpret_cast<const Vector *>(b + t);
    const Vector all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    double rest = 0.0;
    for (; t < terms; t++) rest += a[t] * b[t];
    return (all[0] + all[1]) + (all[2] + all[3]) + rest;
}

// NV vectors of q of one stream: here w is the vector, and e the factor whose sign decides on TINY.
template <int NV>
inline void back_one(const double *const *w, const double *e, long terms, double *out, long column,
                     const Rounding &rounding) {
    const double start = rounding.start;
    Vector sum[NV];
    for (int v = 0; v < NV; v++) sum[v] = Vector{start, start, start, start};
    for (long t = 0; t < terms; t++) {
        const double tiny = std::copysign(TINY, e[t]);
        const double *row = w[t] + column;
        for (int v = 0; v < NV; v++)
            sum[v] += (*reinterpret_cast<const Vector *>(row + LANES * v) + tiny) * e[t];
    }
    for (int v = 0; v < NV; v++)
        *reinterpret_cast<Vector *>(out + column + LANES * v) = (sum[v] - start) * rounding.unit;
}

// q of one stream: out[n] = sum over t of half_up(w[t][n] e[t]).
inline void back_one_stream(const double *const *w, const double *e, long terms, long n,
                            double *out, const Rounding &rounding) {
    long column = 0;
    for (; column + 8 * LANES <= n; column += 8 * LANES)
        back_one<8>(w, e, terms, out, column, rounding);
    for (; column + 4 * LANES <= n; column += 4 * LANES)
        back_one<4>(w, e, terms, out, column, rounding);
    for (; column + LANES <= n; column += LANES)
        back_one<1>(w, e, terms, out, column, rounding);
    for (; column < n; column++) {
        double sum = rounding.start;
        for (long t = 0; t < terms; t++)
            sum += (w[t][column] + std::copysign(TINY, e[t])) * e[t];
        out[column] = (sum - rounding.start) * rounding.unit;
    }
}

}  // namespace twin
