# SPDX-License-Identifier: Apache-2.0
"""Would the comparison notice? Changed netlists, changed models, and what the cases reach."""
