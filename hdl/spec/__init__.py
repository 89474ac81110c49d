# SPDX-License-Identifier: Apache-2.0
"""What hardware, models and host agree on; plain Python, without Amaranth."""
