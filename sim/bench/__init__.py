# SPDX-License-Identifier: Apache-2.0
"""Benches: drive a design and compare it with its model."""
