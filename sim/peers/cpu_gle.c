// SPDX-License-Identifier: Apache-2.0
/* Peer: the same job hand-optimised for one CPU core, to be timed beside the accelerator.
 *
 * One prospective network (tanh hidden layers, linear output, squared error), sequential schedule:
 * forward sweep, then error + gradient sweep, every time step, gradients applied each step (plain SGD).
 *
 *   cc -O3 -march=native -ffast-math -DSTREAMS=16 cpu_gle.c -o cpu_gle -lm
 *   ./cpu_gle STEPS n0 n1 ... nL         ->  one JSON line with learned synapses per second
 *
 * STREAMS = 1 vectorises over the inputs of a neuron, STREAMS > 1 over the streams.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifndef STREAMS
#define STREAMS 1
#endif
#define MAX_LAYERS 12
#define MAX_UNITS 160
typedef float real;

static int depth, n[MAX_LAYERS];
static real W[MAX_LAYERS][MAX_UNITS][MAX_UNITS];
static real r[MAX_LAYERS][MAX_UNITS][STREAMS], slope[MAX_LAYERS][MAX_UNITS][STREAMS];
static real u[MAX_LAYERS][MAX_UNITS][STREAMS], v[MAX_LAYERS][MAX_UNITS][STREAMS];
static real e[MAX_LAYERS][MAX_UNITS][STREAMS], q[MAX_LAYERS][MAX_UNITS][STREAMS];
static const real dt = 0.2f, eta = 1e-4f;
static real tau_m[MAX_LAYERS][MAX_UNITS], tau_r[MAX_LAYERS][MAX_UNITS];

static void forward(int l) {
    for (int i = 0; i < n[l]; i++) {
        real s[STREAMS] = {0};
#if STREAMS == 1
        real acc = 0;
        for (int j = 0; j < n[l - 1]; j++) acc += W[l][i][j] * r[l - 1][j][0];
        s[0] = acc;
#else
        for (int j = 0; j < n[l - 1]; j++)
            for (int k = 0; k < STREAMS; k++) s[k] += W[l][i][j] * r[l - 1][j][k];
#endif
        for (int k = 0; k < STREAMS; k++) {
            real du = (s[k] - u[l][i][k]) / tau_m[l][i], p = u[l][i][k] + tau_r[l][i] * du;
            u[l][i][k] += dt * du;
            real t = l == depth ? p : tanhf(p);
            r[l][i][k] = t;
            slope[l][i][k] = l == depth ? 1 : 1 - t * t;
        }
    }
}

static void backward(int l) {
    memset(q[l], 0, sizeof q[l]);
    for (int i = 0; i < n[l]; i++) {
        for (int k = 0; k < STREAMS; k++) {
            real dv = (slope[l][i][k] * e[l][i][k] - v[l][i][k]) / tau_r[l][i];
            e[l][i][k] = v[l][i][k] + tau_m[l][i] * dv;
            v[l][i][k] += dt * dv;
        }
#if STREAMS == 1
        real ei = e[l][i][0], g = eta * ei;
        for (int j = 0; j < n[l - 1]; j++) {
            q[l][j][0] += W[l][i][j] * ei;
            W[l][i][j] += g * r[l - 1][j][0];
        }
#else
        for (int j = 0; j < n[l - 1]; j++) {
            real w = W[l][i][j], g = 0;
            for (int k = 0; k < STREAMS; k++) {
                q[l][j][k] += w * e[l][i][k];
                g += e[l][i][k] * r[l - 1][j][k];
            }
            W[l][i][j] = w + eta * g / STREAMS;
        }
#endif
    }
    if (l > 1) memcpy(e[l - 1], q[l], sizeof q[l]);
}

int main(int argc, char **argv) {
    if (argc < 4) return fprintf(stderr, "usage: cpu_gle STEPS n0 n1 ... nL\n"), 2;
    long steps = atol(argv[1]), synapses = 0;
    depth = argc - 3;
    for (int l = 0; l <= depth; l++) n[l] = atoi(argv[2 + l]);
    for (int l = 1; l <= depth; l++) {
        synapses += (long)n[l] * n[l - 1];
        for (int i = 0; i < n[l]; i++) {
            tau_m[l][i] = 1.2f;
            tau_r[l][i] = l < depth && i % 3 ? dt : 1.2f;
            for (int j = 0; j < n[l - 1]; j++) W[l][i][j] = (rand() / (real)RAND_MAX - .5f) * 2 / sqrtf(n[l - 1]);
        }
    }
    struct timespec a, b;
    /* processor time: what other programs take of the processor is not this one's */
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (long t = 0; t < steps; t++) {
        for (int j = 0; j < n[0]; j++)
            for (int k = 0; k < STREAMS; k++) r[0][j][k] = sinf(.05f * t + j + k);
        for (int l = 1; l <= depth; l++) forward(l);
        for (int i = 0; i < n[depth]; i++)
            for (int k = 0; k < STREAMS; k++) e[depth][i][k] = sinf(.03f * t + i) - r[depth][i][k];
        for (int l = depth; l >= 1; l--) backward(l);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    double s = (b.tv_sec - a.tv_sec) + 1e-9 * (b.tv_nsec - a.tv_nsec);
    printf("{\"streams\": %d, \"synapses\": %ld, \"steps\": %ld, \"seconds\": %.4f, \"us_per_step\": %.3f, "
           "\"learned_synapses_per_s\": %.4g, \"check\": %.6g}\n",
           STREAMS, synapses, steps, s, 1e6 * s / steps, synapses * (double)STREAMS * steps / s, r[depth][0][0]);
}
