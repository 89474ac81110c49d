# SPDX-License-Identifier: Apache-2.0
"""What synthesis makes of the core, against the model."""
