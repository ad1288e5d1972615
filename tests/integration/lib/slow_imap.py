# SPDX-License-Identifier: GPL-3.0-or-later
"""An IMAP server that can be stopped in the middle of a MOVE or COPY. As
Dovecot 2.3 it copies first, removes then, takes the removal of what is gone
for done, and goes on when its client has died."""

import re
import threading

from lib.scripted_imap import ScriptedImap

CAPABILITIES = ("IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS MOVE ENABLE CONDSTORE "
                "SPECIAL-USE LIST-EXTENDED")
PATIENCE_S = 30


class Mail:
    def __init__(self, subject, flags, modseq):
        self.subject, self.flags, self.modseq = subject, set(flags), modseq

    def line(self, uid, what):
        items = ["UID %d" % uid]
        for name, text in (
                ("FLAGS", "(%s)" % " ".join(sorted(self.flags))),
                ("MODSEQ", "(%d)" % self.modseq),
                ("RFC822.SIZE", "100"),
                ("INTERNALDATE", '"01-Jan-2024 00:00:00 +0000"'),
                ("ENVELOPE", '(NIL "%s" NIL NIL NIL NIL NIL NIL NIL "<%s@x>")'
                 % (self.subject, self.subject))):
            if name in what:
                items.append("%s %s" % (name, text))
        return "* %d FETCH (%s)\n" % (uid, " ".join(items))


class SlowImap(ScriptedImap):
    """stop_at: "copy" or "removal": before these a MOVE or COPY waits for
    go_on(), once. lose: the connection is closed there instead. refusals:
    by regular expression, what a command is answered with, or a callable that
    gives it. lost: a command that closes the connection, once."""

    def __init__(self, *subjects, capabilities=CAPABILITIES, trash=True):
        self.boxes = {"INBOX": {}, "Work": {}}
        if trash:
            self.boxes["Trash"] = {}
        self.next = {"INBOX": 1, "Trash": 101, "Work": 201}
        self.modseq, self.lock = 10, threading.RLock()
        self.selected, self.views = {}, {}
        self.stop_at, self.lose = None, False
        self.refusals, self.lost = {}, None
        self.stopped, self.going_on = threading.Event(), threading.Event()
        for subject in subjects:
            self.add("INBOX", subject)
        super().__init__(capabilities=capabilities)

    def add(self, box, subject, flags=()):
        with self.lock:
            uid, self.next[box] = self.next[box], self.next[box] + 1
            self.modseq += 1
            self.boxes[box][uid] = Mail(subject, flags, self.modseq)
            return uid

    def subjects(self, box):
        with self.lock:
            return [m.subject for m in self.boxes[box].values()]

    def uids(self, box):
        with self.lock:
            return list(self.boxes[box])

    def flags(self, box):
        with self.lock:
            return [sorted(m.flags) for m in self.boxes[box].values()]

    def go_on(self):
        self.going_on.set()

    def wait_stopped(self):
        assert self.stopped.wait(PATIENCE_S), "nothing was moved"

    def wait_for_command(self, pattern, count=1):
        """Until so many commands like that have come."""
        for _ in range(PATIENCE_S * 100):
            if sum(bool(re.match(pattern, c)) for c in list(self.commands)) \
                    >= count:
                return
            threading.Event().wait(0.01)
        raise AssertionError("no %s in %s" % (pattern, self.commands))

    # commands

    def _answer(self, command, tag, connection):
        if self.lost and re.match(self.lost, command):
            self.lost = None
            return None
        for pattern, answer in self.refusals.items():
            if re.match(pattern, command):
                answer = answer() if callable(answer) else answer
                if answer:
                    return answer
        words = command.replace('"', "").split()
        name = words[0].lower() if words[0] != "UID" \
            else "uid_" + words[1].lower()
        handler = getattr(self, "_do_" + name, None)
        if handler is None:
            return super()._answer(command, tag, connection)
        result = handler(words[1:] if words[0] != "UID" else words[2:],
                         connection)
        return result if result is None or "{tag}" in result \
            else result + "{tag} OK done\n"

    def _do_list(self, words, connection):
        return "".join('* LIST (%s) "/" %s\n' % (
            "\\Trash" if box == "Trash" else "", box) for box in self.boxes)

    def _do_create(self, words, connection):
        if words[0] in self.boxes:
            return "{tag} NO it is there\n"
        self.boxes[words[0]] = {}
        return ""

    def _do_select(self, words, connection):
        if words[0] not in self.boxes:
            return "{tag} NO [NONEXISTENT] none\n"
        self.selected[connection] = words[0]
        self._sync(connection)
        return ("* 1 EXISTS\n* OK [UIDVALIDITY 7] ok\n"
                "* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] ok\n"
                + ("* OK [HIGHESTMODSEQ %d] ok\n" % self.modseq
                   if "CONDSTORE" in self._capabilities() else ""))

    def _capabilities(self):
        return self.answers[-1][1]

    def _do_examine(self, words, connection):
        return self._do_select(words, connection)

    def _do_noop(self, words, connection):
        self._sync(connection)
        return ""

    def _sync(self, connection):
        with self.lock:
            box = self.selected.get(connection)
            self.views[connection] = dict(self.boxes.get(box, {}))

    def _do_status(self, words, connection):
        box = words[0]
        if box not in self.boxes:
            return "{tag} NO none\n"
        return "* STATUS %s (UIDNEXT %d)\n" % (box, self.next[box])

    def _do_uid_search(self, words, connection):
        found = {}
        for uid, mail in self.views[connection].items():
            found[uid] = self._fits(list(words), uid, mail)
        return "* SEARCH%s\n" % "".join(
            " %d" % uid for uid, fits in found.items() if fits)

    def _fits(self, words, uid, mail):
        result = True
        while words:
            result = self._fits_next(words, uid, mail) and result
        return result

    def _fits_next(self, words, uid, mail):
        word = words.pop(0)
        if word == "OR":
            one = self._fits_next(words, uid, mail)
            return self._fits_next(words, uid, mail) or one
        if word == "KEYWORD":
            return words.pop(0) in mail.flags
        if word == "UID":
            return uid in uids_of(words.pop(0))
        if word == "HEADER":
            assert words.pop(0) == "Message-ID"
            return words.pop(0) == "<%s@x>" % mail.subject
        assert word in ("DELETED", "UNDELETED"), word
        return ("\\Deleted" in mail.flags) == (word == "DELETED")

    def _do_uid_fetch(self, words, connection):
        return "".join(
            mail.line(uid, " ".join(words[1:]))
            for uid, mail in self.views[connection].items()
            if uid in uids_of(words[0]))

    def _do_uid_store(self, words, connection):
        text = " ".join(words[1:])
        since = re.match(r"\(UNCHANGEDSINCE (\d+)\) ", text)
        sign, flags = re.search(r"([+-])FLAGS.SILENT \((.*)\)", text).groups()
        modified = []
        with self.lock:
            for uid, mail in self.views[connection].items():
                if uid not in uids_of(words[0]):
                    continue
                if since and mail.modseq > int(since.group(1)):
                    modified.append(str(uid))
                    continue
                change = mail.flags.update if sign == "+" \
                    else mail.flags.difference_update
                change(flags.split())
                self.modseq += 1
                mail.modseq = self.modseq
        return "{tag} OK [MODIFIED %s] some\n" % ",".join(modified) \
            if modified else ""

    def _do_uid_move(self, words, connection):
        return self._copy(words, connection, True)

    def _do_uid_copy(self, words, connection):
        return self._copy(words, connection, False)

    def _stop(self, where):
        """False: the connection is to be closed."""
        if self.stop_at != where:
            return True
        self.stop_at = None
        self.stopped.set()
        if self.lose:
            return False
        return self.going_on.wait(PATIENCE_S)

    def _copy(self, words, connection, removes):
        view = dict(self.views[connection])
        uids = [uid for uid in view if uid in uids_of(words[0])]
        if not self._stop("copy"):
            return None
        copies = [self.add(words[1], view[uid].subject, view[uid].flags)
                  for uid in uids]
        if not self._stop("removal"):
            return None
        if removes:
            self._remove(connection, uids)
        code = "[COPYUID 8 %s %s] done\n" % (
            ",".join(map(str, uids)), ",".join(map(str, copies)))
        return "* OK " + code if removes else "{tag} OK " + code

    def _remove(self, connection, uids):
        with self.lock:
            for uid in uids:
                self.boxes[self.selected[connection]].pop(uid, None)
        self._sync(connection)

    def _do_uid_expunge(self, words, connection):
        self._remove(connection, [
            uid for uid, mail in self.views[connection].items()
            if uid in uids_of(words[0]) and "\\Deleted" in mail.flags])
        return ""

    def _do_expunge(self, words, connection):
        self._remove(connection, [
            uid for uid, mail in self.views[connection].items()
            if "\\Deleted" in mail.flags])
        return ""


class uids_of:
    """A set of ids as IMAP writes it."""

    def __init__(self, text):
        self.parts = [tuple(part.split(":")) for part in text.split(",")]

    def __contains__(self, uid):
        # "7:*" has the last one, too, whatever it is; here it has all
        return any(part[-1] == "*" or int(part[0]) <= uid <= int(part[-1])
                   for part in self.parts)
