# SPDX-License-Identifier: Apache-2.0
"""Simulation: golden models, benches, Verilated cores and tasks to learn."""
