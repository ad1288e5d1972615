# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job: a delivered mail answers the held Ping, and Sync brings it."""

import hashlib
import hmac
import os
import secrets
import socket
import threading
import time
import unittest

from lib.belfry import Belfry
from lib.certificates import Certificates
from lib.dovecot import Dovecot, lua_script
from lib.mail import deliver_lmtp, message
from lib.phone import INBOX
from lib.postfix import DOMAIN, LOCAL_DOMAIN, Postfix, SystemUser
from lib.process import Folder, free_port, run, wait_until
from lib.recipes import HOOK, LDA, recipe

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

    @classmethod
    def as_here(cls):
        """What of a recipe is otherwise here: {text of the recipe: text}."""
        return {HOOK: "%s -s %s" % (cls.belfry.hook_program,
                                    cls.belfry.hook_socket),
                LDA: "%s -c %s" % (cls.dovecot.lda, cls.dovecot.config)}

    def refused(self):
        return self.belfry.counters()["hints_refused"]

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
        cls.postfix = Postfix(
            cls.folder, main=recipe("postfix-pipe-main", {}),
            master=recipe("postfix-pipe-master", dict(
                cls.as_here(), **{"user=vmail:vmail": "user=nobody"})))
        cls.addClassCleanup(cls.postfix.stop)
        cls.postfix.start()

    def deliver(self, subject, user=None):
        queue_id = self.postfix.send(user or self.user, message(subject))
        (_, status), = self.postfix.wait_results(queue_id)
        self.assertEqual(status, "sent", self.postfix.log())

    def test_an_extension_of_the_address_is_not_the_user(self):
        held = self.held_ping()
        self.deliver("extended", self.user + "+shop")
        self.assert_rings(held, ["extended"])


class PostfixPipeSingle(PostfixPipe):
    """The same with all roles in one process."""

    BELFRY = {"hook": "yes", "single": True}


class PostfixMailboxCommand(Bell):
    """Postfix, local(8), mailbox_command = belfry-hook around dovecot-lda, as
    the receiving system user, who may speak for himself only."""

    BELFRY = {"hook": "yes", "hook_users": ("root",)}

    @classmethod
    def set_up_class(cls):
        cls.account, cls.stranger = (cls.add_account() for _ in range(2))
        cls.postfix = Postfix(cls.folder, main=recipe(
            "postfix-mailbox-command", cls.as_here()))
        cls.addClassCleanup(cls.postfix.stop)
        cls.postfix.start()

    @classmethod
    def add_account(cls):
        account = SystemUser(cls.folder)
        cls.addClassCleanup(account.remove)
        cls.dovecot.add_user(account.name, account.uid, account.gid,
                             account.home)
        return account

    def test_a_delivered_mail_answers_the_ping_and_sync_has_it(self):
        phone = self.ready_phone(self.account.name)
        held = self.held_ping(phone)
        address = "%s@%s" % (self.account.name, LOCAL_DOMAIN)
        queue_id = self.postfix.send(address, message("local"))
        self.assertEqual(self.postfix.wait_results(queue_id),
                         [(address, "sent")], self.postfix.log())
        self.assert_rings(held, ["local"], phone)

    def tell_as(self, account, user):
        run(self.belfry.hook_command(user),
            account=(account.uid, account.gid))

    def test_a_user_of_the_system_tells_of_his_own_mail_only(self):
        phone = self.ready_phone(self.account.name, device_id="OWN1")
        held = self.held_ping(phone)
        self.dovecot.deliver_lda(self.account.name, message("untold"))
        told = self.belfry.sources().get("own", {"told": 0})["told"]
        refused = self.refused()
        self.tell_as(self.stranger, self.account.name)
        self.tell_as(self.stranger, "alice")
        wait_until(lambda: self.refused() == refused + 2, "two refusals")
        self.assert_held(held, self.HELD_S)
        self.tell_as(self.account, self.account.name)
        self.assert_rings(held, ["untold"], phone)
        self.assertEqual(self.belfry.sources()["own"]["told"], told + 1)


class DovecotLda(Common, Bell):
    """dovecot-lda with belfry-hook in front, run by whoever delivers."""

    BELFRY = {"hook": "yes"}

    def deliver(self, subject, user=None):
        self.deliver_by(recipe("dovecot-lda", self.as_here()), subject, user)

    def deliver_by(self, line, subject, user=None):
        user = user or self.user
        account = self.dovecot.accounts[user]
        run(["sh", "-c", line], input=message(subject).as_string(),
            account=(account["uid"], account["gid"]),
            env={"PATH": os.environ["PATH"], "USER": user,
                 "HOME": account["home"]})


class Udp(DovecotLda):
    """The same on another machine, of which Belfry hears by UDP."""

    BELFRY_UDP, NAME = "192.0.2.10:4190", "mx1"

    @classmethod
    def dovecot_arguments(cls):
        # the configuration of Belfry is made next
        cls.port = free_port()
        cls.own = {cls.BELFRY_UDP: "127.0.0.1:%d" % cls.port}
        line = recipe("udp-key-file", {})
        cls.key = bytes.fromhex(line.split()[1])
        # of this test only: who delivers reads it, too
        cls.key_file = cls.folder.write("hook.key", line, mode=0o644)
        cls.own["/etc/belfry/hook.key"] = cls.key_file
        cls.BELFRY = {"hook": "yes", "hook_section": recipe(
            "udp-belfry-conf", cls.own)}
        return cls.DOVECOT

    def command(self, key_file=None):
        words = dict(self.as_here(), **self.own)
        words[HOOK] = self.belfry.hook_program
        if key_file:
            words["/etc/belfry/hook.key"] = key_file
        return recipe("udp-hook", words)

    def deliver(self, subject, user=None):
        self.deliver_by(self.command(), subject, user)

    def told(self):
        return self.belfry.sources().get("udp:mx1", {"told": 0})["told"]

    def datagram(self, key=None, ago_s=0, domain=DOMAIN):
        """As lib/model/hint_signed.h has it."""
        hint = "BELFRY1\tuser=%s@%s\tevent=MessageNew\n" % (self.user, domain)
        body = "\t".join(["%d" % (time.time() - ago_s), secrets.token_hex(8),
                          self.NAME, hint]).encode()
        mac = hmac.new(key or self.key, body, hashlib.sha256).hexdigest()
        return b"BELFRYU1\t%s\t%s" % (mac.encode(), body)

    def send(self, datagram):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(datagram, ("127.0.0.1", self.port))

    def assert_refused(self, send):
        """Counted, and nobody heard of it."""
        refused, told = self.refused(), self.told()
        send()
        wait_until(lambda: self.refused() == refused + 1, "a refusal")
        self.assertEqual(self.told(), told)

    def test_what_is_signed_wrongly_or_too_old_or_again_is_refused(self):
        held = self.held_ping()
        self.dovecot.deliver_lda(self.user, message("untold"))
        wrong = self.folder.write("wrong.key", "%s %s %s\n" % (
            self.NAME, secrets.token_hex(32), DOMAIN), mode=0o644)
        self.assert_refused(lambda: self.deliver_by(self.command(wrong),
                                                    "untold either"))
        self.assert_refused(lambda: self.send(
            self.datagram(secrets.token_bytes(32))))
        self.assert_refused(lambda: self.send(self.datagram(ago_s=120)))
        self.assert_refused(lambda: self.send(self.datagram(ago_s=-120)))
        # a domain that this machine does not serve
        self.assert_refused(lambda: self.send(
            self.datagram(domain="example.net")))
        self.assert_held(held, self.HELD_S)
        once, told = self.datagram(), self.told()
        self.send(once)
        self.assert_rings(held, ["untold either", "untold"])
        self.assertEqual(self.told(), told + 1)
        self.assert_refused(lambda: self.send(once))


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


class Folders:
    """Another client changes the hierarchy."""

    def assert_rings_for_folders(self, held, added, removed):
        self.assertEqual(self.phone.ping_wait(held)[0], "7")
        before = set(self.names())
        self.phone.folder_sync()
        self.assertEqual(set(self.names()) - before, set(added))
        self.assertEqual(before - set(self.names()), set(removed))

    def names(self):
        return [name for _, name, _ in self.phone.folders.values()]

    def test_folders_that_come_and_go_ring_once_each(self):
        client = self.dovecot.imap(self.user)
        self.addCleanup(client.logout)
        held = self.held_ping()
        client.create("Work")
        self.assert_rings_for_folders(held, ["Work"], [])
        held = self.held_ping()
        self.assert_held(held, QUIET_S)
        client.rename("Work", "Play")
        self.assert_rings_for_folders(held, ["Play"], ["Work"])
        held = self.held_ping()
        client.delete("Play")
        self.assert_rings_for_folders(held, [], ["Play"])
        held = self.held_ping()
        self.assert_held(held, QUIET_S)
        self.deliver("after all")
        self.assert_rings(held, ["after all"])


class Notify(Folders, Watching, Lmtp):
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


class Lua(Folders, Common, Lmtp):
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


class PostfixLmtp(Common, Bell):
    """Postfix hands over to Dovecot, whose driver tells."""

    BELFRY = {"hook": "yes"}

    @classmethod
    def dovecot_arguments(cls):
        return dict(cls.DOVECOT, lua=lua_script(
            cls.folder, cls.folder("belfry", "run", "hook.sock")))

    @classmethod
    def set_up_class(cls):
        cls.postfix = Postfix(cls.folder, main=recipe("postfix-lmtp", {
            "unix:private/dovecot-lmtp": "unix:" + cls.dovecot.lmtp_socket}))
        cls.addClassCleanup(cls.postfix.stop)
        cls.postfix.start()

    def deliver(self, subject, user=None):
        queue_id = self.postfix.send(user or self.user, message(subject))
        (_, status), = self.postfix.wait_results(queue_id)
        self.assertEqual(status, "sent", self.postfix.log())


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
