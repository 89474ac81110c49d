# SPDX-License-Identifier: Apache-2.0
"""Measurements: syntheses and builds, as files."""
