# SPDX-License-Identifier: Apache-2.0
"""The host: compiler, devices, links and commands."""
