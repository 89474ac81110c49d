# SPDX-License-Identifier: Apache-2.0
"""Broken input by the million: what reads from outside may refuse it, and nothing else."""
