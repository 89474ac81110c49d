# SPDX-License-Identifier: Apache-2.0
"""Blocks that know nothing about neurons."""
