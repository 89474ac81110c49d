# SPDX-License-Identifier: Apache-2.0
"""The host's end of the link to a board (`docs/protocol.md`)."""
