# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job: a delivered mail answers the held Ping, and Sync brings it."""

import threading
import unittest

from lib.belfry import Belfry
from lib.certificates import Certificates
from lib.dovecot import Dovecot, lua_script
from lib.mail import deliver_lmtp, message
from lib.phone import INBOX
from lib.postfix import LOCAL_DOMAIN, Postfix, SystemUser
from lib.process import Folder

# Long enough for what could wake a Ping wrongly: an event by hook or IDLE
# (500 ms in Dovecot), and the hub's last repeated question after 5 s.
QUIET_S = 7
HEARTBEAT_S = 600


class Bell(unittest.TestCase):
    """A Dovecot and a Belfry for the class, a new phone for each test.

    Every test has a mailbox of its own (u0001, u0002 ...)."""

    DOVECOT = {}
    BELFRY = {}
    # A Ping that is to stay held would be answered at once if it were wrong.
    HELD_S = 0.5
    users = 0

    @classmethod
    def setUpClass(cls):
        if cls is Bell:
            raise unittest.SkipTest("only what its subclasses have in common")
        cls.folder = Folder("bell")
        cls.addClassCleanup(cls.folder.remove)
        cls.certificates = Certificates(cls.folder)
        cls.dovecot = Dovecot(cls.folder, cls.certificates, users=40,
                              **cls.dovecot_arguments())
        cls.addClassCleanup(cls.dovecot.stop)
        cls.belfry = Belfry(cls.folder, cls.dovecot, cls.certificates,
                            **cls.BELFRY)
        cls.set_up_class()
        cls.dovecot.start()
        cls.addClassCleanup(cls.belfry.stop)
        cls.belfry.start()

    @classmethod
    def dovecot_arguments(cls):
        return cls.DOVECOT

    @classmethod
    def set_up_class(cls):
        """For subclasses: what is to be ready before the servers start."""

    def setUp(self):
        type(self).users += 1
        self.user = "u%04d" % self.users
        self.phone = self.ready_phone(self.user)
        self.inbox = self.phone.folder(INBOX)

    def ready_phone(self, user, **arguments):
        """A phone with everything synchronised."""
        phone = self.belfry.phone(user, **arguments).set_up()
        phone.sync_all(phone.folder(INBOX))
        return phone

    def deliver(self, subject, user=None):
        raise NotImplementedError

    def held_ping(self, phone=None, **arguments):
        held = (phone or self.phone).ping_start(HEARTBEAT_S, **arguments)
        self.assert_held(held, self.HELD_S)
        return held

    def assert_held(self, held, for_s):
        if held.answered(for_s):
            self.fail("Ping is not held, but answered: %s\n%s" % (
                held.phone.ping_wait(held), self.belfry.log()[-4000:]))

    def assert_rings(self, held, subjects, phone=None):
        """The Ping names the inbox and one Sync brings these subjects."""
        phone = phone or self.phone
        inbox = phone.folder(INBOX)
        status, folders, _ = phone.ping_wait(held)
        self.assertEqual((status, folders), ("2", [inbox]))
        box = phone.sync_all(inbox)
        self.assertEqual([box.value(i, "Email:Subject") for i in box.added],
                         subjects)


class Common:
    """What has to hold whatever announces the mail."""

    def test_a_delivered_mail_answers_the_ping_and_sync_has_it(self):
        held = self.held_ping()
        self.deliver("first")
        self.assert_rings(held, ["first"])
        held = self.held_ping()
        self.deliver("second")
        self.assert_rings(held, ["second"])

    def test_several_at_once_are_one_answer_and_nothing_is_lost(self):
        held = self.held_ping()
        subjects = ["mail %d" % n for n in range(6)]
        threads = [threading.Thread(target=self.deliver, args=(s,))
                   for s in subjects]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        status, folders, _ = self.phone.ping_wait(held)
        self.assertEqual((status, folders), ("2", [self.inbox]))
        box = self.phone.sync_all(self.inbox)
        self.assertEqual(sorted(box.value(i, "Email:Subject")
                                for i in box.added), subjects)
        held = self.held_ping()
        self.assert_held(held, QUIET_S)
        held.drop()

    def test_the_phones_own_changes_do_not_wake_it(self):
        held = self.held_ping()
        self.deliver("keep")
        self.assert_rings(held, ["keep"])
        held = self.held_ping()
        self.deliver("remove")
        self.assert_rings(held, ["remove"])
        box = self.phone.collection(self.inbox)
        keep, remove = (box.server_id_of(s) for s in ("keep", "remove"))
        self.phone.sync(self.inbox, {self.inbox: [
            ("Change", ("ServerId", keep),
             ("ApplicationData", ("Email:Read", 1))),
            ("Delete", ("ServerId", remove))]})
        self.assertEqual(box.status, "1")
        self.assertEqual(box.responses, [])
        held = self.held_ping()
        self.assert_held(held, QUIET_S)
        self.assertEqual(self.dovecot.subjects(self.user), ["keep"])
        self.deliver("after")
        self.assert_rings(held, ["after"])

    def test_a_mail_between_sync_and_ping_is_told_at_once(self):
        self.deliver("between")
        held = self.phone.ping_start(HEARTBEAT_S)
        self.assert_rings(held, ["between"])

    def test_the_other_users_phone_stays_quiet(self):
        held = self.held_ping()
        other = self.ready_phone("alice", device_id="OTHERPHONE1")
        others = self.held_ping(other)
        self.deliver("mine")
        self.assert_rings(held, ["mine"])
        self.assert_held(others, self.HELD_S)
        others.drop()


class PostfixPipe(Common, Bell):
    """Postfix, pipe(8), belfry-hook around dovecot-lda."""

    BELFRY = {"hook": "yes"}

    @classmethod
    def set_up_class(cls):
        lda = [cls.dovecot.lda, "-c", cls.dovecot.config, "-f", "${sender}",
               "-d", "${user}"]
        cls.postfix = Postfix(cls.folder, pipe=cls.belfry.hook_command(
            "${recipient}", *lda))
        cls.addClassCleanup(cls.postfix.stop)
        cls.postfix.start()

    def deliver(self, subject, user=None):
        queue_id = self.postfix.send(user or self.user, message(subject))
        (_, status), = self.postfix.wait_results(queue_id)
        self.assertEqual(status, "sent", self.postfix.log())


class PostfixPipeSingle(PostfixPipe):
    """The same with all roles in one process."""

    BELFRY = {"hook": "yes", "single": True}


class PostfixMailboxCommand(Bell):
    """Postfix, local(8), mailbox_command = belfry-hook around dovecot-lda, as
    the receiving system user, who may speak for himself only."""

    BELFRY = {"hook": "yes", "hook_users": ("root",)}

    @classmethod
    def set_up_class(cls):
        cls.account = SystemUser(cls.folder)
        cls.addClassCleanup(cls.account.remove)
        cls.dovecot.add_user(cls.account.name, cls.account.uid,
                             cls.account.gid, cls.account.home)
        command = cls.belfry.hook_command(
            '"$USER"', cls.dovecot.lda, "-c", cls.dovecot.config, "-d",
            '"$USER"')
        cls.postfix = Postfix(cls.folder, mailbox_command=" ".join(command))
        cls.addClassCleanup(cls.postfix.stop)
        cls.postfix.start()

    def test_a_delivered_mail_answers_the_ping_and_sync_has_it(self):
        phone = self.ready_phone(self.account.name)
        held = self.held_ping(phone)
        address = "%s@%s" % (self.account.name, LOCAL_DOMAIN)
        queue_id = self.postfix.send(address, message("local"))
        self.assertEqual(self.postfix.wait_results(queue_id),
                         [(address, "sent")], self.postfix.log())
        self.assert_rings(held, ["local"], phone)


class Lmtp(Bell):
    """Deliveries by LMTP, straight into Dovecot."""

    def deliver(self, subject, user=None):
        deliver_lmtp(self.dovecot.lmtp_port, user or self.user,
                     message(subject))


class Watching(Common):
    """No hook: the connector sees the change itself, and so it also sees what
    another mail client does."""

    def test_another_clients_changes_wake_the_phone(self):
        held = self.held_ping()
        self.deliver("flagged")
        self.assert_rings(held, ["flagged"])
        box = self.phone.collection(self.inbox)
        server_id = box.server_id_of("flagged")
        client = self.dovecot.imap(self.user)
        client.select("INBOX")

        held = self.held_ping()
        client.store("1", "+FLAGS", "(\\Seen)")
        self.assertEqual(self.phone.ping_wait(held)[:2], ("2", [self.inbox]))
        self.phone.sync_all(self.inbox)
        self.assertEqual(box.changed, [server_id])
        self.assertEqual(box.value(server_id, "Email:Read"), "1")

        held = self.held_ping()
        client.store("1", "+FLAGS", "(\\Deleted)")
        client.expunge()
        client.logout()
        self.assertEqual(self.phone.ping_wait(held)[:2], ("2", [self.inbox]))
        self.phone.sync_all(self.inbox)
        self.assertEqual(box.items, {})


class Notify(Watching, Lmtp):
    BELFRY = {"hook": "no"}


class Idle(Watching, Lmtp):
    DOVECOT = {"mask": ("NOTIFY",)}
    BELFRY = {"hook": "no"}


class IdleSession(Watching, Lmtp):
    """IDLE with the login of the phone, of which Dovecot hibernates."""

    DOVECOT = {"mask": ("NOTIFY", "CONDSTORE", "QRESYNC"), "hibernate_s": 1}
    BELFRY = {"hook": "no", "watch_as": "session", "single": True}
    # Hibernated by then. Dovecot 2.3 forgets what it has seen in the half
    # second before, until the next change: there only the recheck helps.
    HELD_S = 3


class Lua(Common, Lmtp):
    """Dovecot itself tells, by its push notification driver."""

    BELFRY = {"hook": "yes"}

    @classmethod
    def dovecot_arguments(cls):
        return dict(cls.DOVECOT, lua=lua_script(
            cls.folder, cls.folder("belfry", "run", "hook.sock")))

    def test_the_driver_proves_the_news(self):
        held = self.held_ping()
        self.deliver("proven")
        self.assert_rings(held, ["proven"])
        self.assertGreater(self.belfry.sources()["lua"]["proven"], 0)


class Together(Lua):
    """One delivery, of which everybody tells: the wrapper around LDA, the Lua
    driver within it, and IDLE or NOTIFY, which run until enough hooks came."""

    BELFRY = {"hook": "auto"}

    def deliver(self, subject, user=None):
        wrapper = self.belfry.hook_command(user or self.user) + ["--"]
        done = self.dovecot.deliver_lda(user or self.user, message(subject),
                                        wrapper=wrapper)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_one_delivery_is_one_answer_whoever_tells(self):
        held = self.held_ping()
        self.deliver("once")
        self.assert_rings(held, ["once"])
        held = self.held_ping()
        self.assert_held(held, QUIET_S)
        held.drop()
        sources = self.belfry.sources()
        for name in ("hook", "lua", "notify"):
            self.assertGreater(sources[name]["told"], 0, sources)
