"""One engine per account: an flock on a file in the account's folder, which also remembers the highest epoch.

The kernel frees the lock when its holder dies, so nothing is ever left over. The file says who holds it; its
epoch outlives the journal file and gives away an old copy that was put back.
"""

import fcntl
import os
from pathlib import Path

import msgspec

from workbench.errors import AccountLocked, JournalError

__all__ = ["AccountLock"]


class _Holder(msgspec.Struct):
    pid: int = 0
    epoch: int = 0


class AccountLock:
    """Hold `folder` until `release()` (or the end of the process).

    Raises:
        AccountLocked: another process (or another journal of this one) holds it; names its pid.
        JournalError: the lock file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "account.lock"
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            text = f"account folder '{folder}' cannot be written ({error.strerror})"
            advice = "give this user write permission or choose another WORKBENCH_HOME"
            raise JournalError(f"{text}: {advice}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = self._read().pid
            os.close(self._fd)
            who = f"process {pid}" if pid else "a process that is just starting"
            text = f"account folder '{folder}' is held by {who}, one engine per account:"
            raise AccountLocked(f"{text} attach to that one, or stop it first") from error
        self.epoch = self._read().epoch
        self.write(self.epoch)

    def write(self, epoch: int) -> None:
        """Note our pid and `epoch`, durably: the epoch must not be forgotten before it is used."""
        data = msgspec.json.encode(_Holder(os.getpid(), epoch))
        os.pwrite(self._fd, data, 0)
        os.ftruncate(self._fd, len(data))
        os.fsync(self._fd)
        self.epoch = epoch

    def release(self) -> None:
        """Let go; the file stays, because of its epoch."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> _Holder:
        data = os.pread(self._fd, 4096, 0)
        try:
            return msgspec.json.decode(data, type=_Holder)
        except msgspec.MsgspecError:
            # empty when new, or torn by a power cut: the kernel's lock is what counts, the text is a hint
            return _Holder()
