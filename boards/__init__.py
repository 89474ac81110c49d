# SPDX-License-Identifier: Apache-2.0
"""Boards that a core fits on."""
