# SPDX-License-Identifier: Apache-2.0
"""Tasks that a network can be shown to learn."""
