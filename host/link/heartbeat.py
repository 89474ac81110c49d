# SPDX-License-Identifier: Apache-2.0
"""A thread that asks a board now and then while nobody else does: one that is gone is noticed."""

import threading

from antevolt.hdl.spec.errors import AntevoltError
from antevolt.host.link.session import IDLE, Session

__all__ = ["Heartbeat"]

LOOKS = 4  # times in the span after which a board is asked
STOP_SECONDS = 5.0


class Heartbeat:
    """Starts at once; asks after half the time in which a board that hears nothing falls silent.

    So the board keeps its rate however long nothing is asked of it. When it does not answer, or was
    switched off, `session.lost` says so, and the next call raises LinkLost at once.
    """

    def __init__(self, session: Session):
        self._session, self._stop = session, threading.Event()
        self._thread = threading.Thread(target=self._run, name="antevolt heartbeat", daemon=True)
        self._thread.start()

    def stop(self, wait: bool = True) -> None:
        """`wait`: until it does nothing any more. Twice does no harm."""
        self._stop.set()
        if wait and self._thread is not threading.current_thread():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        session = self._session
        while not self._stop.wait(IDLE * session.transport.silence / LOOKS):
            try:
                session.beat()
            except AntevoltError as error:
                session.lost = error
                return
