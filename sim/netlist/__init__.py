# SPDX-License-Identifier: Apache-2.0
"""Models of vendors' cells, to simulate what synthesis makes of the core."""
