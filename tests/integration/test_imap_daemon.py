# SPDX-License-Identifier: GPL-3.0-or-later
"""belfry-imap by itself, in front of a real Dovecot: logins, the watch half,
and workers that come and go."""

import os
import re
import signal
import socket
import threading
import unittest

from lib.certificates import Certificates
from lib.connector import (OK, REFUSED, STATUS, THROTTLED, UNAVAILABLE, Asker,
                           Daemon, position_map, wait_for_workers)
from lib.dovecot import MASTER_PASSWORD, MASTER_USER, Dovecot
from lib.mail import deliver_lmtp, message
from lib.process import Folder, session_members, wait_until

LOGIN_NEEDED, NOT_FOUND = STATUS["LOGIN_NEEDED"], STATUS["NOT_FOUND"]
UNSUPPORTED = STATUS["UNSUPPORTED"]
DOMAIN = "@example.org"
# Longer than Dovecot takes to announce (0.5 s), for what is not to be told.
QUIET_S = 1.5


class Daemons(unittest.TestCase):
    """A Dovecot for the class; each test has users and daemons of its own."""

    DOVECOT = {}
    users = 0

    @classmethod
    def setUpClass(cls):
        if cls is Daemons:
            raise unittest.SkipTest("only what its subclasses have in common")
        cls.folder = Folder("imap-daemon")
        cls.addClassCleanup(cls.folder.remove)
        cls.certificates = Certificates(cls.folder)
        cls.dovecot = Dovecot(cls.folder, cls.certificates, users=40,
                              **cls.DOVECOT)
        cls.addClassCleanup(cls.dovecot.stop)
        cls.dovecot.start()

    def setUp(self):
        type(self).users += 1
        self.name = "u%04d" % self.users
        self.user = self.name + DOMAIN
        self.password = self.dovecot.password_of(self.name)

    def daemon(self, **settings):
        values = dict(name="main", host="localhost", tls="starttls",
                      port=self.dovecot.imap_port, ca_file=self.certificates.ca,
                      login="user", timeout_s=10, workers=2)
        values.update(settings)
        daemon = Daemon(self.folder, values,
                        name="%s.%s" % (type(self).__name__, self.name))
        self.addCleanup(daemon.stop)
        return daemon

    def asker(self, daemon, role="front"):
        asker = Asker(daemon, role)
        self.addCleanup(asker.close)
        return asker

    def hub(self, daemon):
        """A connection that has logged in."""
        hub = self.asker(daemon, "hub")
        self.assertEqual(hub.login(self.user, self.password)["status"], OK)
        return hub

    def logins(self):
        return self.dovecot.log().count("Login: user=<%s>" % self.name)

    def deliver(self, subject="ring"):
        deliver_lmtp(self.dovecot.lmtp_port, self.name, message(subject))

    def told_next(self, hub, collection, next_id):
        """Waits until the collection is told to stand at that UIDNEXT."""
        positions = hub.told_until(lambda p: position_map(p).get(
            collection, (0, 0, 0))[1] == next_id)
        return position_map(positions)[collection]


class Login(Daemons):
    # Dovecot answers an address that failed more and more slowly.
    DOVECOT = dict(extra="""
login_trusted_networks = 127.0.0.0/8
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
""")

    def test_right_and_wrong_passwords_are_told_apart(self):
        front = self.asker(self.daemon())
        self.assertEqual(front.login(self.user, "wrong")["status"], REFUSED)
        self.assertEqual(front.login("nobody" + DOMAIN, "x")["status"], REFUSED)
        self.assertEqual(front.login(self.user, "")["status"], REFUSED)
        self.assertEqual(front.login(self.user, self.password)["status"], OK)
        self.assertEqual(front.ask(True, list={})["status"], OK)

    def test_a_remembered_login_does_not_ask_the_backend(self):
        front = self.asker(self.daemon())
        front.login(self.user, self.password)
        handle = front.handle
        wait_until(lambda: self.logins() == 1, "the login to be logged")
        for _ in range(10):
            self.assertEqual(front.login(self.user, self.password)["status"],
                             OK)
        self.assertEqual(front.handle, handle)
        self.assertEqual(self.logins(), 1)

    def test_a_changed_password_voids_the_old_one_and_its_handle_at_once(self):
        front, hub = (self.asker(d, r) for d in [self.daemon()]
                      for r in ("front", "hub"))
        hub.handle = front.login(self.user, self.password)[
            "logged_in"]["handle"]
        front.handle = hub.handle
        hub.watch(self.user, ["INBOX"])
        hub.next_told()
        self.dovecot.set_password(self.name, "new secret")
        other = self.asker(self._daemon_of(front))
        self.assertEqual(other.login(self.user, "new secret")["status"], OK)
        # the backend is asked about the old one, although it was remembered
        told = hub.told_until(lambda p: p["status"] != OK)
        self.assertEqual(told["status"], LOGIN_NEEDED)
        self.assertEqual(front.ask(True, list={})["status"], LOGIN_NEEDED)
        self.assertEqual(front.login(self.user, self.password)["status"],
                         REFUSED)
        self.assertEqual(other.ask(True, list={})["status"], OK)

    def _daemon_of(self, asker):
        class Path:
            path = asker.socket.getpeername()
        return Path

    def test_a_disabled_user_loses_handle_and_cache_when_next_refused(self):
        daemon = self.daemon(linger_s=0)
        hub = self.hub(daemon)
        self.assertEqual(hub.check(self.user, ["INBOX"])["status"], OK)
        self.dovecot.disable(self.name)
        self.assertEqual(hub.check(self.user, ["INBOX"])["status"],
                         LOGIN_NEEDED)
        self.assertEqual(hub.ask(True, list={})["status"], LOGIN_NEEDED)
        self.assertEqual(hub.login(self.user, self.password)["status"], REFUSED)

    def test_a_refusal_in_a_worker_voids_the_login(self):
        daemon = self.daemon()
        front = self.asker(daemon)
        front.login(self.user, self.password)
        self.dovecot.set_password(self.name, "new secret")
        self.assertEqual(front.ask(True, list={})["status"], LOGIN_NEEDED)
        self.assertEqual(front.login(self.user, self.password)["status"],
                         REFUSED)
        self.assertNotIn(self.password, daemon.log())

    def test_one_users_handle_serves_no_other(self):
        daemon = self.daemon()
        hub = self.hub(daemon)
        self.assertEqual(hub.watch("alice" + DOMAIN, ["INBOX"])["status"],
                         LOGIN_NEEDED)
        self.assertEqual(hub.check("alice" + DOMAIN, ["INBOX"])["status"],
                         LOGIN_NEEDED)
        hub.handle = bytes(16)
        self.assertEqual(hub.ask(True, list={})["status"], LOGIN_NEEDED)
        self.assertEqual(hub.check(self.user, ["INBOX"])["status"],
                         LOGIN_NEEDED)

    def test_guessing_is_throttled_but_not_for_the_known_device(self):
        front = self.asker(self.daemon())
        front.login(self.user, self.password, device="known")
        for guess in range(5):
            self.assertEqual(front.login(self.user, "guess %d" % guess,
                                         device="evil")["status"], REFUSED)
        answer = front.login(self.user, "guess", device="evil")
        self.assertEqual(answer["status"], THROTTLED)
        self.assertGreater(answer["logged_in"]["retry_after_s"], 0)
        self.assertEqual(front.login(self.user, "a typing error",
                                     device="known")["status"], REFUSED)
        self.assertEqual(front.login(self.user, self.password,
                                     device="known")["status"], OK)

    def test_odd_passwords_arrive(self):
        front = self.asker(self.daemon())
        for password in ("\"quo\\te\"", "gr\u00fcn \u2603", "a{5}b", "x" * 200):
            self.dovecot.set_password(self.name, password)
            self.assertEqual(front.login(self.user, password)["status"], OK)
            self.assertEqual(front.ask(True, list={})["status"], OK)

    def test_the_backend_learns_whose_address_it_is(self):
        front = self.asker(self.daemon())
        for address in ("192.0.2.77", "[2001:db8::77]"):
            front.login(self.user, "wrong", address=address)
            self.assertIn("(%s,%s," % (self.name, address.strip("[]")),
                          self.dovecot.log())


class Penalty(Daemons):
    """As doc/install.md has it: Dovecot's penalty for wrong passwords, which
    is on unless turned off, is for the address that they came from. Without
    login_trusted_networks it were ours, and every phone waited."""

    DOVECOT = dict(extra="login_trusted_networks = 127.0.0.1 ::1")

    def test_who_guesses_slows_down_nobody_else(self):
        front = self.asker(self.daemon())
        self.assertEqual(front.login(self.user, "guess", device="evil",
                                     address="192.0.2.66")["status"], REFUSED)
        self.assertEqual(self.dovecot.penalized(), {"192.0.2.66": 1})
        self.assertEqual(front.login(self.user, self.password,
                                     address="192.0.2.77")["status"], OK)


class Tls(Daemons):
    def refuses(self, **settings):
        daemon = self.daemon(**settings)
        front = self.asker(daemon)
        self.assertEqual(front.login(self.user, self.password)["status"],
                         UNAVAILABLE)
        self.assertNotIn("user=<%s>" % self.name, self.dovecot.log())
        return daemon.log()

    def test_a_certificate_for_another_name_is_refused(self):
        self.refuses(tls_name="mail.example.com")

    def test_an_unknown_authority_is_refused(self):
        self.refuses(ca_file="")

    def test_implicit_tls_works(self):
        front = self.asker(self.daemon(tls="tls", port=self.dovecot.imaps_port))
        self.assertEqual(front.login(self.user, self.password)["status"], OK)
        self.assertEqual(front.ask(True, list={})["status"], OK)
        self.assertEqual(front.check(self.user, ["INBOX"])["status"], OK)

    def test_a_stripping_or_injecting_server_gets_no_password(self):
        for after in (None, b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"
                            b"A2 OK injected\r\n"):
            server = Mitm(after)
            self.addCleanup(server.close)
            self.refuses(port=server.port)
            self.assertNotIn(b"PLAIN", server.heard)
            self.assertNotIn(b"LOGIN", server.heard)
            type(self).users += 1
            self.setUp()


class ExpiredTls(Daemons):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dovecot.certificate = cls.certificates.expired
        cls.dovecot.write_config()
        cls.dovecot.restart()

    def test_an_expired_certificate_is_refused(self):
        front = self.asker(self.daemon())
        self.assertEqual(front.login(self.user, self.password)["status"],
                         UNAVAILABLE)


class Mitm:
    """Somebody between us and the server: offers no STARTTLS (after None), or
    slips something in behind the OK to it."""

    def __init__(self, after):
        self.after, self.heard = after, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        try:
            connection, _ = self.listener.accept()
            offer = b" STARTTLS" if self.after else b""
            connection.sendall(b"* OK [CAPABILITY IMAP4rev1%s AUTH=PLAIN "
                               b"SASL-IR] ready\r\n" % offer)
            while True:
                data = connection.recv(4096)
                if not data:
                    return
                self.heard += data
                if b"STARTTLS" in data:
                    connection.sendall(b"A1 OK begin\r\n" + self.after)
        except OSError:
            pass

    def close(self):
        self.listener.close()


class Watch(Daemons):
    """By NOTIFY."""

    SOURCE = "notify"

    def test_a_delivery_and_a_flag_are_told(self):
        hub = self.hub(self.daemon(poll_s=1))
        self.assertEqual(hub.watch(self.user, ["INBOX"])["status"], OK)
        first = hub.next_told()
        self.assertEqual(position_map(first)["INBOX"][1], 1)
        self.deliver()
        then = self.told_next(hub, "INBOX", 2)
        client = self.dovecot.imap(self.name)
        client.select("INBOX")
        client.store("1", "+FLAGS", "\\Seen")
        client.logout()
        told = hub.told_until(
            lambda p: position_map(p)["INBOX"] != then)
        self.assertEqual(told["source"], self.SOURCE)
        self.assertEqual(told["user"], self.user)

    def test_every_collection_is_watched(self):
        hub = self.hub(self.daemon(poll_s=1))
        client = self.dovecot.imap(self.name)
        client.create('"Gr&APw-n & more"'.replace("& m", "&- m"))
        hub.watch(self.user, ["INBOX", "Sent", "Gr\u00fcn & more", "none"])
        first = position_map(hub.told_until(lambda p: len(p["positions"]) == 4))
        self.assertEqual(first["none"], NOT_FOUND)
        self.assertEqual(first["Gr\u00fcn & more"][1], 1)
        for name, mailbox in (("Sent", "Sent"),
                              ("Gr\u00fcn & more", "Gr&APw-n &- more")):
            client.append('"%s"' % mailbox, "", None, message("x").as_bytes())
            self.told_next(hub, name, 2)
        client.logout()

    def test_nothing_is_told_when_nothing_happens(self):
        hub = self.hub(self.daemon(poll_s=1))
        hub.watch(self.user, ["INBOX", "Sent"])
        hub.next_told()
        hub.check(self.user, ["INBOX"])
        hub.watch(self.user, ["INBOX", "Sent"])
        self.assertEqual(hub.quiet(QUIET_S), [])

    def test_another_list_is_watched_from_now_on(self):
        hub = self.hub(self.daemon(poll_s=1))
        hub.watch(self.user, ["INBOX"])
        hub.next_told()
        hub.watch(self.user, ["INBOX", "Drafts"])
        hub.told_until(lambda p: "Drafts" in position_map(p))
        self.dovecot.append(self.name, message("x"), "Drafts")
        self.told_next(hub, "Drafts", 2)
        hub.ask(unwatch=dict(user=self.user))
        self.deliver()
        self.assertEqual(hub.quiet(QUIET_S), [])

    def test_a_watched_and_a_checked_position_are_that_of_a_survey(self):
        hub = self.hub(self.daemon(poll_s=1))
        hub.watch(self.user, ["INBOX"])
        seen = {position_map(hub.next_told())["INBOX"]}
        for step in ("deliver", "seen", "expunge"):
            survey = hub.ask(True, survey=dict(collection="INBOX"))
            position = survey["surveyed"]["position"]
            position = tuple(position[k] for k in ("validity", "next", "token"))
            self.assertEqual(hub.positions(self.user, ["INBOX"])["INBOX"],
                             position)
            if step == "deliver":
                self.deliver()
            else:
                client = self.dovecot.imap(self.name)
                client.select("INBOX")
                client.store("1", "+FLAGS", "\\Seen" if step == "seen"
                             else "\\Deleted")
                if step == "expunge":
                    client.expunge()
                client.logout()
            # at once, before anything is announced
            checked = hub.positions(self.user, ["INBOX"])["INBOX"]
            self.assertNotIn(checked, seen)
            seen.add(checked)
            hub.told_until(lambda p: position_map(p)["INBOX"] == checked)

    def test_a_restarted_server_is_watched_again_and_the_position_told(self):
        hub = self.hub(self.daemon(poll_s=1))
        hub.watch(self.user, ["INBOX"])
        hub.next_told()
        self.dovecot.stop()
        self.assertEqual(hub.check(self.user, ["INBOX"])["status"], UNAVAILABLE)
        self.dovecot.start()
        self.told_next(hub, "INBOX", 1)
        self.deliver()
        self.told_next(hub, "INBOX", 2)

    def test_a_hub_that_comes_back_takes_its_watch_over(self):
        daemon = self.daemon(poll_s=1)
        hub = self.hub(daemon)
        hub.watch(self.user, ["INBOX"])
        hub.next_told()
        wait_until(lambda: self.logins() == 2, "the logins to be logged")
        again = self.asker(daemon, "hub")
        again.handle = hub.handle
        hub.close()
        again.watch(self.user, ["INBOX"])
        self.told_next(again, "INBOX", 1)
        self.deliver()
        self.told_next(again, "INBOX", 2)
        self.assertEqual(self.logins(), 2)


class WatchByIdle(Watch):
    DOVECOT = dict(mask=["NOTIFY"])
    SOURCE = "idle"


class WatchByPoll(Watch):
    DOVECOT = dict(mask=["NOTIFY", "IDLE", "CONDSTORE", "QRESYNC"])
    SOURCE = "poll"


class WatchHibernated(Watch):
    DOVECOT = dict(hibernate_s=1)


class Hooked(Daemons):
    def sessions(self):
        return self.logins() - len(re.findall(
            r"imap\(%s\).*Disconnected" % self.name, self.dovecot.log()))

    def test_no_session_is_held_but_for_a_check_and_a_while_after(self):
        hub = self.hub(self.daemon(linger_s=1))
        hub.watch(self.user, ["INBOX"], hooked=True)
        self.deliver()
        self.assertEqual(hub.quiet(QUIET_S), [])
        self.assertEqual(self.sessions(), 0)
        self.assertEqual(hub.positions(self.user, ["INBOX"])["INBOX"][1], 2)
        for _ in range(5):
            hub.positions(self.user, ["INBOX", "Sent"])
        self.assertEqual(self.sessions(), 1)
        wait_until(lambda: self.sessions() == 0, "the session to end")
        self.assertEqual(hub.told, [])

    def test_hooks_that_break_are_replaced_by_watching(self):
        hub = self.hub(self.daemon(linger_s=1))
        hub.watch(self.user, ["INBOX"], hooked=True)
        hub.positions(self.user, ["INBOX"])
        hub.watch(self.user, ["INBOX"])
        self.told_next(hub, "INBOX", 1)
        self.deliver()
        self.told_next(hub, "INBOX", 2)
        hub.watch(self.user, ["INBOX"], hooked=True)
        self.deliver()
        self.assertEqual(hub.quiet(QUIET_S), [])
        wait_until(lambda: self.sessions() == 0, "the session to end")

    def test_a_check_without_a_watch(self):
        hub = self.hub(self.daemon(linger_s=0))
        self.assertEqual(hub.positions(self.user, ["INBOX", "none"])["none"],
                         NOT_FOUND)


class Master(Daemons):
    def settings(self, **more):
        return dict(watch_as="master", master_user=MASTER_USER,
                    master_password=MASTER_PASSWORD, **more)

    def test_the_master_watches_without_any_handle(self):
        hub = self.asker(self.daemon(**self.settings()), "hub")
        self.assertEqual(hub.watch(self.user, ["INBOX"])["status"], OK)
        hub.next_told()
        self.deliver()
        self.told_next(hub, "INBOX", 2)
        self.assertEqual(hub.positions(self.user, ["INBOX"])["INBOX"][1], 2)

    def test_a_wrong_master_password_is_not_the_users_fault(self):
        hub = self.hub(self.daemon(**dict(self.settings(),
                                          master_password="wrong")))
        self.assertEqual(hub.check(self.user, ["INBOX"])["status"], UNAVAILABLE)
        self.assertEqual(hub.ask(True, list={})["status"], OK)

    def test_a_disabled_user_is_not_watched_any_more(self):
        hub = self.hub(self.daemon(**self.settings(linger_s=0)))
        self.assertEqual(hub.check(self.user, ["INBOX"])["status"], OK)
        self.dovecot.disable(self.name)
        self.assertEqual(hub.check(self.user, ["INBOX"])["status"],
                         LOGIN_NEEDED)
        self.assertEqual(hub.ask(True, list={})["status"], LOGIN_NEEDED)


class WithoutCredentials(Daemons):
    def test_watch_as_none_relies_on_hooks(self):
        hub = self.hub(self.daemon(watch_as="none"))
        self.assertEqual(hub.check(self.user, ["INBOX"])["status"], UNSUPPORTED)
        self.assertEqual(hub.ask(True, list={})["status"], OK)


class Workers(Daemons):
    def test_a_worker_that_is_killed_is_replaced(self):
        daemon = self.daemon(workers=1)
        front = self.asker(daemon)
        front.login(self.user, self.password)
        for _ in range(3):
            self.assertEqual(front.ask(True, list={})["status"], OK)
            pid, = wait_for_workers(daemon, 1)
            os.kill(pid, signal.SIGKILL)
            # reaped: the daemon has seen it
            wait_until(lambda: not os.path.exists("/proc/%d" % pid),
                       "it to be gone")
        self.assertEqual(front.ask(True, list={})["status"], OK)

    def test_a_worker_that_hangs_costs_its_request_only(self):
        daemon = self.daemon(workers=1, timeout_s=1)
        front = self.asker(daemon)
        front.login(self.user, self.password)
        front.ask(True, list={})
        pid, = wait_for_workers(daemon, 1)
        os.kill(pid, signal.SIGSTOP)
        self.assertEqual(front.ask(True, list={})["status"], UNAVAILABLE)
        self.assertEqual(front.ask(True, list={})["status"], OK)
        self.assertNotIn(pid, daemon.workers())

    def test_idle_workers_end(self):
        daemon = self.daemon(workers=2, worker_idle_s=1)
        front = self.asker(daemon)
        front.login(self.user, self.password)
        front.ask(True, list={})
        wait_for_workers(daemon, 1)
        wait_until(lambda: not daemon.workers(), "no worker")
        self.assertEqual(front.ask(True, list={})["status"], OK)

    def test_workers_end_with_the_daemon(self):
        daemon = self.daemon()
        front = self.asker(daemon)
        front.login(self.user, self.password)
        front.ask(True, list={})
        pid, = wait_for_workers(daemon, 1)
        os.kill(daemon.pid, signal.SIGKILL)
        os.waitpid(daemon.pid, 0)
        daemon.pid = None
        wait_until(lambda: not os.path.exists("/proc/%d" % pid)
                   or "Z" in open("/proc/%d/stat" % pid).read().split(")")[1],
                   "the worker to end")


class Hang(Daemons):
    def freeze(self, number):
        for pid in session_members(self.dovecot.process.pid):
            os.kill(pid, number)

    def test_a_server_that_hangs_is_retried_and_recovers(self):
        daemon = self.daemon(timeout_s=1)
        hub = self.hub(daemon)
        hub.watch(self.user, ["INBOX"])
        hub.next_told()
        hub.ask(True, list={})
        self.freeze(signal.SIGSTOP)
        try:
            self.assertEqual(hub.login("alice" + DOMAIN, self.dovecot
                                       .password_of("alice"))["status"],
                             UNAVAILABLE)
            self.assertEqual(hub.ask(True, list={})["status"], UNAVAILABLE)
            self.assertEqual(hub.check(self.user, ["INBOX"])["status"],
                             UNAVAILABLE)
            # what is remembered is still served
            self.assertEqual(hub.login(self.user, self.password)["status"], OK)
        finally:
            self.freeze(signal.SIGCONT)
        wait_until(lambda: hub.ask(True, list={})["status"] == OK,
                   "the worker to work")
        wait_until(lambda: hub.check(self.user, ["INBOX"])["status"] == OK,
                   "the watch to work")
        self.deliver()
        self.told_next(hub, "INBOX", 2)
