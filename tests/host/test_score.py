# SPDX-License-Identifier: Apache-2.0
"""Loss and accuracy of outputs, counted where there is a target."""

import numpy as np
import pytest

from antevolt.hdl.spec.network import Network, Population
from antevolt.host.score import Score

LINE = Network(1, (Population(2, "linear"),))
CLASSES = LINE.with_(cost="cross_entropy", softmax_gain=2.0)


def test_squared_error() -> None:
    score, r = Score(LINE), np.array([[[1.0, 2.0]], [[3.0, 4.0]]])
    score.add(r, None, {})
    assert (score.loss, score.accuracy) == (None, None)
    score.add(r, np.zeros((2, 2)), {})
    assert score.loss == np.mean([1, 4, 9, 16])
    score.add(r, np.zeros((2, 1, 2)), {"target_valid": np.array([False, True])})
    assert score.loss == np.mean([1, 4, 9, 16, 9, 16])
    score.add(r, np.zeros((2, 1, 2)), {"valid": np.array([[False], [False]])})
    assert score.loss == np.mean([1, 4, 9, 16, 9, 16])
    assert score.accuracy is None


def test_cross_entropy() -> None:
    """Against the logarithm of a softmax, written out."""
    score = Score(CLASSES)
    r = np.array([[[0.5, 0.1], [0.2, 0.4]], [[0.0, 1.0], [1.0, 0.0]]])
    y = np.array([[[1, 0], [1, 0]], [[0, 1], [0, 1]]])
    score.add(r, y, {})
    odds = np.exp(2 * r) / np.exp(2 * r).sum(axis=-1, keepdims=True)
    assert score.loss == pytest.approx(np.mean(-np.log((odds * y).sum(axis=-1)) / 2))
    assert score.accuracy == 0.5
    last = Score(CLASSES)
    last.add(r, y, {"last": np.array([[True, False], [True, False]])})
    assert last.accuracy == 1.0
    assert last.loss == score.loss
