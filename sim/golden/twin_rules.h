// SPDX-License-Identifier: Apache-2.0
// The rules of an APPLY: the twin of moments.py, direction.py and carried.py in this folder.
// Integers; every name is the one it has there.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace twin {

enum Rule { SGD, MOMENTUM, SIGN, ADAM, MOMENTUM_SUM, SIGN_SUM };

constexpr int MOMENT_WORD = 18, FRACTION = 11, ZERO = 28, MAGNITUDE = 36, MANTISSA = 16, TAIL = 15,
              SCALE = 16, SQUARE_BITS = 7, ROOT_BITS = 6, RANDOM_BITS = 16;
constexpr int POINT = FRACTION + TAIL, WIDTH = POINT + 3, ALIGN = 31, SHIFTS = 63;
constexpr int EXPONENTS[2] = {6, 7};
constexpr uint32_t RANDOM_KEYS[2] = {0x9E3779B9, 0x7F4A7C15};
constexpr int64_t MANTISSA_ONE = int64_t{1} << FRACTION;

inline int bits_of(int64_t size) {  // of a number that is not negative
    return size == 0 ? 0 : 64 - __builtin_clzll(static_cast<unsigned long long>(size));
}

// What an APPLY leaves of a gradient sum, G - half_up(G / 2^k), and what it moves the weight by.
inline double carried(double sum, double share) {
    return sum - std::floor(sum * share + 0.5);
}

inline double step_of(double sum, int rule) {
    if (rule != SIGN_SUM) return sum;
    return sum > 0 ? 1 << SCALE : sum < 0 ? -(1 << SCALE) : 0;
}

struct Small {
    int64_t negative, exponent, mantissa;
};

inline Small split(int64_t word, int which) {
    const int64_t exponent = word >> FRACTION & ((1 << EXPONENTS[which]) - 1);
    const int64_t mantissa = exponent > 0 ? (word & (MANTISSA_ONE - 1)) | MANTISSA_ONE : 0;
    return {word >> (FRACTION + EXPONENTS[which]) & (1 - which), exponent, mantissa};
}

inline void magnitude(int64_t gradient, const int64_t *squares, Small &target, Small &square) {
    const int64_t size = gradient < 0 ? -gradient : gradient;
    const int length = bits_of(size);
    const int64_t mantissa = size << (MAGNITUDE - length) >> (MAGNITUDE - MANTISSA - 1);
    const int64_t exponent = size > 0 ? (1 << EXPONENTS[0]) - 1 - MAGNITUDE + length : 0;
    const int64_t place = mantissa >> (MANTISSA - SQUARE_BITS) & ((1 << SQUARE_BITS) - 1);
    target = {gradient < 0, exponent, mantissa};
    square = {0, 2 * exponent, size > 0 ? squares[place] << (MANTISSA - FRACTION) : 0};
}

inline int64_t average(int64_t word, const Small &target, int k, int64_t random, int which) {
    const Small x = split(k ? word : 0, which);
    const int64_t lead = target.exponent - k, top = std::max(x.exponent, lead);
    const int64_t own = x.mantissa << TAIL >> std::min<int64_t>(top - x.exponent, ALIGN);
    const int64_t change =
        target.mantissa << (POINT - MANTISSA) >> std::min<int64_t>(top - lead, ALIGN);
    const int64_t kept = own - (own >> k);
    const int64_t total = x.negative == target.negative ? kept + change : kept - change;
    const int64_t size = total < 0 ? -total : total;
    const int length = bits_of(size);
    if (size == 0 || top + length <= WIDTH - 2) return 0;
    const int64_t rounded = (size << (WIDTH - length)) + (random << (TAIL + 2 - RANDOM_BITS));
    const int64_t exponent = top + length - (WIDTH - 2) + (rounded >> WIDTH);
    const int64_t sign = x.negative ^ static_cast<int64_t>(total < 0);
    return (exponent << FRACTION) + (rounded >> (TAIL + 2) & (MANTISSA_ONE - 1)) +
           (sign << (FRACTION + EXPONENTS[which]));
}

// A whole number, how far it is shifted down, and the new moment word.
struct Direction {
    int64_t number;
    int shift;
    int64_t moments;
};

struct Decay {
    int rule, first, second, eta_k, width;  // width: of a gradient
    const int64_t *squares, *roots;
};

inline Direction direction(int64_t gradient, int64_t moments, const Decay &decay, int64_t random_m,
                           int64_t random_v) {
    Small target, square;
    magnitude(gradient, decay.squares, target, square);
    const int64_t low = (int64_t{1} << MOMENT_WORD) - 1;
    const int64_t first = average(moments & low, target, decay.first, random_m, 0);
    int64_t second = 0;
    if (decay.rule == ADAM)
        second = average(moments >> MOMENT_WORD, square, decay.second, random_v, 1);
    const Small m = split(first, 0), v = split(second, 1);
    int64_t own = m.mantissa, root = MANTISSA_ONE, exponent = m.exponent + 1;
    if (decay.rule == SIGN) {
        own = own > 0 ? MANTISSA_ONE : 0;
        exponent = ZERO + SCALE + 1;
    } else if (decay.rule == ADAM) {
        const int64_t place = (v.exponent & 1) << ROOT_BITS |
                              (v.mantissa >> (FRACTION - ROOT_BITS) & ((1 << ROOT_BITS) - 1));
        root = v.mantissa > 0 ? decay.roots[place] : 0;
        exponent = m.exponent - (v.exponent >> 1) + ZERO + SCALE;
    }
    const int above = decay.width - 1 - 2 * (FRACTION + 1);
    const int64_t shift = decay.eta_k + decay.width - 2 + ZERO - exponent;
    const int64_t number = (m.negative ? -own : own) * root * (int64_t{1} << above);
    return {number, static_cast<int>(std::clamp<int64_t>(shift, 0, SHIFTS)),
            second << MOMENT_WORD | first};
}

}  // namespace twin
