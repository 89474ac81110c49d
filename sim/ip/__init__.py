# SPDX-License-Identifier: Apache-2.0
"""The IP core as files for other people's tools."""
