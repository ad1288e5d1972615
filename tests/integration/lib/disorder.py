# SPDX-License-Identifier: GPL-3.0-or-later
"""A mailbox at which two phones and a mail program work at random, and the
comparison of what each of them has in the end.

Whoever moves mails has his own: two moves of one mail by two clients make two
mails of it on some servers, whoever the clients are. Phones move the mails
with even numbers, the mail program those with odd ones."""

import imaplib
import random
import threading

from lib import wbxml
from lib.http_raw import HttpError
from lib.mail import mail_octets
from lib.phone import INBOX, PhoneError, Refused
from lib.stubborn import RETRY_STATUSES, StubbornPhone

# what no step ever takes away: a status 3 there is a bug
LASTING = ("INBOX", "Drafts", "Sent", "Trash")
FOLDERS_MAX, MAILS_MAX = 6, 60
TRAIL = 250      # steps that are told when something is wrong
REST_ROUNDS = 20
TYPE_INBOX, TYPE_PLACE, TYPE_USER = "2", "1", "12"


def quoted(path):
    return '"%s"' % path


class ForgetfulPhone(StubbornPhone):
    """What was added in an answer that was lost, and went before that was
    given again, is not added again; it is deleted all the same: the phone may
    have had the first answer."""

    may_miss = False

    def attempt(self, send):
        why = super().attempt(send)
        self.may_miss |= why is not None
        return why

    def _apply_change(self, box, child):
        is_delete = child.tag.endswith("Delete")
        if is_delete and self.may_miss \
                and wbxml.text(child, "ServerId") not in box.items:
            return
        super()._apply_change(box, child)


class MailProgram:
    """Another client of the user's, by IMAP."""

    name = "imap"

    def __init__(self, world, seed):
        self.world, self.random = world, random.Random(seed)
        self.client = world.dovecot.imap(world.user)
        self.steps = [(self.append, 30), (self.flag, 30), (self.expunge, 8),
                      (self.move, 10)]
        self.lone_steps = [(self.create, 2), (self.rename, 2),
                           (self.delete, 1)]

    def step(self, is_alone):
        steps = self.steps + (self.lone_steps if is_alone else [])
        step, = self.random.choices([s for s, _ in steps],
                                    [weight for _, weight in steps])
        try:
            step()
        except imaplib.IMAP4.abort:     # what was selected is gone
            self.client = self.world.dovecot.imap(self.world.user)

    # what is there

    def paths(self, selectable=True):
        """Names of the mailboxes, ASCII all."""
        _, lines = self.client.list()
        found = [line.decode().partition(") \"/\" ") for line in lines]
        return [name.strip('"') for flags, _, name in found
                if not selectable or "\\Noselect" not in flags
                and "\\NonExistent" not in flags]

    def is_there(self, path):
        """Dovecot 2.3 lists what was deleted and has others below it."""
        return self.client.select(quoted(path), True)[0] == "OK"

    def mails(self, path, readonly=False):
        """[(uid, subject, read, flagged)], the mailbox selected."""
        status, count = self.client.select(quoted(path), readonly)
        if status != "OK" or count == [b"0"]:
            return []
        _, data = self.client.uid(
            "FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return [(part[0].split(b"UID ")[1].split()[0].decode(),
                 part[1].decode().partition(":")[2].strip(),
                 "1" if b"\\Seen" in part[0] else "0",
                 b"\\Flagged" in part[0])
                for part in data if isinstance(part, tuple)
                and b"\\Deleted" not in part[0]]

    def some(self, path, most=4):
        mails = self.mails(path)
        return self.random.sample(mails, min(len(mails), self.random.randint(
            1, most)))

    def any_path(self):
        paths = self.paths()
        return self.random.choice(paths + ["INBOX"] * len(paths))

    # what is done

    def append(self):
        path = self.any_path()
        for _ in range(self.random.randint(1, 3)):
            subject = self.world.new_subject()
            flags = self.random.choice(("", "(\\Seen)", "(\\Flagged)"))
            if self.client.append(quoted(path), flags, None,
                                  mail_octets(subject))[0] == "OK":
                self.world.appended.add(subject)
                self.world.note("imap append %s to %s", subject, path)

    def flag(self):
        path = self.any_path()
        for uid, subject, _, _ in self.some(path):
            change = self.random.choice("+-") + "FLAGS.SILENT"
            flag = self.random.choice(("\\Seen", "\\Flagged"))
            self.client.uid("STORE", uid, change, "(%s)" % flag)
            self.world.note("imap %s %s%s in %s", subject, change[0], flag,
                            path)

    def expunge(self):
        path = self.any_path()
        some = self.some(path, 20 if self.world.is_full() else 3)
        for uid, subject, _, _ in some:
            self.world.may_be_gone.add(subject)
            self.client.uid("STORE", uid, "+FLAGS.SILENT", "(\\Deleted)")
            self.world.note("imap expunge %s in %s", subject, path)
        if some:
            self.client.expunge()

    def move(self):
        path, target = self.any_path(), self.any_path()
        for uid, subject, _, _ in self.some(path):
            if self.world.number(subject) % 2 and path != target:
                self.client.uid("MOVE", uid, quoted(target))
                self.world.note("imap move %s from %s to %s", subject, path,
                                target)

    def own_paths(self):
        """None of them is selected."""
        if self.client.state == "SELECTED":
            self.client.unselect()
        return [p for p in self.paths(False) if p not in LASTING]

    def create(self):
        path = self.world.new_path(self.random, self.own_paths())
        if path and self.client.create(quoted(path))[0] == "OK":
            self.world.note("imap create %s", path)

    def rename(self):
        paths = self.own_paths()
        target = self.world.new_path(self.random, ())
        if paths and target:
            path = self.random.choice(paths)
            if self.client.rename(quoted(path), quoted(target))[0] == "OK":
                self.world.note("imap rename %s to %s", path, target)

    def delete(self):
        """What is below it stays."""
        paths = self.own_paths()
        if not paths:
            return
        path = self.random.choice(paths)
        self.world.lose_mails_of([path])
        self.own_paths()
        if self.client.delete(quoted(path))[0] == "OK":
            self.world.note("imap delete %s", path)


class Device:
    """A phone. owed: a request whose answer was lost, (command, octets, what
    reads the answer, whether it changes folders)."""

    def __init__(self, world, phone, seed):
        self.world, self.phone = world, phone
        self.random, self.name = random.Random(seed), phone.device_id
        self.owed, self.is_stale = None, False
        self.steps = [(self.sync_some, 30), (self.change, 20),
                      (self.move, 6), (self.folder_sync, 4),
                      (self.anew, 0.5)]
        self.lone_steps = [(self.create, 2), (self.rename, 2),
                           (self.delete, 0.7), (self.restart, 0.2)]

    def note(self, text, *arguments):
        self.world.note(self.name + " " + text, *arguments)

    def step(self, is_alone):
        if self.owed and not is_alone and self.owed[3]:
            return
        if self.owed and self.random.randrange(4):
            self.pay()
            return
        self.owed = None    # forgotten: the next request is another one
        if self.is_stale:
            self.folder_sync()
            return
        steps = self.steps + (self.lone_steps if is_alone else [])
        step, = self.random.choices([s for s, _ in steps],
                                    [weight for _, weight in steps])
        step()

    # requests

    def ask(self, cmd, spec, read, changes_folders=False):
        """read: takes the answer; None, or why the request is repeated."""
        self.owed = (cmd, wbxml.encode(spec), read, changes_folders)
        if self.random.randrange(10) == 0 and self.is_answered():
            self.note("loses the answer to %s", cmd)
            self.phone.may_miss = True
        else:
            self.pay()

    def is_answered(self):
        """And was it done?"""
        cmd, body, _, _ = self.owed
        try:
            root = self.phone.check_answer(cmd, self.phone.raw(cmd, body))
        except (OSError, HttpError, Refused):
            self.phone.close()
            return False
        return root is None or wbxml.text(root, "Status") in (None, "1")

    def pay(self):
        cmd, body, read, _ = self.owed
        self.owed = None
        self.phone.again_and_again(lambda: read(
            self.phone.check_answer(cmd, self.phone.raw(cmd, body))))

    # Sync

    def any_folders(self, most=1):
        ids = [i for i, (_, _, kind) in self.phone.folders.items()
               if kind != TYPE_PLACE]
        inbox = self.phone.folder(INBOX)
        return self.random.sample(ids, self.random.randint(1, min(
            most, len(ids)))) if self.random.randrange(2) else [inbox]

    def sync(self, ids, commands=None, window=None):
        self.note("asks for %s by %s", [self.path(i) for i in ids],
                  [self.phone.collection(i).key for i in ids])
        spec = self.phone._sync_spec(
            ids, commands or {}, window or self.random.choice((3, 20, 100)),
            self.phone.sync_options(), 1 if self.random.randrange(8) else 0,
            ())
        self.ask("Sync", spec, lambda root: self.read_sync(
            root, ids, commands or {}))

    def read_sync(self, root, ids, commands):
        self.phone.apply_sync(root, ids, commands)
        for folder_id in ids:
            box = self.phone.collection(folder_id)
            path = self.path(folder_id)
            self.note("sync %s: status %s key %s +%s ~%s -%s", path,
                      box.status, box.key, box.added, box.changed,
                      box.deleted)
            if box.status in RETRY_STATUSES and len(ids) == 1 \
                    and self.random.randrange(2):
                return "status " + box.status
            if box.status == "12" or box.status == "3" \
                    and path not in LASTING:
                self.is_stale = True
            elif box.status not in ("1",) + RETRY_STATUSES:
                raise PhoneError("%s: Sync of %s: status %s" % (
                    self.name, path, box.status))
            for response in box.responses:
                # 7: the server has another change of it, which wins
                if wbxml.text(response, "Status") not in ("1", "7", "8"):
                    raise PhoneError("%s: %s" % (self.name,
                                                 wbxml.pretty(response)))
        return None

    def sync_some(self):
        self.sync(self.any_folders(3))

    def change(self):
        """A Sync with commands of the phone's own."""
        folder_id, = self.any_folders()
        box = self.phone.collection(folder_id)
        commands = [self.command(folder_id, box, i) for i in
                    self.random.sample(sorted(box.items),
                                       min(len(box.items), 3))]
        self.sync([folder_id], {folder_id: commands} if commands else None)

    def command(self, folder_id, box, server_id):
        subject = box.value(server_id, "Email:Subject")
        what = self.random.randrange(4)
        if what == 0 and self.world.number(subject) % 2 == 0:
            if self.path(folder_id) == "Trash":
                self.world.may_be_gone.add(subject)
            self.note("deletes %s, %s", subject, server_id)
            return ("Delete", ("ServerId", server_id))
        if what == 1:
            return ("Fetch", ("ServerId", server_id))
        data = ("Email:Read", self.random.randrange(2)) if what == 2 else \
            ("Email:Flag", ("Status", 2)) if self.random.randrange(2) else \
            ("Email:Flag",)
        self.note("%s of %s", data, subject)
        return ("Change", ("ServerId", server_id), ("ApplicationData", data))

    def move(self):
        source, = self.any_folders()
        target, = self.any_folders()
        box = self.phone.collection(source)
        items = [i for i in sorted(box.items) if self.world.number(
            box.value(i, "Email:Subject")) % 2 == 0]
        items = self.random.sample(items, min(len(items), 3))
        if not items or source == target:
            return
        self.note("moves %s from %s to %s", [box.value(
            i, "Email:Subject") for i in items], self.path(source),
            self.path(target))
        self.ask("MoveItems", ("Move:MoveItems", *[
            ("Move", ("SrcMsgId", i), ("SrcFldId", source),
             ("DstFldId", target)) for i in items]), self.read_moves)

    def read_moves(self, root):
        statuses = {wbxml.text(r, "Status")
                    for r in wbxml.find_all(root, "Response")}
        if "7" in statuses or not statuses:     # somebody is at them
            return "locked"
        if not statuses <= {"1", "2", "3"}:
            raise PhoneError("%s: %s" % (self.name, wbxml.pretty(root)))
        return None

    def anew(self):
        """The phone throws one folder away."""
        folder_id, = self.any_folders()
        self.phone.collections.pop(folder_id, None)
        self.note("has nothing of %s any more", self.path(folder_id))

    # folders

    def path(self, folder_id):
        """As the server has it; "?": this phone does not know it any more."""
        parent, name, kind = self.phone.folders.get(folder_id, ("0", "?", ""))
        if kind == TYPE_INBOX:
            return "INBOX"
        return name if parent == "0" else self.path(parent) + "/" + name

    def folder_sync(self):
        self.ask("FolderSync", ("FolderHierarchy:FolderSync", (
            "SyncKey", self.phone.folder_key)), self.read_folders)

    def read_folders(self, root):
        before = set(self.phone.folders)
        status = self.phone.apply_folder_sync(root)
        if status in RETRY_STATUSES + ("6",):
            return "status " + status
        if status == "9":
            self.phone.collections.clear()
        elif status != "1":
            raise PhoneError("FolderSync: status " + status)
        self.is_stale = status == "9"
        for folder_id in before - set(self.phone.folders):
            self.phone.collections.pop(folder_id, None)
        self.note("folder sync: status %s, %s", status, sorted(
            map(self.path, self.phone.folders)))
        return None

    def own_folders(self):
        return [i for i, (_, _, kind) in self.phone.folders.items()
                if kind == TYPE_USER and self.path(i) not in LASTING]

    def alter(self, cmd, *parts, then=lambda root: None):
        def read(root):
            status = wbxml.text(root, "Status")
            self.note("%s %s: status %s", cmd, parts, status)
            if status in ("6", "16", "111"):    # 5: the parent is gone
                return "status " + status
            if status == "1":
                self.phone.folder_key = wbxml.text(root, "SyncKey")
                then(root)
            self.is_stale |= status != "1"
            return None
        self.ask(cmd, ("FolderHierarchy:" + cmd, (
            "SyncKey", self.phone.folder_key), *parts), read, True)

    def create(self):
        paths = {self.path(i): i for i in self.own_folders()}
        path = self.world.new_path(self.random, sorted(paths))
        if not path:
            return
        parent, _, name = path.rpartition("/")
        parent = paths.get(parent, "0")
        self.alter("FolderCreate", ("ParentId", parent), (
            "DisplayName", name), ("Type", 12), then=lambda root:
            self.phone.folders.update({wbxml.text(root, "ServerId"): (
                parent, name, TYPE_USER)}))

    def rename(self):
        own, name = self.own_folders(), self.world.new_path(self.random, ())
        if own and name:
            folder_id = self.random.choice(own)
            self.alter("FolderUpdate", ("ServerId", folder_id), (
                "ParentId", "0"), ("DisplayName", name), then=lambda root:
                self.phone.folders.update({folder_id: ("0", name,
                                                       TYPE_USER)}))

    def delete(self):
        own = self.own_folders()
        if not own:
            return
        folder_id = self.random.choice(own)
        path = self.path(folder_id)
        self.world.lose_mails_of([p for p in self.world.program.paths()
                                  if (p + "/").startswith(path + "/")])
        self.alter("FolderDelete", ("ServerId", folder_id),
                   then=lambda root: self.forget(path))

    def forget(self, path):
        for folder_id in [i for i in self.phone.folders if (
                self.path(i) + "/").startswith(path + "/")]:
            del self.phone.folders[folder_id]
            self.phone.collections.pop(folder_id, None)

    def restart(self):
        """As a phone whose account was made anew."""
        self.phone.folder_key, self.phone.folders = "0", {}
        self.phone.collections.clear()
        self.is_stale = True
        self.note("starts anew")
        self.folder_sync()

    # the end

    def come_to_rest(self):
        """Everything that is owed, and all there is."""
        if self.owed:
            self.pay()
        for _ in range(REST_ROUNDS):
            self.folder_sync_to_end()
            ids = [i for i, (_, _, kind) in self.phone.folders.items()
                   if kind != TYPE_PLACE]
            if all([self.is_whole(i) for i in ids]) and not self.is_stale:
                self.phone.may_miss = False
                return ids
        raise AssertionError("%s never has all" % self.name)

    def folder_sync_to_end(self):
        self.is_stale = True
        while self.is_stale:
            self.folder_sync()
            if self.owed:
                self.pay()

    def is_whole(self, folder_id):
        box = self.phone.collection(folder_id)
        while not self.is_stale:
            initial = box.key == "0"
            self.ask("Sync", self.phone._sync_spec(
                [folder_id], {}, 100, self.phone.sync_options(), 1, ()),
                lambda root: self.read_sync(root, [folder_id], {}))
            if self.owed:
                self.pay()
            if box.status == "1" and not initial and not box.more \
                    and box.key != "0":
                return not (box.added or box.changed or box.deleted)
        return False

    def contents(self, folder_id):
        """[(subject, read, flagged)] of what the phone has."""
        box = self.phone.collection(folder_id)
        return sorted((box.value(i, "Email:Subject"),
                       box.value(i, "Email:Read"),
                       self.is_flagged(box.items[i])) for i in box.items)

    @staticmethod
    def is_flagged(item):
        flag = item.get("{Email}Flag")
        return flag is not None and wbxml.text(flag, "Status") == "2"


class World:
    """One user, his mailbox, and those who work at it."""

    def __init__(self, dovecot, belfry, user, seed, devices=2):
        self.dovecot, self.user = dovecot, user
        self.random = random.Random("%d %s" % (seed, user))
        self.appended, self.may_be_gone = set(), set()
        self.count, self.trail = 0, []
        self.lock = threading.Lock()
        self.program = MailProgram(self, self.random.random())
        self.devices = [Device(self, belfry.phone(
            user, device_id="DISORDER%d" % n, kind=ForgetfulPhone),
            self.random.random()) for n in range(devices)]
        for device in self.devices:
            device.folder_sync_to_end()

    def note(self, text, *arguments):
        with self.lock:
            self.trail.append(text % arguments)
            del self.trail[:-TRAIL]

    # names

    def new_subject(self):
        with self.lock:
            self.count += 1
            return "mail %d" % self.count

    @staticmethod
    def number(subject):
        return int(subject.split()[1])

    def is_full(self):
        return len(self.appended - self.may_be_gone) > MAILS_MAX

    @staticmethod
    def new_path(chance, parents):
        """A name that may be taken, or None."""
        name = "f%d" % chance.randrange(FOLDERS_MAX)
        if parents and chance.randrange(2):
            name = chance.choice(parents) + "/" + name
        return None if name.count("/") > 2 else name

    def lose_mails_of(self, paths):
        for path in paths:
            self.may_be_gone.update(
                subject for _, subject, _, _ in self.program.mails(path))

    # working

    def step(self):
        """One of them, or two at once; how many steps were done."""
        actors = [self.program, self.program] + self.devices
        if self.random.randrange(4):
            self.random.choice(actors).step(True)
            return 1
        pair = self.random.sample(actors[1:], 2)
        errors = []

        def run(actor):
            try:
                actor.step(False)
            except Exception as error:   # told below
                errors.append(error)
        threads = [threading.Thread(target=run, args=(actor,))
                   for actor in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return 2

    # comparing

    def there(self):
        """{path: [(subject, read, flagged)]} as the server has it."""
        return {path: sorted(mail[1:] for mail in self.program.mails(
            path, True)) for path in self.program.paths()
                if self.program.is_there(path)}

    def compare(self):
        """Raises unless every phone has what the server has, and the server
        every mail once."""
        for device in self.devices:
            ids = device.come_to_rest()
            expected = self.there()
            found = {device.path(i): device.contents(i) for i in ids}
            if found != expected:
                raise AssertionError("%s has\n%s\nand the server\n%s" % (
                    device.name, difference(found, expected),
                    difference(expected, found)))
        subjects = [mail[0] for mails in expected.values() for mail in mails]
        if len(set(subjects)) != len(subjects):
            raise AssertionError("doubles: %s" % sorted(
                s for s in set(subjects) if subjects.count(s) > 1))
        lost = self.appended - self.may_be_gone - set(subjects)
        if lost:
            raise AssertionError("lost: %s" % sorted(lost))


def difference(one, other):
    """What one has and the other has not."""
    return {path: [mail for mail in mails if mail not in other.get(path, ())]
            for path, mails in one.items() if mails != other.get(path)}
