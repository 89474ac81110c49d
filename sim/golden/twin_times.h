// SPDX-License-Identifier: Apache-2.0
// Learned time constants: the twin of hdl/spec/time_constants.py. Numbers of up to 36 bits, in
// integers.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace twin {

constexpr int TAU_FRAC = 24;
constexpr int64_t ONE_STEP = int64_t{1} << TAU_FRAC;
constexpr int64_t HIGHEST_TAU = (int64_t{1} << (TAU_FRAC + 11)) - 1;
constexpr int TAU_BITS = 36;

inline int bit_length(int64_t value) {
    int bits = 0;
    for (; value > 0; value >>= 1) bits++;
    return bits;
}

// mantissa 2^(2 - word) 2^exponent
struct Ratio {
    int64_t mantissa;
    int exponent;
};

// over / under, both positive, cut.
inline Ratio ratio(int64_t over, int64_t under, int word) {
    const int n = bit_length(over), d = bit_length(under), bits = word - 1;
    const auto dividend = static_cast<unsigned __int128>(over) << (TAU_BITS - n) << bits;
    const auto quotient = static_cast<int64_t>(dividend / (static_cast<uint64_t>(under)
                                                           << (TAU_BITS - d)));
    if (quotient >> bits) return {quotient >> 1, n - d};
    return {quotient, n - d - 1};
}

// tau + sign half_up(total m mantissa(1/tau_m) 2^(exponent - k)), limited; rate: m and k, packed.
inline int64_t moved(int64_t tau, int64_t total, int64_t tau_m, int32_t rate, int sign, int word) {
    const Ratio slow = ratio(ONE_STEP, tau_m, word);
    const int shift = std::clamp((rate >> 3) - slow.exponent, 0, 63);
    const auto doubled = static_cast<__int128>(2 * total) * slow.mantissa * (rate & 7);
    const auto change = static_cast<int64_t>(((doubled >> shift) + 1) >> 1);
    return std::clamp<int64_t>(tau + sign * change, ONE_STEP, HIGHEST_TAU);
}

}  // namespace twin
