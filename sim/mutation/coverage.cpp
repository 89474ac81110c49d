// SPDX-License-Identifier: Apache-2.0
//
// The harness of a netlist that counts what is reached: writes the counts to a file.

#include "harness.cpp"
#include "verilated_cov.h"

extern "C" {

void antevolt_coverage(void* handle, const char* path) {
    static_cast<Simulator*>(handle)->context.coveragep()->write(path);
}

}  // extern "C"
