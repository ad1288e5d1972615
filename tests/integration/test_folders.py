# SPDX-License-Identifier: GPL-3.0-or-later
"""The device makes, moves and removes folders: Dovecot has them, other clients
see them, and what was synchronised stays so."""

from lib import wbxml
from lib.house import House
from lib.mail import mail_octets
from lib.phone import INBOX
from lib.stubborn import StubbornPhone


class Folders:
    """Whatever the server's hierarchy looks like."""

    def setUp(self):
        super().setUp()
        self.phone = self.ready_phone()
        # what has the prefix is shown below the inbox
        self.top = self.phone.folder(INBOX) if self.PREFIX else "0"

    def change(self, command, *parts):
        """The answer's (status, new folder's id); takes the new key."""
        root = self.phone.command(command, (
            "FolderHierarchy:" + command,
            ("SyncKey", self.phone.folder_key), *parts))
        if wbxml.text(root, "Status") == "1":
            self.phone.folder_key = wbxml.text(root, "SyncKey")
        return wbxml.text(root, "Status"), wbxml.text(root, "ServerId")

    def create(self, name, parent=None, kind=12):
        return self.change("FolderCreate", ("ParentId", parent or self.top),
                           ("DisplayName", name), ("Type", kind))

    def update(self, folder_id, name):
        return self.change("FolderUpdate", ("ServerId", folder_id),
                           ("ParentId", self.top), ("DisplayName", name))

    def delete(self, folder_id):
        return self.change("FolderDelete", ("ServerId", folder_id))

    def mailboxes(self, command="list"):
        client = self.dovecot.imap(self.user)
        try:
            _, lines = getattr(client, command)()
        finally:
            client.logout()
        return {line.decode().rpartition(' "%s" ' % self.SEPARATOR)[2]
                .strip('"') for line in lines if line}

    def path(self, *parts):
        return self.PREFIX + self.SEPARATOR.join(parts)

    def append(self, mailbox, subject):
        client = self.dovecot.imap(self.user)
        status, data = client.append('"%s"' % mailbox, "", None,
                                     mail_octets(subject))
        client.logout()
        self.assertEqual(status, "OK", data)

    def made(self, name, parent=None):
        status, folder_id = self.create(name, parent)
        self.assertEqual(status, "1")
        self.phone.folders[folder_id] = (parent or self.top, name, "12")
        return folder_id

    def assert_in_step(self):
        """The next FolderSync has nothing to tell."""
        before = dict(self.phone.folders)
        self.assertEqual(self.phone.folder_sync(), "1")
        self.assertEqual(self.phone.folders, before)

    def test_a_folder_is_made_and_others_see_it(self):
        work = self.made("Work")
        self.made("B\u00fccher & mehr", work)
        self.assertLessEqual({self.path("Work"),
                              self.path("Work", "B&APw-cher &- mehr")},
                             self.mailboxes())
        self.assertIn(self.path("Work"), self.mailboxes("lsub"))
        self.assert_in_step()

    def test_a_folder_that_is_moved_keeps_what_was_synchronised(self):
        work = self.made("Work")
        year = self.made("2026", work)
        self.append(self.path("Work", "2026"), "before")
        self.assertEqual(self.phone.sync_all(year).values(), ["before"])
        self.assertEqual(self.update(work, "Play")[0], "1")
        self.phone.folders[work] = (self.top, "Play", "12")
        self.append(self.path("Play", "2026"), "after")
        box = self.phone.sync_all(year)
        self.assertEqual([box.value(i, "Email:Subject") for i in box.added],
                         ["after"])
        self.assertEqual(sorted(box.values()), ["after", "before"])
        held = self.held_ping(self.phone, [year])
        self.append(self.path("Play", "2026"), "later")
        self.assertEqual(self.phone.ping_wait(held)[:2], ("2", [year]))
        self.assertEqual(self.update(year, "Old")[0], "1")
        self.phone.folders[year] = (self.top, "Old", "12")
        found = self.mailboxes()
        self.assertLessEqual({self.path("Play"), self.path("Old")}, found)
        self.assertFalse([m for m in found if "Work" in m or "2026" in m])
        self.assertIn(self.path("Old"), self.mailboxes("lsub"))
        self.assert_in_step()

    def test_a_folder_is_removed_with_what_is_below(self):
        work = self.made("Work")
        year = self.made("2026", work)
        self.append(self.path("Work", "2026"), "gone")
        self.phone.sync_all(year)
        self.assertEqual(self.delete(work)[0], "1")
        del self.phone.folders[work], self.phone.folders[year]
        self.assertFalse([m for m in self.mailboxes() if "Work" in m])
        self.assert_in_step()

    def another_client(self, *commands):
        """[(command, mailbox)]: each is done."""
        client = self.dovecot.imap(self.user)
        for command, mailbox in commands:
            status, data = getattr(client, command)('"%s"' % mailbox)
            self.assertEqual(status, "OK", data)
        client.logout()

    def round(self, folder_ids):
        """A device that does as it is told: Sync of all that is no mere
        place, FolderSync if the answer says so. [status of each Sync]."""
        statuses = [self.phone.sync(folder_id).status for folder_id in
                    folder_ids if self.phone.folders[folder_id][2] != "1"]
        if "12" in statuses:
            self.assertEqual(self.phone.folder_sync(), "1")
        return statuses

    def parent_that_is_gone(self):
        """Ids of a parent that another client has deleted, and its child.
        Dovecot 2.3 goes on listing the parent as if it were there."""
        work = self.made("Work")
        year = self.made("2026", work)
        self.append(self.path("Work", "2026"), "stays")
        for folder_id in (work, year):
            self.phone.sync_all(folder_id)
        self.another_client(("delete", self.path("Work")))
        self.assertLessEqual({self.path("Work"), self.path("Work", "2026")},
                             self.mailboxes())
        return work, year

    def assert_a_place(self, folder_id):
        self.assertEqual(self.phone.folders[folder_id],
                         (self.top, "Work", "1"))

    def test_a_parent_that_another_client_deleted_is_a_mere_place(self):
        work, year = self.parent_that_is_gone()
        self.assertEqual(self.round((work, year)), ["12", "1"])
        self.assert_a_place(work)
        self.assertEqual(self.phone.folders[year][:2], (work, "2026"))
        self.assertEqual(self.round((work, year)), ["1"])
        self.assert_in_step()
        self.assertEqual(self.phone.collection(year).values(), ["stays"])

    def test_a_ping_tells_of_a_parent_that_another_client_deleted(self):
        work, year = self.parent_that_is_gone()
        status, changed = self.phone.ping(folder_ids=[work, year])[:2]
        self.assertIn(status, ("2", "7"))
        self.round((work, year))
        self.assert_a_place(work)
        self.held_ping(self.phone, [year])

    def test_a_parent_that_is_there_again_is_shown_again(self):
        work, year = self.parent_that_is_gone()
        self.round((work, year))
        self.another_client(("delete", self.path("Work", "2026")),
                            ("create", self.path("Work")))
        self.append(self.path("Work"), "new")
        self.assertEqual(self.phone.folder_sync(), "1")
        self.assertEqual(self.phone.folders[work][1:], ("Work", "12"))
        self.assertNotIn(year, self.phone.folders)
        self.assertEqual(self.phone.sync_all(work).values(), ["new"])

    def test_a_parent_that_is_gone_is_so_after_a_restart(self):
        self.phone = self.phone_of(kind=StubbornPhone)
        work, year = self.parent_that_is_gone()
        self.assertEqual(self.phone.sync(work).status, "12")
        for _ in range(2):  # before, and after the device was told
            self.belfry.kill_role("belfry-imap")
            self.phone.stubborn_folder_sync()
            self.assertEqual(self.round((work, year)), ["12", "1"])
            self.assert_a_place(work)
            self.assertEqual(self.round((work, year)), ["1"])
            self.assert_in_step()

    def test_what_cannot_be_is_refused(self):
        self.made("Work")
        inbox = self.phone.folder(INBOX)
        self.assertEqual(self.create("Work")[0], "2")
        self.assertEqual(self.create("x", "999")[0], "5")
        self.assertEqual(self.create("x", kind=8)[0], "10")
        self.assertEqual(self.delete(inbox)[0], "3")
        self.assertEqual(self.delete("999")[0], "4")
        self.assertEqual(self.update(inbox, "x")[0], "2")
        for name in ("a\r\nX LOGOUT", "a\tb", "\x7f"):
            with self.subTest(name):
                self.assertNotIn(self.create(name)[0], ("1", "6", None))
        self.assert_in_step()

    def test_a_name_with_the_separator_is_one_folder(self):
        name = "a%sb" % self.SEPARATOR
        status, folder_id = self.create(name)
        self.assertEqual(status, "1")
        self.phone.folders[folder_id] = (self.top, name, "12")
        self.assertEqual(self.phone.folder_sync(), "1")
        self.assertEqual(self.phone.folders[folder_id][1], "a_b")
        self.assertIn(self.path("a_b"), self.mailboxes())

    def test_a_request_that_comes_twice_is_done_once(self):
        key = self.phone.folder_key
        work = self.made("Work")
        after = self.phone.folder_key
        self.phone.folder_key = key
        self.assertEqual(self.create("Work"), ("1", work))
        self.assertEqual(self.phone.folder_key, after)
        self.assert_in_step()


class Slash(Folders, House):
    BELFRY = {"hook": "no"}
    SEPARATOR, PREFIX = "/", ""


class DotsBelowInbox(Folders, House):
    """As Courier and many a Cyrus have it: all is below INBOX."""

    BELFRY = {"hook": "no"}
    SEPARATOR, PREFIX = ".", "INBOX."
    DOVECOT = {"extra": "namespace inbox {\n  prefix = INBOX.\n"
                        "  separator = .\n}\n"}
