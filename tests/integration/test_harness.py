# SPDX-License-Identifier: GPL-3.0-or-later
"""The ground that the other tests stand on, tested against real servers."""

import os
import shutil
import signal
import socket
import ssl
import tempfile
import unittest

from lib import schema, wbxml
from lib.certificates import Certificates
from lib.dovecot import Dovecot, ImapLines
from lib.http_raw import Connection, HttpError, tls_context
from lib.mail import deliver_lmtp, message
from lib.phone import Phone, PhoneError, Refused
from lib.postfix import LOCAL_DOMAIN, Postfix, SystemUser
from lib.process import (Folder, Process, children_of, command_of, free_port,
                         port_answers, session_members, tree_of, wait_until)
from lib.scripted import ScriptedServer, answer

LUA = """
-- writes one line an event, so that a test sees which the driver gets
local function note(user, event)
  local file = io.open("%s", "a")
  file:write(user .. " " .. event.name .. " " .. event.mailbox .. "\\n")
  file:close()
end
function dovecot_lua_notify_begin_txn(user)
  return { user = user.username }
end
function dovecot_lua_notify_event_message_new(ctx, event)
  note(ctx.user, event)
end
function dovecot_lua_notify_event_message_append(ctx, event)
  note(ctx.user, event)
end
function dovecot_lua_notify_end_txn(ctx, ok)
end
"""


class Wbxml(unittest.TestCase):
    def test_ping_of_the_specification_has_these_octets(self):
        tree = ("Ping:Ping", ("HeartbeatInterval", 80), ("Folders", (
            "Folder", ("Id", "5"), ("Class", "Email"))))
        expected = bytes.fromhex("03016a00000d4548033830000149"
                                 "4a4b033500014c03456d61696c0001010101")
        self.assertEqual(wbxml.encode(tree), expected)

    def test_what_is_written_reads_the_same(self):
        tree = ("AirSync:Sync", ("Collections", ("Collection",
                ("SyncKey", "1"), ("CollectionId", "2"), ("GetChanges",),
                ("Commands", ("Change", ("ServerId", "2:1"), (
                    "ApplicationData", ("Email:Read", 1),
                    ("Email:Flag", ("Status", 2), ("Tasks:StartDate", "x")),
                    ("AirSyncBase:Body", ("Data", "\u00e4 <&>\n"))))))))
        root = wbxml.decode(wbxml.encode(tree))
        self.assertEqual(wbxml.encode(root), wbxml.encode(tree))
        data = wbxml.find(root, "Collections/Collection/Commands/Change/"
                                "ApplicationData")
        self.assertEqual(wbxml.text(data, "AirSyncBase:Body/Data"),
                         "\u00e4 <&>\n")
        self.assertEqual(wbxml.text(data, "Email:Flag/Tasks:StartDate"), "x")

    def test_opaque_data_is_kept_octet_by_octet(self):
        raw = bytes(range(256))
        seen = []
        root = wbxml.decode(wbxml.encode(
            ("AirSync:ApplicationData", ("Email2:ConversationId", raw))), seen)
        self.assertEqual(seen, [("{Email2}ConversationId", raw)])
        self.assertEqual(wbxml.decode(wbxml.encode(root), seen).tag,
                         "{AirSync}ApplicationData")
        self.assertEqual(seen[0], seen[1])

    def test_broken_documents_are_refused(self):
        good = wbxml.encode(("Ping:Ping", ("Status", 1)))
        broken = {
            "nothing": b"",
            "header": b"\x02" + good[1:],
            "truncated": good[:-1],
            "more after the end": good + b"\x01",
            "unknown page": b"\x03\x01\x6a\0\0\x1a\x45\x01",
            "unknown token": b"\x03\x01\x6a\0\0\x0d\x7f\x01",
            "attributes": b"\x03\x01\x6a\0\0\x0d\xc5\x01\x01",
            "bad UTF-8": good.replace(b"\x031", b"\x03\xff"),
            "endless string": good[:10].replace(b"1\0", b"11"),
            "opaque too long": b"\x03\x01\x6a\0\0\x0d\x45\xc3\x7f12\x01",
            "text before an element": b"\x03\x01\x6a\0\0\x0d\x45\x03a\0\x07\x01",
        }
        for name, data in broken.items():
            with self.subTest(name), self.assertRaises(wbxml.WbxmlError):
                wbxml.decode(data)

    def test_every_name_of_the_schemas_has_a_token(self):
        # names that the published schemas spell unlike the token table, in
        # lists of what a device need not send
        odd = {"{Contacts}" + name for name in (
            "AssistnamePhoneNumber Webpage HomeTelephoneNumber "
            "Home2TelephoneNumber MobileTelephoneNumber CarTelephoneNumber "
            "AssistantTelephoneNumber BusinessTelephoneNumber "
            "Business2TelephoneNumber RadioTelephoneNumber").split()}
        path = schema.folder()
        if path is None:
            self.skipTest("no ActiveSync schemas")
        missing = set()
        for namespace, roots in schema.files_by_namespace(path).items():
            if namespace.startswith("http:"):
                continue    # Autodiscover: plain XML
            for root in roots:
                for node in root.iter(schema.XS + "element"):
                    name = "{%s}%s" % (namespace, node.get("name"))
                    if node.get("name") and name not in wbxml.TOKENS:
                        missing.add(name)
        self.assertEqual(missing - odd, set())


class Schema(unittest.TestCase):
    MAIL = (("Email:To", "alice@example.org"), ("Email:Subject", "hello"),
            ("Email:DateReceived", "2026-11-23T02:13:00.000Z"),
            ("Email:Read", 0), ("Email:MessageClass", "IPM.Note"),
            ("AirSyncBase:Body", ("Type", 1), ("EstimatedDataSize", 5),
             ("Truncated", 0), ("Data", "hello")),
            ("AirSyncBase:NativeBodyType", 1),
            ("Email2:ConversationId", b"\1\2\3\4"))

    @staticmethod
    def sync(*collection):
        return ("AirSync:Sync", ("Collections", ("Collection", *collection)))

    def setUp(self):
        if schema.folder() is None and os.environ.get("CI") != "true":
            self.skipTest("no ActiveSync schemas")

    def accepts(self, tree):
        self.assertTrue(schema.validate(wbxml.decode(wbxml.encode(tree))))

    def refuses(self, tree):
        with self.assertRaises(schema.SchemaError):
            schema.validate(wbxml.decode(wbxml.encode(tree)))

    def test_right_answers_are_accepted(self):
        self.accepts(("Ping:Ping", ("Status", 2),
                      ("Folders", ("Folder", "5"))))
        self.accepts(("Ping:Ping", ("Status", 5), ("HeartbeatInterval", 60)))
        self.accepts(("FolderHierarchy:FolderSync", ("Status", 1),
                      ("SyncKey", 1), ("Changes", ("Count", 1), (
                          "Add", ("ServerId", "1"), ("ParentId", "0"),
                          ("DisplayName", "Inbox"), ("Type", 2)))))
        self.accepts(("Provision:Provision",
                      ("Settings:DeviceInformation", ("Status", 1)),
                      ("Status", 1), ("Policies", (
                          "Policy", ("PolicyType", "MS-EAS-Provisioning-WBXML"),
                          ("Status", 1), ("PolicyKey", "1307199584"),
                          ("Data", ("EASProvisionDoc",
                                    ("DevicePasswordEnabled", 0)))))))
        self.accepts(self.sync(
            ("SyncKey", "2"), ("CollectionId", "5"), ("Status", 1),
            ("Commands", ("Add", ("ServerId", "5:1"),
                          ("ApplicationData", *self.MAIL))),
            ("MoreAvailable",)))

    def test_a_wrong_order_is_refused(self):
        self.refuses(("Ping:Ping", ("Folders", ("Folder", "5")),
                      ("Status", 2)))
        self.refuses(("FolderHierarchy:FolderSync", ("SyncKey", 1),
                      ("Status", 1)))
        self.refuses(self.sync(
            ("SyncKey", "2"), ("CollectionId", "5"), ("Status", 1),
            ("Commands", ("Add", ("ApplicationData", *self.MAIL),
                          ("ServerId", "5:1")))))
        self.refuses(self.sync(
            ("SyncKey", "2"), ("CollectionId", "5"), ("Status", 1),
            ("Commands", ("Add", ("ServerId", "5:1"), ("ApplicationData", (
                "AirSyncBase:Body", ("EstimatedDataSize", 5), ("Type", 1)))))))

    def test_a_wrong_type_is_refused(self):
        self.refuses(("Ping:Ping", ("Status", "two")))
        self.refuses(self.sync(
            ("SyncKey", "2"), ("CollectionId", "5"), ("Status", 1),
            ("Commands", ("Add", ("ServerId", "5:1"), ("ApplicationData", (
                "Email:DateReceived", "20261123T021300Z"))))))

    def test_what_does_not_belong_there_is_refused(self):
        self.refuses(self.sync(("Class", "Email"), ("SyncKey", "2")))
        self.refuses(("Ping:Folders", ("Folder", "5")))

    def test_each_command_has_a_schema(self):
        xsd = schema.load(schema.folder())
        for name in schema.ROOTS:
            with self.subTest(name):
                xsd.validate(wbxml.element((name, ("Nonsense",))))
                self.assertNotIn("No matching global",
                                 str(xsd.error_log.last_error))


class PhoneForms(unittest.TestCase):
    def test_the_base64_query_is_that_of_the_specification(self):
        phone = Phone("host", 443, "alice", "secret", device_id="v140Device",
                      device_type="SmartPhone", version="14.0", query="base64")
        self.assertTrue(phone.target("Sync").endswith(
            "?jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l"))

    def test_http_without_a_length_is_refused(self):
        for reply in (b"HTTP/1.1 200 OK\r\n\r\n",
                      b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                      b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
                      b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"):
            with self.subTest(reply), self.assertRaises(HttpError):
                self.answer_with(reply)

    def test_lengths_and_chunks_are_read(self):
        self.assertEqual(self.answer_with(
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").body,
            b"hello")
        self.assertEqual(self.answer_with(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n").body, b"hello")

    def answer_with(self, reply):
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = Connection("127.0.0.1", server.getsockname()[1])
            peer, _ = server.accept()
            with peer:
                peer.sendall(reply)
                peer.shutdown(socket.SHUT_WR)
                try:
                    return client.receive()
                finally:
                    client.close()


class PhoneTalk(unittest.TestCase):
    """The phone against scripted answers, right and wrong ones."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder("harness-phone")
        cls.addClassCleanup(cls.folder.remove)
        cls.certificates = Certificates(cls.folder)
        cls.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cls.context.load_cert_chain(*cls.certificates.good)

    def serve(self, *script):
        self.server = ScriptedServer(self.context, script)
        self.addCleanup(self.server.close)
        phone = Phone("localhost", self.server.port, "alice", "secret",
                      tls=tls_context(self.certificates.ca))
        self.addCleanup(phone.close)
        return phone

    @staticmethod
    def synced(key, *commands, more=False, status=1):
        parts = [("SyncKey", key), ("CollectionId", "5"), ("Status", status)]
        if commands:
            parts.append(("Commands", *commands))
        if more:
            parts.append(("MoreAvailable",))
        return answer(("AirSync:Sync", ("Collections", (
            "Collection", *parts))))

    @staticmethod
    def add(server_id, subject):
        return ("Add", ("ServerId", server_id), (
            "ApplicationData", ("Email:Subject", subject),
            ("Email:Read", 0)))

    def test_a_new_account_is_set_up(self):
        policy = [("PolicyType", "MS-EAS-Provisioning-WBXML"), ("Status", 1)]
        phone = self.serve(
            answer(headers=(("MS-ASProtocolVersions", "14.0,14.1"),
                            ("MS-ASProtocolCommands", "Sync,Ping"))),
            answer(("Provision:Provision", ("Status", 1), ("Policies", (
                "Policy", *policy, ("PolicyKey", "11"), (
                    "Data", ("EASProvisionDoc",
                             ("DevicePasswordEnabled", 0))))))),
            answer(("Provision:Provision", ("Status", 1), ("Policies", (
                "Policy", *policy, ("PolicyKey", "12"))))),
            answer(("FolderHierarchy:FolderSync", ("Status", 1),
                    ("SyncKey", "f1"), ("Changes", ("Count", 1), (
                        "Add", ("ServerId", "5"), ("ParentId", "0"),
                        ("DisplayName", "Inbox"), ("Type", 2))))))
        phone.set_up()
        self.assertEqual(phone.folder(), "5")
        self.assertEqual(phone.folder_key, "f1")
        last = self.server.requests[-1]
        self.assertEqual(last.query["Cmd"], "FolderSync")
        self.assertEqual(last.headers["X-MS-PolicyKey"], "12")
        self.assertEqual(last.headers["Authorization"],
                         "Basic YWxpY2U6c2VjcmV0")

    def test_items_are_added_changed_and_removed(self):
        phone = self.serve(
            self.synced("k1"),
            self.synced("k2", self.add("5:1", "one"), more=True),
            self.synced("k3", self.add("5:2", "two"),
                        ("Change", ("ServerId", "5:1"),
                         ("ApplicationData", ("Email:Read", 1)))),
            answer(),
            self.synced("k4", ("Delete", ("ServerId", "5:1")),
                        ("SoftDelete", ("ServerId", "5:2"))))
        box = phone.sync_all("5")
        self.assertEqual(box.values(), ["one", "two"])
        self.assertEqual(box.value("5:1", "Email:Read"), "1")
        self.assertEqual((box.added, box.changed), (["5:1", "5:2"], ["5:1"]))
        self.assertEqual(phone.sync("5").key, "k3")
        self.assertEqual(phone.sync("5").items, {})
        self.assertEqual(box.key, "k4")

    def test_a_lost_answer_is_asked_for_again(self):
        phone = self.serve(
            self.synced("k1"), self.synced("k2", self.add("5:1", "one")),
            self.synced("k2", self.add("5:1", "one")),
            self.synced("k3", self.add("5:2", "two")),
            self.synced("k2", self.add("5:1", "one")))
        phone.sync("5")
        self.assertIsNone(phone.sync("5", lose=True))
        self.assertEqual(phone.collection("5").key, "k1")
        box = phone.repeat()[0]
        sent = [request.body for request in self.server.requests]
        self.assertEqual(sent[1], sent[2])
        self.assertEqual((box.key, box.values()), ("k2", ["one"]))
        phone.sync("5")
        self.assertEqual(phone.go_back("5").values(), ["one"])
        self.assertEqual(box.key, "k2")

    def test_own_changes_are_applied_when_the_server_took_them(self):
        phone = self.serve(
            self.synced("k1"),
            self.synced("k2", self.add("5:1", "one"), self.add("5:2", "two")),
            answer(("AirSync:Sync", ("Collections", (
                "Collection", ("SyncKey", "k3"), ("CollectionId", "5"),
                ("Status", 1), ("Responses", (
                    "Change", ("ServerId", "5:1"), ("Status", 8))))))))
        phone.sync_all("5")
        box = phone.sync("5", {"5": [
            ("Change", ("ServerId", "5:1"),
             ("ApplicationData", ("Email:Read", 1))),
            ("Delete", ("ServerId", "5:2"))]})
        self.assertEqual(box.values(), ["one"])
        self.assertEqual(box.value("5:1", "Email:Read"), "0")

    def test_a_held_ping_is_waited_for(self):
        def hold(request):
            self.server.release.wait(20)
            return answer(("Ping:Ping", ("Status", 2),
                           ("Folders", ("Folder", "5"))))
        phone = self.serve(hold)
        held = phone.ping_start(600, ["5"])
        self.assertFalse(held.answered(0.2))
        self.server.release.set()
        self.assertEqual(phone.ping_wait(held)[:2], ("2", ["5"]))

    def test_a_connection_that_the_server_closed_is_opened_again(self):
        phone = self.serve(self.synced("k1"), None, self.synced("k2"))
        phone.sync("5")
        with self.assertRaises(HttpError):
            phone.sync("5")
        self.assertEqual(phone.sync("5").key, "k2")

    def test_answers_that_break_the_protocol_are_refused(self):
        good = wbxml.encode(("Ping:Ping", ("Status", 1)))
        broken = {
            "no server header": answer(body=good, headers=()),
            "another type": answer(body=good, kind="text/html"),
            "an empty Ping": answer(),
            "no WBXML": answer(body=b"<Ping/>"),
            "a status": answer(status="503 Service Unavailable"),
        }
        for name, reply in broken.items():
            with self.subTest(name), self.assertRaises(
                    (PhoneError, Refused, wbxml.WbxmlError)):
                self.serve(reply).ping(600, ["5"])

    def test_changes_of_what_the_phone_does_not_have_are_refused(self):
        for command in (("Delete", ("ServerId", "5:9")),
                        ("Change", ("ServerId", "5:9"),
                         ("ApplicationData", ("Email:Read", 1)))):
            with self.subTest(command[0]), self.assertRaises(PhoneError):
                phone = self.serve(self.synced("k1"),
                                   self.synced("k2", command))
                phone.sync_all("5")


class WithServers(unittest.TestCase):
    """A folder and a Dovecot for the class; arguments in DOVECOT."""

    DOVECOT = {}

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder("harness")
        cls.addClassCleanup(cls.folder.remove)
        cls.certificates = Certificates(cls.folder)
        cls.dovecot = Dovecot(cls.folder, cls.certificates,
                              **cls.dovecot_arguments())
        cls.addClassCleanup(cls.dovecot.stop)
        cls.dovecot.start()

    @classmethod
    def dovecot_arguments(cls):
        return cls.DOVECOT


class Delivery(WithServers):
    @classmethod
    def dovecot_arguments(cls):
        cls.events = cls.folder.write("events", "", mode=0o666)
        return {"lua": cls.folder.write("push.lua", LUA % cls.events)}

    def expect(self, user, subject, mailbox="INBOX"):
        self.assertIn(subject, self.dovecot.subjects(user, mailbox))

    def expect_event(self, line):
        wait_until(lambda: line in self.folder.read("events").split("\n"),
                   "Lua event %r" % line)

    def test_lmtp_by_port_and_by_socket_delivers_and_fires_lua(self):
        deliver_lmtp(self.dovecot.lmtp_port, "u0001", message("by port"))
        deliver_lmtp(self.dovecot.lmtp_socket, "u0001", message("by socket"))
        self.expect("u0001", "by port")
        self.expect("u0001", "by socket")
        self.expect_event("u0001 MessageNew INBOX")

    def test_lda_delivers_into_a_folder_and_fires_lua(self):
        done = self.dovecot.deliver_lda("u0002", message("by lda"), "Work")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.expect("u0002", "by lda", "Work")
        self.expect_event("u0002 MessageNew Work")

    def test_append_stores_and_fires_lua(self):
        self.dovecot.append("u0003", message("by append"))
        self.expect("u0003", "by append")
        self.expect_event("u0003 MessageAppend INBOX")

    def test_postfix_delivers_by_pipe_and_mailbox_command(self):
        user = SystemUser(self.folder)
        self.addCleanup(user.remove)
        self.dovecot.add_user(user.name, user.uid, user.gid, user.home)
        lda = [self.dovecot.lda, "-c", self.dovecot.config]
        postfix = Postfix(
            self.folder, pipe=lda + ["-f", "${sender}", "-d", "${user}"],
            mailbox_command=" ".join(lda + ["-d", '"$USER"']))
        self.addCleanup(postfix.stop)
        postfix.start()
        queue_id = postfix.send("alice", message("by pipe"))
        self.assertEqual(postfix.wait_results(queue_id),
                         [("alice@example.org", "sent")], postfix.log())
        self.expect("alice", "by pipe")
        address = "%s@%s" % (user.name, LOCAL_DOMAIN)
        queue_id = postfix.send(address, message("by command"))
        self.assertEqual(postfix.wait_results(queue_id),
                         [(address, "sent")], postfix.log())
        self.expect(user.name, "by command")

    def test_postfix_delivers_by_lmtp_to_several_at_once(self):
        with_spare = Folder("harness-lmtp")
        self.addCleanup(with_spare.remove)
        postfix = Postfix(with_spare, transport="lmtp:inet:127.0.0.1:%d"
                          % self.dovecot.lmtp_port)
        self.addCleanup(postfix.stop)
        postfix.start()
        queue_id = postfix.send(["alice", "bob"], message("by lmtp"))
        results = postfix.wait_results(queue_id, 2)
        self.assertEqual({status for _, status in results}, {"sent"},
                         postfix.log())
        self.expect("alice", "by lmtp")
        self.expect("bob", "by lmtp")

    def test_a_command_that_says_75_defers_and_is_tried_again(self):
        with_spare = Folder("harness-75")
        self.addCleanup(with_spare.remove)
        script = with_spare.write("fail-once", "#!/bin/sh\ncat >/dev/null\n"
                                  "mkdir %s 2>/dev/null && exit 75\nexit 0\n"
                                  % with_spare("seen", "once"), mode=0o755)
        with_spare.make("seen", mode=0o777)
        postfix = Postfix(with_spare, pipe=[script])
        self.addCleanup(postfix.stop)
        postfix.start()
        queue_id = postfix.send("alice", message("twice"))
        results = postfix.wait_results(queue_id, 2)
        self.assertEqual([status for _, status in results],
                         ["deferred", "sent"])

    def test_wrong_passwords_and_disabled_users_are_refused(self):
        self.dovecot.imap("u0004").logout()
        self.dovecot.imap("u0004", master=True).logout()
        self.dovecot.disable("u0004")
        with self.assertRaisesRegex(Exception, "Login disabled"):
            self.dovecot.imap("u0004")
        right = self.dovecot.password_of("u0005")
        self.dovecot.set_password("u0005", "another")
        self.dovecot.imap("u0005").logout()
        self.dovecot.accounts["u0005"]["password"] = right
        with self.assertRaisesRegex(Exception, "AUTHENTICATIONFAILED"):
            self.dovecot.imap("u0005")

    def test_the_master_user_may_name_whom_it_acts_for_by_authzid(self):
        client = ImapLines(self.dovecot, "alice", authzid_by_master=True)
        self.addCleanup(client.close)
        client.command("SELECT INBOX")
        self.assertIn("user=<alice>", self.dovecot.log())


class Watching(WithServers):
    def test_idle_sees_a_delivery(self):
        client = ImapLines(self.dovecot, "alice")
        self.addCleanup(client.close)
        client.command("SELECT INBOX")
        client.start_idle()
        deliver_lmtp(self.dovecot.lmtp_port, "alice", message("idle"))
        self.assertRegex(client.line(), r"\* \d+ EXISTS")

    def test_notify_sees_every_folder_on_one_connection(self):
        client = ImapLines(self.dovecot, "bob")
        self.addCleanup(client.close)
        client.command("CREATE Work")
        client.command("ENABLE CONDSTORE QRESYNC")
        client.command("NOTIFY SET STATUS (personal (MessageNew MessageExpunge"
                       " FlagChange MailboxName SubscriptionChange))")
        client.start_idle()
        self.dovecot.deliver_lda("bob", message("notify"), "Work")
        line = client.line()
        while line.startswith("* LIST"):    # folders made at the first login
            line = client.line()
        self.assertRegex(line, r"\* STATUS Work .*MESSAGES 1 .*HIGHESTMODSEQ")


class Hibernating(WithServers):
    DOVECOT = {"hibernate_s": 1}

    def test_a_hibernated_session_sees_a_delivery(self):
        client = ImapLines(self.dovecot, "alice")
        self.addCleanup(client.close)
        client.command("SELECT INBOX")
        client.start_idle()
        wait_until(lambda: any("imap-hibernate" in line for _, line in
                               children_of(self.dovecot.process.pid)),
                   "hibernation")
        deliver_lmtp(self.dovecot.lmtp_port, "alice", message("asleep"))
        self.assertRegex(client.line(), r"\* \d+ (EXISTS|RECENT)")


class Masked(WithServers):
    DOVECOT = {"mask": ("NOTIFY", "CONDSTORE", "QRESYNC")}

    def test_masked_capabilities_are_not_announced(self):
        client = self.dovecot.imap("alice")
        _, data = client.capability()
        client.logout()
        announced = data[0].decode().split()
        self.assertIn("IDLE", announced)
        for name in self.DOVECOT["mask"]:
            self.assertNotIn(name, announced)


class Tls(WithServers):
    def connect(self, ca=True):
        context = tls_context(self.certificates.ca) if ca \
            else ssl.create_default_context()
        with socket.create_connection(
                ("127.0.0.1", self.dovecot.imaps_port), 10) as plain:
            with context.wrap_socket(plain,
                                     server_hostname="localhost") as client:
                return client.recv(100)

    def restart_with(self, certificate):
        self.dovecot.certificate = certificate
        self.dovecot.write_config()
        self.dovecot.restart()

    def test_the_good_certificate_is_accepted_by_its_ca_only(self):
        self.restart_with(self.certificates.good)
        self.assertIn(b"OK", self.connect())
        with self.assertRaisesRegex(ssl.SSLError, "verify failed"):
            self.connect(ca=False)

    def test_the_expired_certificate_is_refused(self):
        self.restart_with(self.certificates.expired)
        with self.assertRaisesRegex(ssl.SSLError, "expired"):
            self.connect()

    def test_the_misnamed_certificate_is_refused(self):
        self.restart_with(self.certificates.wrong_name)
        with self.assertRaisesRegex(ssl.SSLError, "mismatch"):
            self.connect()


class Stopping(unittest.TestCase):
    def test_a_stopped_server_leaves_no_process_and_no_port(self):
        folder = Folder("harness-stop")
        self.addCleanup(folder.remove)
        dovecot = Dovecot(folder, Certificates(folder))
        self.addCleanup(dovecot.stop)
        dovecot.start()
        session = dovecot.process.pid
        client = ImapLines(dovecot, "alice")
        client.start_idle()
        self.assertTrue(session_members(session))
        dovecot.stop()
        client.close()
        self.assertEqual(session_members(session), [])
        self.assertFalse(port_answers(dovecot.imap_port))

    def test_an_interrupted_bench_leaves_no_process_and_no_folder(self):
        bench = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                             "../load/bench")
        for number in (signal.SIGTERM, signal.SIGINT):
            folder = tempfile.mkdtemp(prefix="b-")  # sockets have short names
            os.chmod(folder, 0o755)
            self.addCleanup(shutil.rmtree, folder)
            process = Process([bench, "--quick", "--only", "sync"],
                              os.path.join(folder, "log"),
                              env=dict(os.environ, TMPDIR=folder))
            self.addCleanup(process.stop)
            process.wait_ready(lambda: any(
                "front" in command_of(pid) for pid in tree_of(process.pid)),
                "a front", timeout_s=300)
            started = tree_of(process.pid)
            os.kill(process.pid, number)
            self.assertEqual(process.popen.wait(300), 128 + number)
            wait_until(lambda: not any(map(command_of, started)), "their end",
                       timeout_s=300)
            self.assertEqual(os.listdir(folder), ["log"])

    def test_free_ports_are_different(self):
        ports = {free_port() for _ in range(50)}
        self.assertEqual(len(ports), 50)
