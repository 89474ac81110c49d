// SPDX-License-Identifier: Apache-2.0
// The step of a network in double, compiled: what reference.py in this folder does, for runs that
// nobody looks into. Sums are taken in another order, so that results differ in the last digits.
//
// It works on the arrays of that model in place, [stream][unit] and [target][source]; floats.py
// hands them over. Streams that are not valid are left out altogether.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

namespace floats {

enum Phi { LINEAR, TANH, SIGMOID, SOFTPLUS, RELU, HARD_TANH };
enum Flag { VALID = 1, FIRST = 2, TARGET_VALID = 4, LEARN = 8 };

// Fields and their order: floats.py.
struct Population {
    int64_t n, phi, prospective, copies;
    double gamma, g, r_max;
    const int64_t *copy;                                // of each neuron: number of its traces
    const double *a_m, *a_r, *rho, *kappa, *tau_m;      // [n]
    const double *copy_a_m, *copy_rho;                  // [copies]
    double *u, *v, *r, *e, *slope, *u_dot, *q, *eps;    // [stream][n]
    double *sum_m, *sum_r;                              // gradients of time constants [n]
};

struct Projection {
    int64_t source, target;  // populations, 0: the inputs
    int64_t traced;
    const double *weights, *bias, *down;  // bias: null where there is none
    double *sums, *bias_sums;             // gradients
    double *h_u;                          // [stream][copies][source]
};

struct Network {
    int64_t streams, populations, projections, inputs, outputs, parallel, softmax, apply_every;
    double beta, gain, leak, share;
    const Population *population;  // 1..L at 0..L-1
    const Projection *projection;
    double *z;
    int64_t learned;  // learning steps since the last APPLY
};

constexpr long LANES = 8;
inline long padded(long n) { return (n + LANES - 1) / LANES * LANES; }
typedef std::vector<double> Numbers;

typedef double Vector __attribute__((vector_size(64), aligned(8), may_alias));

// NV vectors of ROWS rows: to[m][n] += sum over t of factor[m][t] row[t][n].
template <int ROWS, int NV>
inline void tile(long terms, const double *const *factors, const double *rows, long pitch,
                 double *const *to, long column) {
    Vector sum[ROWS][NV] = {};
    const double *row = rows + column;
    for (long t = 0; t < terms; t++, row += pitch)
        for (int m = 0; m < ROWS; m++) {
            const double a = factors[m][t];
            const Vector all = {a, a, a, a, a, a, a, a};
            for (int v = 0; v < NV; v++)
                sum[m][v] += all * *reinterpret_cast<const Vector *>(row + LANES * v);
        }
    for (int m = 0; m < ROWS; m++)
        for (int v = 0; v < NV; v++)
            *reinterpret_cast<Vector *>(to[m] + column + LANES * v) += sum[m][v];
}

template <int ROWS>
inline void few_rows(long terms, const double *const *factors, const double *rows, long width,
                     double *const *to) {
    long column = 0;
    for (; column + 2 * LANES <= width; column += 2 * LANES)
        tile<ROWS, 2>(terms, factors, rows, width, to, column);
    if (column < width) tile<ROWS, 1>(terms, factors, rows, width, to, column);
}

// The product of all sweeps: to[m] += sum over t of factors[m][t] rows[t], rows of padded width.
inline void add_products(long count, long terms, const double *const *factors, const double *rows,
                         long width, double *const *to) {
    long m = 0;
    for (; m + 4 <= count; m += 4) few_rows<4>(terms, factors + m, rows, width, to + m);
    for (; m < count; m++) few_rows<1>(terms, factors + m, rows, width, to + m);
}

// e^x by a power of two and a Taylor polynomial on +-ln(2)/2, good to the last digit but one: with
// the library's a loop would not become vectors. What is beyond +-700 is limited.
inline double exponential(double x) {
    constexpr double MAGIC = 1.5 * static_cast<double>(int64_t{1} << 52);  // its last bit is 1
    constexpr double UPPER = 0x1.62e42fefa0000p-1, LOWER = 0x1.cf79abc9e3b3ap-40;  // of ln(2)
    const double limited = std::min(std::max(x, -700.0), 700.0);
    const double shifted = limited * 1.4426950408889634 + MAGIC, n = shifted - MAGIC;
    const double r = (limited - n * UPPER) - n * LOWER;
    double sum = 1.0 / 6227020800.0;
    for (const double factorial : {479001600.0, 39916800.0, 3628800.0, 362880.0, 40320.0, 5040.0,
                                   720.0, 120.0, 24.0, 6.0, 2.0, 1.0, 1.0})
        sum = sum * r + 1.0 / factorial;
    int64_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;  // all but the last bits of n fall out at the top
    double power;
    std::memcpy(&power, &bits, sizeof power);
    return sum * power;
}

// r and r' from p. Loops of one kind each, so that they become vectors.
inline void activate(long n, int64_t phi, const double *__restrict p, double *__restrict r,
                     double *__restrict slope) {
    switch (phi) {
        case LINEAR:
            for (long i = 0; i < n; i++) {
                r[i] = p[i];
                slope[i] = 1.0;
            }
            break;
        case TANH:
            for (long i = 0; i < n; i++) {
                const double tanh = 1.0 - 2.0 / (exponential(2.0 * p[i]) + 1.0);
                r[i] = tanh;
                slope[i] = 1.0 - tanh * tanh;
            }
            break;
        case SIGMOID:
            for (long i = 0; i < n; i++) {
                r[i] = 1.0 / (1.0 + exponential(-p[i]));
                slope[i] = r[i] * (1.0 - r[i]);
            }
            break;
        case SOFTPLUS:
            for (long i = 0; i < n; i++) {
                r[i] = std::max(p[i], 0.0) + std::log1p(std::exp(-std::fabs(p[i])));
                slope[i] = 1.0 / (1.0 + exponential(-p[i]));
            }
            break;
        case RELU:
            for (long i = 0; i < n; i++) {
                r[i] = std::max(p[i], 0.0);
                slope[i] = p[i] > 0.0 ? 1.0 : 0.0;
            }
            break;
        case HARD_TANH:
            for (long i = 0; i < n; i++) {
                r[i] = std::min(std::max(p[i], -1.0), 1.0);
                slope[i] = std::fabs(p[i]) <= 1.0 ? 1.0 : 0.0;
            }
            break;
    }
}

// What a projection works with, in rows that are padded for vectors.
struct Sweep {
    long sources, targets, wide, high, copies;
    Numbers turned;   // [source][target]
    Numbers down;     // [target][source]
    Numbers sums;     // [target][source]
    Numbers carried;  // [stream][source]
    Numbers traces;   // [copy][stream][source]
};

class Model {
public:
    explicit Model(const Network &given);
    void step(const double *x, const double *y, const uint8_t *flags, double *out);
    void finish();
    bool learns = false;

private:
    const Network net;
    const long S;
    std::vector<Sweep> sweeps;
    std::vector<std::vector<long>> incoming, outgoing;  // by population 0..L-1
    std::vector<long> valid, learning;                  // numbers of streams
    long widest;        // padded size of the largest population
    Numbers drives, p, weighted, packed;
    std::vector<const double *> factors;  // rows of a product
    std::vector<double *> sums;

    void clear(long s);
    void carry(long k, const double *x);
    void filter(long k);
    void membrane(long l);
    void output_error(const double *y, const uint8_t *flags);
    void hand_back(long l);
    void error(long l);
    void learn();
};

Model::Model(const Network &given)
    : net(given), S(static_cast<long>(given.streams)), incoming(given.populations),
      outgoing(given.populations) {
    widest = padded(net.inputs);
    for (long l = 0; l < net.populations; l++)
        widest = std::max(widest, padded(net.population[l].n));
    for (long k = 0; k < net.projections; k++) {
        const Projection &own = net.projection[k];
        const Population &target = net.population[own.target - 1];
        Sweep sweep;
        sweep.targets = target.n;
        sweep.sources = own.source ? net.population[own.source - 1].n : net.inputs;
        sweep.wide = padded(sweep.sources);
        sweep.high = padded(sweep.targets);
        sweep.copies = own.traced ? target.copies : 1;
        sweep.turned.assign(sweep.sources * sweep.high, 0.0);
        sweep.down.assign(sweep.targets * sweep.wide, 0.0);
        sweep.sums.assign(sweep.targets * sweep.wide, 0.0);
        sweep.carried.assign(S * sweep.wide, 0.0);
        if (own.traced) sweep.traces.assign(sweep.copies * S * sweep.wide, 0.0);
        for (long i = 0; i < sweep.targets; i++)
            for (long j = 0; j < sweep.sources; j++) {
                sweep.turned[j * sweep.high + i] = own.weights[i * sweep.sources + j];
                sweep.down[i * sweep.wide + j] = own.down[i * sweep.sources + j];
            }
        sweeps.push_back(std::move(sweep));
        incoming[own.target - 1].push_back(k);
        if (own.source) outgoing[own.source - 1].push_back(k);
    }
    p.assign(widest, 0.0);
    drives.assign(S * widest, 0.0);
    factors.resize(std::max(S, widest));
    sums.resize(std::max(S, widest));
    weighted.assign(S * widest, 0.0);
    packed.assign(S * widest, 0.0);
}

void Model::clear(long s) {
    for (long l = 0; l < net.populations; l++) {
        const Population &own = net.population[l];
        for (double *state : {own.u, own.v, own.r, own.e, own.slope, own.u_dot, own.q})
            std::fill(state + s * own.n, state + (s + 1) * own.n, 0.0);
    }
    for (long k = 0; k < net.projections; k++) {
        if (!net.projection[k].traced) continue;
        const long size = sweeps[k].copies * sweeps[k].sources;
        std::fill(net.projection[k].h_u + s * size, net.projection[k].h_u + (s + 1) * size, 0.0);
    }
    std::fill(net.z + s * net.outputs, net.z + (s + 1) * net.outputs, 0.0);
}

void Model::carry(long k, const double *x) {
    Sweep &sweep = sweeps[k];
    const int64_t source = net.projection[k].source;
    const double *rates = source ? net.population[source - 1].r : x;
    for (const long s : valid)
        std::copy(rates + s * sweep.sources, rates + (s + 1) * sweep.sources,
                  sweep.carried.data() + s * sweep.wide);
}

// Traces of the rates that a projection carries.
void Model::filter(long k) {
    if (!net.projection[k].traced) return;
    Sweep &sweep = sweeps[k];
    const Population &target = net.population[net.projection[k].target - 1];
    for (const long s : valid)
        for (long c = 0; c < sweep.copies; c++) {
            const double rho = target.copy_rho[c], a_m = target.copy_a_m[c];
            const double *__restrict r = sweep.carried.data() + s * sweep.wide;
            double *__restrict u =
                net.projection[k].h_u + (s * sweep.copies + c) * sweep.sources;
            double *__restrict h = sweep.traces.data() + (c * S + s) * sweep.wide;
            for (long j = 0; j < sweep.sources; j++) {
                const double d = r[j] - u[j];
                h[j] = u[j] + rho * d;
                u[j] += a_m * d;
            }
        }
}

void Model::membrane(long l) {
    const Population &own = net.population[l];
    const long count = static_cast<long>(valid.size());
    std::fill(drives.begin(), drives.end(), 0.0);
    for (const long k : incoming[l]) {
        const Sweep &sweep = sweeps[k];
        for (long t = 0; t < count; t++) {
            factors[t] = sweep.carried.data() + valid[t] * sweep.wide;
            sums[t] = drives.data() + t * widest;
            if (!net.projection[k].bias) continue;
            for (long i = 0; i < own.n; i++) sums[t][i] += net.projection[k].bias[i];
        }
        add_products(count, sweep.sources, factors.data(), sweep.turned.data(), sweep.high,
                     sums.data());
    }
    for (long t = 0; t < count; t++) {
        const long s = valid[t];
        double *__restrict u = own.u + s * own.n, *__restrict u_dot = own.u_dot + s * own.n;
        double *__restrict prospective = p.data();
        const double *__restrict e = own.e + s * own.n, *__restrict sum = drives.data() + t * widest;
        const double *__restrict rho = own.rho, *__restrict a_m = own.a_m;
        const double *__restrict tau_m = own.tau_m;
        const double gamma = own.gamma;
#pragma GCC ivdep
        for (long i = 0; i < own.n; i++) {
            const double d = sum[i] + gamma * e[i] - u[i];
            prospective[i] = u[i] + rho[i] * d;
            u[i] += a_m[i] * d;
            u_dot[i] = d / tau_m[i];
        }
        double *__restrict r = own.r + s * own.n;
        for (long i = 0; i < own.n; i++) prospective[i] /= own.r_max;
        activate(own.n, own.phi, p.data(), r, own.slope + s * own.n);
        for (long i = 0; i < own.n; i++) r[i] *= own.r_max;
    }
}

void Model::output_error(const double *y, const uint8_t *flags) {
    const Population &own = net.population[net.populations - 1];
    for (const long s : valid) {
        const double *z = own.r + s * own.n, *wanted = y + s * own.n;
        double *q = own.q + s * own.n;
        if (net.leak > 0.0) {
            double *leaky = net.z + s * own.n;
            for (long i = 0; i < own.n; i++) leaky[i] += net.leak * (z[i] - leaky[i]);
            z = leaky;
        }
        double most = z[0], total = 0.0;
        for (long i = 1; i < own.n; i++) most = std::max(most, z[i]);
        if (net.softmax) {
            for (long i = 0; i < own.n; i++) q[i] = exponential(net.gain * (z[i] - most));
            for (long i = 0; i < own.n; i++) total += q[i];
            for (long i = 0; i < own.n; i++) q[i] = wanted[i] - q[i] / total;
        } else {
            for (long i = 0; i < own.n; i++) q[i] = wanted[i] - z[i];
        }
        const double beta = flags[s] & TARGET_VALID ? net.beta : 0.0;
        for (long i = 0; i < own.n; i++) q[i] *= beta;
    }
}

// q of population l + 1: what its projections hand back of their targets' errors.
void Model::hand_back(long l) {
    const Population &own = net.population[l];
    const long count = static_cast<long>(valid.size());
    std::fill(drives.begin(), drives.end(), 0.0);
    for (const long k : outgoing[l]) {
        const Population &target = net.population[net.projection[k].target - 1];
        for (long t = 0; t < count; t++) {
            factors[t] = target.e + valid[t] * target.n;
            sums[t] = drives.data() + t * widest;
        }
        add_products(count, target.n, factors.data(), sweeps[k].down.data(), sweeps[k].wide,
                     sums.data());
    }
    for (long t = 0; t < count; t++) {
        const double *sum = drives.data() + t * widest;
        std::copy(sum, sum + own.n, own.q + valid[t] * own.n);
    }
}

void Model::error(long l) {
    const Population &own = net.population[l];
    for (const long s : valid) {
        const double *__restrict q = own.q + s * own.n, *__restrict slope = own.slope + s * own.n;
        double *__restrict v = own.v + s * own.n, *__restrict e = own.e + s * own.n;
        double *__restrict eps = own.eps + s * own.n;
        const double *__restrict kappa = own.kappa, *__restrict a_r = own.a_r;
        const double g = own.g;
        if (!own.prospective) {
            for (long i = 0; i < own.n; i++) {
                eps[i] = v[i] = slope[i] * q[i];
                e[i] = g * v[i];
            }
            continue;
        }
        for (long i = 0; i < own.n; i++) {
            eps[i] = slope[i] * q[i];
            const double delta = eps[i] - v[i];
            e[i] = g * (v[i] + kappa[i] * delta);
            v[i] += a_r[i] * delta;
        }
    }
}

void Model::learn() {
    const long terms = static_cast<long>(learning.size());
    for (long l = 0; l < net.populations; l++) {
        const Population &own = net.population[l];
        // Errors times what a stream counts, [neuron][stream that learns].
        for (long t = 0; t < terms; t++) {
            const double *__restrict e = own.e + learning[t] * own.n;
            const double *__restrict eps = own.eps + learning[t] * own.n;
            const double *__restrict u_dot = own.u_dot + learning[t] * own.n;
            double *__restrict sum_m = own.sum_m, *__restrict sum_r = own.sum_r;
            const double share = net.share;
#pragma GCC ivdep
            for (long i = 0; i < own.n; i++) {
                sum_m[i] -= share * e[i] * u_dot[i];
                sum_r[i] += share * eps[i] * u_dot[i];
            }
            for (long i = 0; i < own.n; i++) weighted[i * terms + t] = share * e[i];
        }
        for (const long k : incoming[l]) {
            Sweep &sweep = sweeps[k];
            const Projection &way = net.projection[k];
            if (way.bias_sums)
                for (long i = 0; i < own.n; i++)
                    for (long t = 0; t < terms; t++) way.bias_sums[i] += weighted[i * terms + t];
            const double *rows = way.traced ? sweep.traces.data() : sweep.carried.data();
            for (long c = 0; c < sweep.copies; c++, rows += S * sweep.wide) {
                const double *used = rows;
                if (terms < S) {  // without those that do not learn
                    for (long t = 0; t < terms; t++)
                        std::copy(rows + learning[t] * sweep.wide,
                                  rows + (learning[t] + 1) * sweep.wide,
                                  packed.data() + t * sweep.wide);
                    used = packed.data();
                }
                long count = 0;  // of the neurons that have this copy
                for (long i = 0; i < own.n; i++) {
                    if (way.traced && own.copy[i] != c) continue;
                    factors[count] = weighted.data() + i * terms;
                    sums[count++] = sweep.sums.data() + i * sweep.wide;
                }
                add_products(count, terms, factors.data(), used, sweep.wide, sums.data());
            }
        }
    }
}

void Model::step(const double *x, const double *y, const uint8_t *flags, double *out) {
    valid.clear();
    learning.clear();
    for (long s = 0; s < S; s++) {
        if (!(flags[s] & VALID)) continue;
        valid.push_back(s);
        if (flags[s] & FIRST) clear(s);
        if (flags[s] & LEARN) learning.push_back(s);
    }
    learns = !learning.empty();
    const long depth = static_cast<long>(net.populations);
    const Population &top = net.population[depth - 1];
    if (net.parallel) {
        std::copy(top.r, top.r + S * top.n, out);
        for (long k = 0; k < net.projections; k++) {
            carry(k, x);
            filter(k);
        }
        output_error(y, flags);
        for (long l = 0; l < depth; l++) {
            error(l);
            membrane(l);
        }
        if (learns) learn();
        for (long l = 0; l < depth - 1; l++) hand_back(l);
        return;
    }
    for (long l = 0; l < depth; l++) {
        for (const long k : incoming[l]) {
            carry(k, x);
            filter(k);
        }
        membrane(l);
    }
    std::copy(top.r, top.r + S * top.n, out);
    output_error(y, flags);
    for (long l = depth - 1; l >= 0; l--) {
        if (l < depth - 1) hand_back(l);
        error(l);
    }
    if (learns) learn();
}

// Add the gradients of these steps to those of the steps before.
void Model::finish() {
    for (long k = 0; k < net.projections; k++)
        for (long i = 0; i < sweeps[k].targets; i++)
            for (long j = 0; j < sweeps[k].sources; j++)
                net.projection[k].sums[i * sweeps[k].sources + j] +=
                    sweeps[k].sums[i * sweeps[k].wide + j];
}

}  // namespace floats

extern "C" {

int64_t floats_sizes() {  // what floats.py compares its own with
    return static_cast<int64_t>(sizeof(floats::Network) * 1000000 +
                                sizeof(floats::Projection) * 1000 + sizeof(floats::Population));
}

// Up to `steps` steps, and none after that in which an APPLY is due; returns how many, -1: no memory.
int64_t floats_steps(floats::Network *network, int64_t steps, const double *x, const double *y,
                     const uint8_t *flags, double *out) try {
    floats::Model model(*network);
    int64_t done = 0;
    while (done < steps && network->learned < network->apply_every) {
        model.step(x, y, flags, out);
        network->learned += model.learns;
        x += network->streams * network->inputs;
        y += network->streams * network->outputs;
        flags += network->streams;
        out += network->streams * network->outputs;
        done++;
    }
    model.finish();
    return done;
} catch (const std::bad_alloc &) {
    return -1;
}
}
