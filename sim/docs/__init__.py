# SPDX-License-Identifier: Apache-2.0
"""The generated parts of the manual, made from the code that they describe."""
