# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a phone may name, with all that could be taken for something else
in it: the mail server hears no command but ours, no log has a line but ours,
and nobody has another's mail. (Mails that are sent: test_send.)"""

import base64
import os
import re

from lib import wbxml
from lib.house import HELD_S, House
from lib.http_raw import HttpError
from lib.mail import message
from lib.phone import INBOX, WBXML_TYPE, Refused
from lib.process import run

# Each tries to begin a command of IMAP with this tag, or a line of a log.
TAG = "X1"
COMMAND = TAG + " CREATE EVIL"
VALUES = (
    '" ' + COMMAND, '"\r\n%s\r\n' % COMMAND, "\r\n%s\r\n" % COMMAND,
    "\n%s\n" % COMMAND, "\r%s\r" % COMMAND, ")\r\n%s\r\n" % COMMAND,
    "{5}\r\n%s" % COMMAND, "{0+}\r\n%s\r\n" % COMMAND, "x{3}", "~{5}",
    "x\\", '\\"', 'x"', '\\\\"\r\n%s' % COMMAND, "%", "*", "a%b*c", "(", ")",
    "NIL", "", " ", "INBOX\t", "&AGE-", "&", "&AAoACQ-", "&Jjo",
    "..", ".", "/", "//", "../../../etc/passwd", "..\\..\\x", "~root/x",
    "%s%n%x", "$(id)", "`id`", "; id", "' OR 1=1 --", "<a/>", "]]>", "&lt;",
    "x\x01\x02\x1b[2J\x7f", "\x1b]0;evil\x07", "2026-11-28T00:00:00.000Z x: y",
    "user=evil status=200", "\u202egnp.exe", "\u2028" + COMMAND, "\ufeffx",
    "\u0085" + COMMAND, "=?utf-8?Q?=0D=0AX1?=", "x" * 100000, "\U0001f514" * 300,
    "#" * 255 + "/" + TAG,
    # opaque: what a string cannot have
    b"x\0" + COMMAND.encode(), b"\0", b"\r\n\0", b"\xff\xfe\r\n" + COMMAND.encode(),
    b"\xc0\x8a" + COMMAND.encode(), b"\xed\xa0\x80",
)
PLACE = "(value)"
# The last two: how a session ends, and what the test itself says.
OURS = rb"^([AB]\d+ [A-Z]|DONE$|$|Z LOGOUT$|[A-P]{4}\d+ [A-Z])"
RAWLOG = """
protocol imap {
  rawlog_dir = %h/rawlog
}
"""


def string(value):
    """As WBXML has it; what may have a NUL in it as opaque data."""
    if isinstance(value, str):
        return bytes((wbxml.STR_I,)) + value.encode() + b"\0"
    assert len(value) < 0x80
    return bytes((wbxml.OPAQUE, len(value))) + value


def commands(octets):
    """The command lines of what a client sent, literals left out."""
    # rawlog says when each line came
    octets = re.sub(rb"(?m)^\d+\.\d+ ", b"", octets)
    while octets:
        line, _, octets = octets.partition(b"\r\n")
        yield line
        while True:
            literal = re.search(rb"\{(\d+)\+?\}$", line)
            if not literal:
                break
            octets = octets[int(literal[1]):]
            line, _, octets = octets.partition(b"\r\n")


class Injection(House):
    DOVECOT = {"extra": RAWLOG}
    TEST_TIMEOUT_S = 600

    def setUp(self):
        super().setUp()
        self.other = self.next_user()
        for user in (self.user, self.other):
            account = self.dovecot.accounts[user]
            place = os.path.join(account["home"], "rawlog")
            os.makedirs(place)
            for path in (account["home"], place):
                os.chown(path, account["uid"], account["gid"])
            self.dovecot.append(user, message("mail of " + user, attachments=[
                ("a.bin", "application/octet-stream", user.encode())]))
        self.phone = self.ready_phone()
        self.inbox = self.phone.folder(INBOX)
        self.item = next(iter(self.phone.collection(self.inbox).items))
        self.roles = sorted(pid for pid, _ in self.belfry.roles())

    # what must not be

    def mailboxes(self, user):
        client = self.dovecot.imap(user)
        try:
            return sorted(line.rpartition(b" ")[2] for line in client.list()[1])
        finally:
            client.logout()

    def heard(self, user):
        place = os.path.join(self.dovecot.accounts[user]["home"], "rawlog")
        for name in os.listdir(place):
            if name.endswith(".in"):
                with open(os.path.join(place, name), "rb") as file:
                    yield from commands(file.read())

    def assert_only_ours(self):
        """Of each user: tags of ours, and no mailbox that an attack made."""
        for user in (self.user, self.other):
            count = 0
            for line in self.heard(user):
                self.assertRegex(line, OURS)
                count += 1
            if user == self.user:
                self.assertGreater(count, 3)
            self.assertNotIn(b"EVIL", self.mailboxes(user))
        self.assertEqual(self.dovecot.subjects(self.other),
                         ["mail of " + self.other])
        # splitlines() knows all that anybody takes for the end of a line
        for line in self.belfry.log().splitlines():
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT[\d:.]+Z \S.*: ")
            self.assertNotRegex(line, r"[\x00-\x08\x0b-\x1f\x7f]")
        self.assertEqual(sorted(pid for pid, _ in self.belfry.roles()),
                         self.roles, self.belfry.log()[-3000:])

    def ask(self, cmd, tree, value):
        """With the value instead of PLACE. The answer, which may be any but
        one that breaks the protocol; None for a refusal by HTTP, or when it
        is held."""
        body = wbxml.encode(tree)
        self.assertIn(string(PLACE), body)
        connection = self.phone.connect()
        try:
            connection.send("POST", self.phone.target(cmd), self.phone.headers(
                WBXML_TYPE), body.replace(string(PLACE), string(value)))
            if not connection.readable(HELD_S if cmd == "Ping" else 30):
                self.assertEqual(cmd, "Ping")
                return None
            return self.phone.read_answer(cmd, connection)
        except Refused as refused:
            self.assertNotEqual(refused.status, 500)
            return None
        finally:
            connection.close()

    # the tests

    def requests(self):
        """(Cmd, document) with each place in turn."""
        inbox, item, value = self.inbox, self.item, PLACE
        key = self.phone.collection(inbox).key

        def sync(*parts, folder=inbox, sync_key=key):
            return ("Sync", ("AirSync:Sync", ("Collections", (
                "Collection", ("SyncKey", sync_key), ("CollectionId", folder),
                *parts))))

        def search(collection, text):
            return ("Search", ("Search:Search", (
                "Store", ("Name", "Mailbox"), ("Query", (
                    "And", ("AirSync:Class", "Email"),
                    ("AirSync:CollectionId", collection),
                    ("FreeText", text))), ("Options", ("Range", "0-9")))))

        def fetch(*parts):
            return ("ItemOperations", ("ItemOperations:ItemOperations", (
                "Fetch", ("Store", "Mailbox"), *parts)))

        yield search(inbox, value)
        yield search(value, "x")
        yield sync(folder=value)
        yield sync(sync_key=value)
        yield sync(("Commands", ("Fetch", ("ServerId", value))))
        yield sync(("Commands", ("Change", ("ServerId", value), (
            "ApplicationData", ("Email:Read", 1)))))
        yield ("MoveItems", ("Move:MoveItems", (
            "Move", ("SrcMsgId", value), ("SrcFldId", inbox),
            ("DstFldId", inbox))))
        for source, target in ((value, inbox), (inbox, value)):
            yield ("MoveItems", ("Move:MoveItems", (
                "Move", ("SrcMsgId", item), ("SrcFldId", source),
                ("DstFldId", target))))
        yield fetch(("AirSync:CollectionId", inbox), ("AirSync:ServerId", value))
        yield fetch(("AirSync:CollectionId", value), ("AirSync:ServerId", item))
        yield fetch(("AirSyncBase:FileReference", value))
        yield fetch(("Search:LongId", value))
        yield ("ItemOperations", ("ItemOperations:ItemOperations", (
            "EmptyFolderContents", ("AirSync:CollectionId", value))))
        yield ("GetItemEstimate", ("GetItemEstimate:GetItemEstimate", (
            "Collections", ("Collection", ("AirSync:SyncKey", key),
                            ("CollectionId", value)))))
        yield ("Ping", ("Ping:Ping", ("HeartbeatInterval", value), (
            "Folders", ("Folder", ("Id", inbox), ("Class", "Email")))))
        yield ("Ping", ("Ping:Ping", ("HeartbeatInterval", 60), (
            "Folders", ("Folder", ("Id", value), ("Class", "Email")))))
        yield ("Settings", ("Settings:Settings", ("DeviceInformation", ("Set", *[
            (name, value) for name in ("Model", "IMEI", "FriendlyName", "OS",
                                       "OSLanguage", "PhoneNumber", "UserAgent",
                                       "MobileOperator")]))))
        for name in ("FolderId", "ItemId", "LongId"):
            source = {"FolderId": inbox, "ItemId": item, name: value}
            if name == "LongId":
                source = {name: value}
            yield ("SmartReply", ("ComposeMail:SmartReply", ("ClientId", "1"), (
                "Source", *source.items()), ("Mime", b"From: a@b\r\n\r\n")))
        yield ("SendMail", ("ComposeMail:SendMail", ("ClientId", value),
                            ("AccountId", value), ("Mime", b"x\r\n\r\n")))

    def folder_requests(self):
        key, value = self.phone.folder_key, PLACE
        for cmd, parts in (
                ("FolderCreate", [("ParentId", 0), ("DisplayName", value),
                                  ("Type", 12)]),
                ("FolderCreate", [("ParentId", value), ("DisplayName", "new"),
                                  ("Type", 12)]),
                ("FolderUpdate", [("ServerId", value), ("ParentId", 0),
                                  ("DisplayName", "new")]),
                ("FolderUpdate", [("ServerId", self.victim), ("ParentId", 0),
                                  ("DisplayName", value)]),
                ("FolderDelete", [("ServerId", value)])):
            yield (cmd, ("FolderHierarchy:" + cmd, ("SyncKey", key), *parts))

    def test_no_value_of_a_request_becomes_a_command(self):
        for value in VALUES:
            for cmd, tree in self.requests():
                with self.subTest(cmd, value=value[:40]):
                    self.ask(cmd, tree, value)
        self.assert_only_ours()
        self.assertEqual(self.dovecot.subjects(self.user),
                         ["mail of " + self.user])

    def test_no_name_of_a_folder_becomes_a_command(self):
        client = self.dovecot.imap(self.user)
        client.create("Victim")
        client.logout()
        self.phone.folder_sync()
        self.victim = self.phone.folder("Victim")
        for value in VALUES:
            for cmd, tree in self.folder_requests():
                with self.subTest(cmd, value=value[:40]):
                    root = self.ask(cmd, tree, value)
                    if root is not None and wbxml.text(root, "Status") == "1":
                        self.phone.folder_key = wbxml.text(root, "SyncKey")
        self.assert_only_ours()
        # what was made is there by its name, and a phone can go on with it
        self.phone_of(device_id="ANOTHER").folder_sync()
        self.assertEqual(self.dovecot.subjects(self.user),
                         ["mail of " + self.user])

    def posted(self, target, headers=(), body=b""):
        """The status; None for a closed connection."""
        connection = self.phone.connect()
        try:
            connection.send("POST", target, headers, body)
            return connection.receive().status
        except (HttpError, OSError):
            return None
        finally:
            connection.close()

    def test_no_login_becomes_a_command(self):
        for value in VALUES:
            octets = value if isinstance(value, bytes) else value.encode()
            for user, password in (
                    (octets, b"secret"), (self.user.encode() + octets, b"x"),
                    (self.user.encode(), octets),
                    (octets + b"@example.org", octets)):
                with self.subTest(user=user[:40], password=password[:40]):
                    login = base64.b64encode(user + b":" + password).decode()
                    if len(login) > 8000:
                        login = login[:8000]
                    self.assertNotEqual(self.posted(
                        self.phone.target("FolderSync"),
                        [("Authorization", "Basic " + login)]), 200)
        # who guesses is slowed down; the phone is not
        self.phone.folder_sync()
        self.assert_only_ours()

    def test_no_query_and_no_header_becomes_a_command(self):
        names = ("Cmd", "User", "DeviceId", "DeviceType", "CollectionId",
                 "ItemId", "AttachmentName", "SaveInSent", "LongId")
        document = wbxml.encode(("FolderHierarchy:FolderSync",
                                 ("SyncKey", "0")))
        for value in VALUES:
            for name in names:
                for cmd in ("GetAttachment", "FolderSync"):
                    with self.subTest(name, cmd=cmd, value=value[:40]):
                        pairs = {"Cmd": cmd, "User": self.user,
                                 "DeviceId": "D1", "DeviceType": "T",
                                 name: value}
                        target = self.phone.target(cmd).partition("?")[0] \
                            + "?" + "&".join("%s=%s" % (key, quoted(text))
                                             for key, text in pairs.items())
                        self.posted(target, self.phone.headers(WBXML_TYPE),
                                    document)
            if isinstance(value, bytes) or not value.isprintable() \
                    or not value.isascii() or len(value) > 1000:
                continue
            for name in ("User-Agent", "X-MS-PolicyKey", "MS-ASProtocolVersion",
                         "X-Forwarded-For", "Accept-Language", "Content-Type"):
                with self.subTest(name, value=value):
                    own = [h for h in self.phone.headers(WBXML_TYPE)
                           if h[0] != name]
                    self.posted(self.phone.target("FolderSync"),
                                own + [(name, value)], document)
        self.assert_only_ours()
        devices = self.belfry.control("devices", self.user + "@example.org")
        self.assertNotRegex(devices, r"[\x00-\x09\x0b-\x1f\x7f]")
        self.assertNotRegex(devices, r"(?m)^" + TAG)

    def test_no_word_of_a_hook_becomes_a_line_or_a_file(self):
        held = self.held_ping(self.phone)
        run_dir = self.folder("belfry", "run")
        before = sorted(os.listdir(run_dir))
        for value in VALUES:
            if isinstance(value, bytes) or len(value) > 10000:
                continue
            for user, mailbox in ((value, "INBOX"), (self.user, value)):
                run(self.belfry.hook_command(user) + [mailbox], check=False)
        self.assert_only_ours()
        self.assert_held(held)
        self.assertEqual(sorted(os.listdir(run_dir)), before)
        self.deliver("a real one")
        run(self.belfry.hook_command(self.user))
        self.assert_rings(held, ["a real one"])


def quoted(value):
    octets = value if isinstance(value, bytes) else value.encode()
    return "".join("%%%02X" % octet for octet in octets[:2000])


class Others(House):
    """A user names what another user's phone was told."""

    BELFRY = {"hook": "no"}

    def test_nothing_that_another_users_phone_knows_opens_anything(self):
        owner, thief = self.user, self.next_user()
        self.dovecot.append(owner, message("private", attachments=[
            ("a.bin", "application/octet-stream", b"private data")]))
        client = self.dovecot.imap(owner)
        client.create("Secret")
        client.logout()
        self.dovecot.append(owner, message("also private"), "Secret")
        mine = self.ready_phone(owner, device_id="OWNER")
        inbox, secret = mine.folder(INBOX), mine.folder("Secret")
        for folder in (inbox, secret):
            mine.sync_all(folder)
        item = next(iter(mine.collection(inbox).items))
        hidden = next(iter(mine.collection(secret).items))
        reference = mine.collection(inbox).items[item][
            "{AirSyncBase}Attachments"][0].findtext(
                "{AirSyncBase}FileReference")
        theirs = self.ready_phone(thief, device_id="THIEF")

        def fetch(*parts):
            return ("ItemOperations", ("ItemOperations:ItemOperations", (
                "Fetch", ("Store", "Mailbox"), *parts)))

        for cmd, tree in (
                fetch(("AirSync:CollectionId", inbox),
                      ("AirSync:ServerId", item)),
                fetch(("AirSync:CollectionId", secret),
                      ("AirSync:ServerId", hidden)),
                fetch(("AirSyncBase:FileReference", reference)),
                fetch(("Search:LongId", hidden)),
                ("MoveItems", ("Move:MoveItems", (
                    "Move", ("SrcMsgId", hidden), ("SrcFldId", secret),
                    ("DstFldId", theirs.folder(INBOX))))),
                ("Search", ("Search:Search", (
                    "Store", ("Name", "Mailbox"), ("Query", (
                        "And", ("AirSync:Class", "Email"),
                        ("AirSync:CollectionId", secret),
                        ("FreeText", "private"))),
                    ("Options", ("Range", "0-9"))))),
                ("ItemOperations", ("ItemOperations:ItemOperations", (
                    "EmptyFolderContents",
                    ("AirSync:CollectionId", secret)))),
                ("FolderDelete", ("FolderHierarchy:FolderDelete", (
                    "SyncKey", theirs.folder_key), ("ServerId", secret))),
                ("SmartForward", ("ComposeMail:SmartForward",
                                  ("ClientId", "1"), (
                                      "Source", ("FolderId", secret),
                                      ("ItemId", hidden)),
                                  ("Mime", b"From: a@b\r\nTo: a@b\r\n\r\n")))):
            with self.subTest(cmd):
                response = theirs.raw(cmd, wbxml.encode(tree))
                self.assertEqual(response.status, 200)
                self.assertNotIn(b"private", response.body)
                self.assertNotIn(base64.b64encode(b"private data"),
                                 response.body)
        response = theirs.raw("GetAttachment", b"", parameters=[
            ("AttachmentName", reference)])
        self.assertNotEqual(response.status, 200)
        self.assertEqual((self.dovecot.subjects(owner),
                          self.dovecot.subjects(owner, "Secret")),
                         (["private"], ["also private"]))
        self.assertEqual(self.dovecot.subjects(thief), [])
