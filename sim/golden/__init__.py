# SPDX-License-Identifier: Apache-2.0
"""Models in numpy: the float reference, the exact gradient, the twin of the gateware."""
