# SPDX-License-Identifier: Apache-2.0
"""The machine: one file per box of the block diagram."""
