# SPDX-License-Identifier: Apache-2.0
"""The core's Verilog in a fast simulator: built with Verilator once, driven from a C++ loop."""
