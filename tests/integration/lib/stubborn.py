# SPDX-License-Identifier: GPL-3.0-or-later
"""A phone that repeats a request that failed, byte for byte, as phones do."""

import time

from lib import wbxml
from lib.http_raw import HttpError
from lib.phone import Phone, PhoneError, Refused

# A phone gives up never, the test does.
RETRY_S = 60
# MS-ASCMD 2.2.2, 2.2.3.177: the phone sends the same request again.
RETRY_STATUSES = ("5", "16", "111")


class StubbornPhone(Phone):
    """retries: how often something was sent again."""

    retries = 0

    def again_and_again(self, send):
        """send: returns None, or why it is to be sent again."""
        deadline = time.monotonic() + RETRY_S
        pause = 0.1
        while True:
            why = self.attempt(send)
            if why is None:
                return
            if time.monotonic() > deadline:
                raise AssertionError("for %d s: %s" % (RETRY_S, why))
            self.retries += 1
            time.sleep(pause)
            pause = min(pause * 2, 1)

    def attempt(self, send):
        """None, or why it is to be sent again."""
        try:
            return send()
        except Refused as refused:
            self.close()
            if refused.status != 503:
                raise
            return refused
        except (OSError, HttpError) as error:
            self.close()
            return error

    def stubborn_sync(self, folder_id, commands=None):
        """A Sync that succeeds in the end; the Collection."""
        self.last_sync = (wbxml.encode(self._sync_spec(
            [folder_id], commands or {}, 100, self.sync_options(), 1, ())),
            [folder_id], commands or {})

        def send():
            box, = self.repeat()
            if box.status in RETRY_STATUSES:
                return "status " + box.status
            if box.status != "1":
                raise PhoneError("Sync: status %s" % box.status)
            return None
        self.again_and_again(send)
        return self.collection(folder_id)

    def stubborn_folder_sync(self):
        def send():
            status = self.folder_sync()
            if status not in ("1", "6"):
                raise PhoneError("FolderSync: status %s" % status)
            return None if status == "1" else "status 6"
        self.again_and_again(send)

    def sync_until_quiet(self, folder_id):
        while True:
            initial = self.collection(folder_id).key == "0"
            box = self.stubborn_sync(folder_id)
            if not (initial or box.more):
                return box
