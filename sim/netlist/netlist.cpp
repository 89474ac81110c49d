// SPDX-License-Identifier: Apache-2.0
//
// The harness of a netlist: that of a core.

#include "harness.cpp"
