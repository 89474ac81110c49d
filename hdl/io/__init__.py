# SPDX-License-Identifier: Apache-2.0
"""The link: from a serial line to the core's ports and back."""
