# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletions that something interrupts: each mail stands in the trash once,
whoever dies in the middle of the move."""

import os
import signal
import unittest

from lib.connector import OK, STATUS, UNAVAILABLE, Asker, Daemon
from lib.process import Folder
from lib.slow_imap import CAPABILITIES, SlowImap

ALICE = "alice@example.org"
NOT_FOUND, LIMIT = STATUS["NOT_FOUND"], STATUS["LIMIT"]


class MoveCase(unittest.TestCase):
    """A belfry-imap in front of a server that waits in the middle."""

    CAPABILITIES = CAPABILITIES
    TARGET, GONE = "Trash", NOT_FOUND

    def setUp(self):
        self.folder = Folder("move")
        self.addCleanup(self.folder.remove)
        self.daemons = 0
        self.serve("a")

    def serve(self, *subjects, **server):
        self.server = SlowImap(*subjects, capabilities=self.CAPABILITIES,
                               **server)
        self.addCleanup(self.server.close)
        self.addCleanup(self.server.go_on)

    def start(self, timeout_s=30):
        self.daemons += 1
        self.daemon = Daemon(self.folder, dict(
            name="main", host="127.0.0.1", tls="none", login="user",
            port=self.server.port, timeout_s=timeout_s, workers=2),
            name="daemon%d" % self.daemons)
        self.addCleanup(self.daemon.stop)
        return self.front()

    def front(self):
        front = Asker(self.daemon)
        self.addCleanup(front.close)
        front.login(ALICE, "secret")
        return front

    def operation(self, item):
        return dict(id=item, remove=1, to_trash=1)

    def delete(self, front, *ids):
        return front.start(True, apply=dict(collection="INBOX", operations=[
            self.operation(n) for n in ids or (1,)]))

    def results(self, front, number):
        answer, = front.wait(number)
        self.assertEqual(answer["status"], OK, answer)
        self.moved = answer["applied"]["moved"]
        return answer["applied"]["results"]

    def moved_once(self, front, *ids):
        """The device's repeat: it succeeds, and nothing stands twice."""
        number = self.delete(front, *ids)
        for result in self.results(front, number):
            self.assertIn(result, (OK, NOT_FOUND))
        self.once()

    def once(self, *subjects):
        self.assertEqual(self.server.subjects("INBOX"), [])
        self.assertEqual(self.server.subjects(self.TARGET),
                         list(subjects or ["a"]))
        self.assertNotIn("$BelfryMove", str(self.server.flags(self.TARGET)))

    def kill_worker_in_the_move(self, front, where):
        self.server.stop_at = where
        number = self.delete(front)
        self.server.wait_stopped()
        for pid in self.daemon.workers():
            os.kill(pid, signal.SIGKILL)
        answer, = front.wait(number)
        self.assertEqual(answer["status"], UNAVAILABLE)


class Moves:
    def test_nothing_happens(self):
        front = self.start()
        self.assertEqual(self.results(front, self.delete(front, 1, 2)),
                         [OK, NOT_FOUND])
        self.once()

    def test_the_worker_dies_between_copy_and_removal(self):
        front = self.start()
        self.kill_worker_in_the_move(front, "removal")
        self.moved_once(front)
        self.server.go_on()
        self.once()

    def test_the_worker_dies_and_the_server_goes_on_later(self):
        front = self.start()
        self.kill_worker_in_the_move(front, "copy")
        number = self.delete(front)
        self.server.wait_for_command("UID SEARCH.*KEYWORD", 2)
        self.server.go_on()
        self.results(front, number)
        self.once()

    def test_the_worker_dies_and_the_server_never_goes_on(self):
        front = self.start(timeout_s=6)
        self.kill_worker_in_the_move(front, "copy")
        self.moved_once(front)

    def test_the_worker_takes_too_long(self):
        front = self.start(timeout_s=3)
        self.server.stop_at = "removal"
        answer, = front.wait(self.delete(front))
        self.assertEqual(answer["status"], UNAVAILABLE)
        self.moved_once(front)
        self.server.go_on()
        self.once()

    def test_the_connection_is_lost_between_copy_and_removal(self):
        front = self.start()
        self.server.stop_at, self.server.lose = "removal", True
        answer, = front.wait(self.delete(front))
        self.assertEqual(answer["status"], UNAVAILABLE)
        self.moved_once(front)

    def test_the_front_dies_and_its_phone_asks_another(self):
        front = self.start()
        self.server.stop_at = "removal"
        self.delete(front)
        self.server.wait_stopped()
        front.close()
        other = self.front()
        number = self.delete(other)
        # it does not wait: it is not for the same collection
        self.assertEqual(other.ask(True, list={})["status"], OK)
        self.server.go_on()
        self.assertEqual(self.results(other, number), [self.GONE])
        self.once()

    def test_two_devices_delete_at_once(self):
        self.serve(*(str(n) for n in range(60)))
        one = self.start()
        two = self.front()
        for _ in range(3):
            numbers = [(f, self.delete(f, *range(1, 61))) for f in (one, two)]
            for front, number in numbers:
                self.results(front, number)
        self.once(*(str(n) for n in range(60)))

    def test_equal_mails_are_as_many_as_before(self):
        self.serve("same", "same")
        self.server.add(self.TARGET, "same")
        front = self.start(timeout_s=6)
        self.server.stop_at, self.server.lose = "removal", True
        front.wait(self.delete(front, 1))
        self.results(front, self.delete(front, 1, 2))
        self.once(*["same"] * 3)

    def test_an_equal_mail_in_the_trash_is_no_copy(self):
        self.server.add(self.TARGET, "a")
        front = self.start(timeout_s=6)
        self.kill_worker_in_the_move(front, "copy")
        self.results(front, self.delete(front))
        self.once("a", "a")

    def test_a_refusal_is_told_and_nothing_is_left_of_it(self):
        front = self.start()
        for pattern in ("UID MOVE", "UID COPY"):
            self.server.refusals[pattern] = "{tag} NO [OVERQUOTA] full\n"
        self.assertEqual(self.results(front, self.delete(front)), [LIMIT])
        self.assertEqual(self.server.subjects("INBOX"), ["a"])
        self.assertEqual(self.server.subjects(self.TARGET), [])
        self.assertNotIn("$BelfryMove", str(self.server.flags("INBOX")))
        self.server.refusals.clear()
        self.moved_once(front)

    def test_mails_that_go_meanwhile_do_not_keep_the_others(self):
        self.serve("a", "b")
        front = self.start()
        answers = iter(["{tag} NO [EXPUNGEISSUED] gone\n"])

        def refuse_once():
            self.server.boxes["INBOX"].pop(2, None)
            return next(answers, None)
        self.server.refusals["UID (MOVE|COPY)"] = refuse_once
        number = self.delete(front, 1, 2)
        self.assertEqual(self.results(front, number)[0], OK)
        self.once()


class Flags(MoveCase):
    def read(self, front, *ids):
        return front.start(True, apply=dict(collection="INBOX", operations=[
            dict(id=n, set_flags=1) for n in ids]))

    def test_mails_that_go_meanwhile_do_not_keep_the_others(self):
        self.serve("a", "b")
        answers = iter(["{tag} NO [EXPUNGEISSUED] gone\n"])

        def refuse_once():
            self.server.boxes["INBOX"].pop(2, None)
            return next(answers, None)
        self.server.refusals["UID STORE"] = refuse_once
        front = self.start()
        self.assertEqual(self.results(front, self.read(front, 1, 2)),
                         [OK, NOT_FOUND])
        self.assertEqual(self.server.flags("INBOX"), [["\\Seen"]])

    def test_a_refusal_is_told(self):
        self.server.refusals["UID STORE"] = "{tag} NO [NOPERM] no\n"
        front = self.start()
        self.assertEqual(self.results(front, self.read(front, 1)),
                         [STATUS["UNSUPPORTED"]])

    def test_what_may_work_later_is_unavailable_as_a_whole(self):
        front = self.start()
        for text in ("[INUSE] locked", "[UNAVAILABLE] disk", None):
            self.server.refusals["UID STORE"] = lambda text=text: \
                text and "{tag} NO %s\n" % text
            self.server.lost = "UID STORE" if text is None else None
            answer, = front.wait(self.read(front, 1))
            self.assertEqual(answer["status"], UNAVAILABLE, text)


class Sessions(MoveCase):
    def test_one_that_was_dead_before_anything_was_done_is_replaced(self):
        self.serve(*"abcd")
        front = self.start()
        for n, command in enumerate(("SELECT", "LIST", "UID SEARCH"), 1):
            self.assertEqual(front.ask(True, list={})["status"], OK)
            self.server.lost = command
            self.assertEqual(self.results(front, self.delete(front, n)), [OK])
            self.assertIsNone(self.server.lost)
        # a new one that is lost is the server's trouble
        self.server.lost = "UID FETCH"
        answer, = front.wait(self.delete(front, 4))
        self.assertEqual(answer["status"], UNAVAILABLE)


class MovesWithClaims(Moves, MoveCase):
    """What only a mark at the backend outlives."""

    def test_the_daemon_dies_between_copy_and_removal(self):
        self.kill_daemon("removal")
        self.moved_once(self.start())
        self.server.go_on()
        self.once()

    def test_the_daemon_dies_and_the_server_goes_on_later(self):
        self.kill_daemon("copy")
        front = self.start()
        number = self.delete(front)
        self.server.wait_for_command("UID SEARCH.*KEYWORD", 2)
        self.server.go_on()
        self.results(front, number)
        self.once()

    def kill_daemon(self, where):
        front = self.start()
        self.server.stop_at = where
        self.delete(front)
        self.server.wait_stopped()
        os.kill(self.daemon.pid, signal.SIGKILL)
        os.waitpid(self.daemon.pid, 0)
        self.daemon.pid = None

    def test_keywords_that_are_refused_are_done_without(self):
        self.server.refusals["UID STORE.*BelfryMove"] = "{tag} NO no right\n"
        front = self.start()
        self.kill_worker_in_the_move(front, "removal")
        self.moved_once(front)


class Elsewhere:
    """Not to the trash, and the ids there are told."""

    TARGET = "Work"
    GONE = OK  # and found there

    def operation(self, item):
        mail = self.server.boxes["INBOX"].get(item)
        if not hasattr(self, "names"):
            self.names = {}
        if mail:
            self.names[item] = "<%s@x>" % mail.subject
        return dict(id=item, move_to="Work",
                    message_id=self.names.get(item, ""))

    def once(self, *subjects):
        super().once(*subjects)
        for uid in self.moved:
            self.assertIn(uid, self.server.uids("Work") + [0])
        if not subjects:
            self.assertIn(self.server.uids("Work")[0], self.moved)


class NoTrash(MoveCase):
    CAPABILITIES = CAPABILITIES + " CREATE-SPECIAL-USE"

    def setUp(self):
        super().setUp()
        self.serve("a", trash=False)

    def test_it_is_made_with_its_role(self):
        self.moved_once(self.start())
        self.assertIn('CREATE "Trash" (USE (\\Trash))', self.server.commands)
        self.assertIn('SUBSCRIBE "Trash"', self.server.commands)

    def test_a_role_that_is_refused_is_done_without(self):
        self.server.refusals["CREATE.*USE"] = "{tag} NO [USEATTR] no\n"
        self.moved_once(self.start())

    def test_somebody_else_is_faster(self):
        for answer in ("[ALREADYEXISTS] it is there", "it is there"):
            def refuse(answer=answer):
                self.server.boxes["Trash"] = {}
                return "{tag} NO %s\n" % answer
            self.serve("a", trash=False)
            self.server.refusals["CREATE"] = refuse
            self.moved_once(self.start())

    def test_none_can_be_made_and_nothing_is_destroyed(self):
        front = self.start()
        self.server.refusals["CREATE"] = "{tag} NO [NOPERM] no\n"
        self.assertEqual(self.results(front, self.delete(front)),
                         [STATUS["UNSUPPORTED"]])
        self.assertEqual(self.server.subjects("INBOX"), ["a"])
        self.server.refusals["CREATE"] = "{tag} NO [UNAVAILABLE] later\n"
        answer, = front.wait(self.delete(front))
        self.assertEqual(answer["status"], UNAVAILABLE)
        self.assertEqual(self.server.subjects("INBOX"), ["a"])


class MovesWithoutClaims(Moves, MoveCase):
    CAPABILITIES = "IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS MOVE"


class MovesByCopying(Moves, MoveCase):
    CAPABILITIES = "IMAP4rev1 AUTH=PLAIN SASL-IR"


class MovesElsewhere(Elsewhere, MovesWithClaims):
    pass


class MovesElsewhereWithoutClaims(Elsewhere, MovesWithoutClaims):
    pass


class MovesElsewhereByCopying(Elsewhere, MovesByCopying):
    pass


if __name__ == "__main__":
    unittest.main()
