# SPDX-License-Identifier: Apache-2.0
"""The same job elsewhere: what a board has to beat."""
