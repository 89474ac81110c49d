// SPDX-License-Identifier: Apache-2.0
//
// The harness of a netlist that holds many mutants: which one is on, and requests that wait.

#include "harness.cpp"

extern "C" {

// 0: none.
void antevolt_mutant(void* handle, std::uint32_t number) {
    static_cast<Simulator*>(handle)->top->mutsel = number;
}

}  // extern "C"
