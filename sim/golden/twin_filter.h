// SPDX-License-Identifier: Apache-2.0
// The two modes of the filter unit (docs/step.md), on rows of numbers that are independent of each
// other: the streams of one neuron, or neurons and streams in one. All whole numbers in double.
//
// Masks are 0 or -1 (all bits), one for each number of a row.

#pragma once

#include <cmath>
#include <cstdint>

namespace twin {

typedef const int64_t *__restrict Mask;
typedef const double *__restrict In;
typedef double *__restrict Out;

// A factor that all numbers of a row have in common.
struct Same {
    double value;
    double operator[](long) const { return value; }
};

inline double half_up(double scaled) { return std::floor(scaled + 0.5); }

inline double limited(double value, double low, double high) {
    const double above = value < low ? low : value;
    return above > high ? high : above;
}

// Ranges of a word and of a word with guard bits; the wide one that a narrow word is read from.
struct Ranges {
    double low, high;            // a word
    double wide_low, wide_high;  // with guard bits
    double read_high;            // above this, rounding the guard bits away leaves the word
    double guard;                // 2^-guard

    Ranges(int word, int bits)
        : low(-std::ldexp(1.0, word - 1)),
          high(std::ldexp(1.0, word - 1) - 1),
          wide_low(-std::ldexp(1.0, word + bits - 1)),
          wide_high(std::ldexp(1.0, word + bits - 1) - 1),
          read_high(std::ldexp(1.0, word + bits - 1) - std::ldexp(1.0, bits - 1) - 1),
          guard(std::ldexp(1.0, -bits)) {}
};

// The word that a product is read as; `count` goes up where it was limited and is counted.
inline double narrow(double wide, const Ranges &r, int64_t counted, int64_t &count) {
    const double within = limited(wide, r.wide_low, r.read_high);
    count -= counted & -int64_t{within != wide};
    return half_up(within * r.guard);
}

struct MembraneCounts {
    int64_t d = 0, u = 0, p = 0;
};

// u' and p from the drive s, e and u; e and u read as zero where `no_e` and `no_u` say so.
// KEEPS: `kept_d` gets d.
template <class Factor, bool KEEPS = false>
void membrane_row(long n, In s, In e, Mask no_e, In u, Mask no_u, Mask counted, Factor gamma,
                  Factor a_m, Factor rho, const Ranges &ranges, Out u_next, Out p,
                  MembraneCounts &counts, Out kept_d = nullptr) {
    const Ranges r = ranges;
    int64_t count_d = 0, count_u = 0, count_p = 0;
    for (long k = 0; k < n; k++) {
        const double e_there = e[k], u_there = u[k];  // a load by itself has no condition
        const double e_before = no_e[k] ? 0.0 : e_there, u_before = no_u[k] ? 0.0 : u_there;
        const int64_t counts_here = counted[k];
        const double base = s[k] - u_before;
        const double d =
            narrow(half_up(e_before * gamma[k]) + base, r, counts_here, count_d);
        if constexpr (KEEPS) kept_d[k] = d;
        p[k] = narrow(half_up(d * rho[k]) + u_before, r, counts_here, count_p);
        const double moved = half_up(d * a_m[k]) + u_before;
        const double kept = limited(moved, r.wide_low, r.wide_high);
        count_u -= counts_here & -int64_t{kept != moved};
        u_next[k] = kept;
    }
    counts.d += count_d;
    counts.u += count_u;
    counts.p += count_p;
}

// One interval of a table: value and slope of phi, of phi'; prepared in Python.
struct Interval {
    double value, slope, derivative, derivative_slope;
};

// r and r' from p.
inline void lookup_row(long n, In p, const Interval *table, int inside, double half,
                       const Ranges &ranges, Out r, Out slope) {
    const Ranges g = ranges;
    const int32_t mask = (1 << inside) - 1;
    for (long k = 0; k < n; k++) {
        const int32_t place = static_cast<int32_t>(p[k] + half);
        const Interval &at = table[place >> inside];
        const double fraction = place & mask;
        int64_t uncounted = 0;
        r[k] = narrow(half_up(fraction * at.slope) + at.value, g, 0, uncounted);
        slope[k] =
            narrow(half_up(fraction * at.derivative_slope) + at.derivative, g, 0, uncounted);
    }
}

struct ErrorCounts {
    int64_t beta = 0, delta = 0, v = 0, e = 0;
};

// v' and e from q, r' and v; r' and v read as zero where `no_slope` and `no_v` say so. q is limited
// to a word, which only y - r may need; together with the product's limit that counts once.
// KEEPS: `kept_eps` gets eps = v + delta, as a word.
template <class Scale, class Factor, bool KEEPS = false>
void error_row(long n, In q, In slope, Mask no_slope, In v, Mask no_v, Mask counted, Scale scale,
               Factor a_r, Factor kappa, double shift, const Ranges &ranges, Out v_next, Out e,
               ErrorCounts &counts, Out kept_eps = nullptr) {
    const Ranges r = ranges;
    int64_t count_beta = 0, count_delta = 0, count_v = 0, count_e = 0;
    [[maybe_unused]] const double one = 1 / r.guard;
    for (long k = 0; k < n; k++) {
        const double slope_there = slope[k], v_there = v[k];
        const double slope_before = no_slope[k] ? 0.0 : slope_there;
        const double v_before = no_v[k] ? 0.0 : v_there;
        const int64_t counts_here = counted[k];
        const double q_here = limited(q[k], r.low, r.high);
        int64_t far = q_here != q[k];
        const double scaled = narrow(half_up(q_here * scale[k]), r, -1, far) * shift;
        count_beta -= counts_here & -int64_t{far != 0};
        const double delta =
            narrow(half_up(slope_before * scaled) - v_before, r, counts_here, count_delta);
        e[k] = narrow(half_up(delta * kappa[k]) + v_before, r, counts_here, count_e);
        if constexpr (KEEPS) {
            int64_t uncounted = 0;
            kept_eps[k] = narrow(delta * one + v_before, r, 0, uncounted);
        }
        const double moved = half_up(delta * a_r[k]) + v_before;
        const double kept = limited(moved, r.wide_low, r.wide_high);
        count_v -= counts_here & -int64_t{kept != moved};
        v_next[k] = kept;
    }
    counts.beta += count_beta;
    counts.delta += count_delta;
    counts.v += count_v;
    counts.e += count_e;
}

// memory <- values where `where` says so.
inline void keep_row(long n, Out memory, In values, Mask where) {
    for (long k = 0; k < n; k++) memory[k] = where[k] ? values[k] : memory[k];
}

inline void keep_same(long n, Out memory, double value, Mask where) {
    for (long k = 0; k < n; k++) memory[k] = where[k] ? value : memory[k];
}

}  // namespace twin
