# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated ActiveSync phone that trusts nothing it is told.

Every answer is checked: HTTP framing, headers, WBXML, schema. What breaks a
rule raises; what the protocol allows the server to say (a status) is returned.
"""

import base64
import struct
import urllib.parse

from lib import schema, wbxml
from lib.http_raw import Connection, HttpError

PATH = "/Microsoft-Server-ActiveSync"
WBXML_TYPE = "application/vnd.ms-sync.wbxml"
# MS-ASHTTP 2.2.1.1.1.1.2
COMMAND_CODES = {
    "Sync": 0, "SendMail": 1, "SmartForward": 2, "SmartReply": 3,
    "GetAttachment": 4, "FolderSync": 9, "FolderCreate": 10,
    "FolderDelete": 11, "FolderUpdate": 12, "MoveItems": 13,
    "GetItemEstimate": 14, "MeetingResponse": 15, "Search": 16,
    "Settings": 17, "Ping": 18, "ItemOperations": 19, "Provision": 20,
    "ResolveRecipients": 21, "ValidateCert": 22, "Find": 23}
# MS-ASHTTP 2.2.1.1.1.1.3
PARAMETER_TAGS = {"AttachmentName": 0, "ItemId": 3, "LongId": 4,
                  "Occurrence": 6, "Options": 7, "User": 8}
# Commands whose answer may have no body: MS-ASHTTP 2.2.2
MAY_BE_EMPTY = ("Sync", "SendMail", "SmartForward", "SmartReply")
LOCALE_EN_US = 0x0409
INBOX, DRAFTS, TRASH, SENT = "2", "3", "4", "5"     # FolderHierarchy Type
POLICY_TYPE = "MS-EAS-Provisioning-WBXML"
BODY_TEXT, BODY_HTML, BODY_MIME = 1, 2, 4
# More rounds than this for one folder means that MoreAvailable never ends.
MAX_ROUNDS = 1000


class PhoneError(AssertionError):
    """The server broke ActiveSync."""


class Refused(AssertionError):
    """An HTTP status other than 200."""

    def __init__(self, cmd, response):
        super().__init__("%s: HTTP %d %r" % (cmd, response.status,
                                             response.body[:200]))
        self.status, self.response = response.status, response


class Collection:
    """What the phone has of one folder: items by ServerId, each a dict from
    '{Email}Subject' to an lxml element."""

    def __init__(self):
        self.key, self.previous_key = "0", None
        self.items, self.previous_items = {}, {}
        # the last status, and what the last Sync brought
        self.status, self.more = None, False
        self.added, self.changed, self.deleted = [], [], []
        self.responses = []

    def value(self, server_id, name):
        node = self.items[server_id].get(wbxml.q(name))
        return None if node is None else node.text

    def values(self, name="Email:Subject"):
        return [self.value(server_id, name) for server_id in self.items]

    def server_id_of(self, value, name="Email:Subject"):
        for server_id in self.items:
            if self.value(server_id, name) == value:
                return server_id
        raise AssertionError("no item with %s %r among %s"
                             % (name, value, self.values(name)))


class Held:
    """A request that the server holds: wait() for it, or drop() it."""

    def __init__(self, phone, cmd, connection):
        self.phone, self.cmd, self.connection = phone, cmd, connection

    def answered(self, within_s=0.0):
        """Whether the server answered (or hung up) in that time."""
        return self.connection.readable(within_s)

    def wait(self, timeout_s=30.0):
        """The decoded answer; None for an empty one."""
        if not self.answered(timeout_s):
            raise PhoneError("%s not answered in %g s" % (self.cmd, timeout_s))
        root = self.phone.read_answer(self.cmd, self.connection)
        self.connection.close()
        return root

    def drop(self):
        self.connection.reset()


class Phone:
    """tls: None, or an ssl.SSLContext (http_raw.tls_context)."""

    def __init__(self, host, port, user, password, device_id="BELFRYTEST01",
                 tls=None, version="14.1", query="plain",
                 device_type="TestPhone", user_agent="BelfryTest/1.0",
                 timeout_s=30):
        assert query in ("plain", "base64")
        self.host, self.port, self.tls = host, port, tls
        self.user, self.password = user, password
        self.device_id, self.device_type = device_id, device_type
        self.version, self.query = version, query
        self.user_agent, self.timeout_s = user_agent, timeout_s
        self.policy_key = 0
        self.folder_key = "0"
        # ServerId -> (ParentId, DisplayName, Type)
        self.folders = {}
        self.collections = {}
        self.connection = None
        self.last_sync = None
        self.client_ids = 0

    # HTTP

    def target(self, cmd, parameters=()):
        if self.query == "base64":
            return "%s?%s" % (PATH, self._base64_query(cmd, parameters))
        pairs = [("Cmd", cmd), ("User", self.user),
                 ("DeviceId", self.device_id),
                 ("DeviceType", self.device_type)] + list(parameters)
        return "%s?%s" % (PATH, urllib.parse.urlencode(
            pairs, quote_via=urllib.parse.quote))

    def _base64_query(self, cmd, parameters):
        """MS-ASHTTP 2.2.1.1.1.1.1."""
        major, _, minor = self.version.partition(".")
        data = struct.pack("<BBH", int(major) * 10 + int(minor),
                           COMMAND_CODES[cmd], LOCALE_EN_US)
        data += bytes((len(self.device_id),)) + self.device_id.encode()
        data += struct.pack("<BI", 4, self.policy_key) if self.policy_key \
            else b"\0"
        data += bytes((len(self.device_type),)) + self.device_type.encode()
        for name, value in parameters:
            raw = value if isinstance(value, bytes) else str(value).encode()
            data += bytes((PARAMETER_TAGS[name], len(raw))) + raw
        return base64.b64encode(data).decode()

    def headers(self, content_type=None):
        credentials = "%s:%s" % (self.user, self.password)
        found = [("Authorization", "Basic "
                  + base64.b64encode(credentials.encode()).decode()),
                 ("User-Agent", self.user_agent)]
        if self.query == "plain":
            found.append(("MS-ASProtocolVersion", self.version))
            found.append(("X-MS-PolicyKey", str(self.policy_key)))
        if content_type:
            found.append(("Content-Type", content_type))
        return found

    def connect(self):
        return Connection(self.host, self.port, self.tls, self.timeout_s)

    def _kept(self):
        """The keep-alive connection; a new one when the server closed it."""
        if self.connection is None or self.connection.ended \
                or self.connection.closed_by_server():
            self.close()
            self.connection = self.connect()
        return self.connection

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def raw(self, cmd, body, content_type=WBXML_TYPE, parameters=(),
            headers=()):
        """POST bytes; the HTTP response as it is."""
        connection = self._kept()
        connection.send("POST", self.target(cmd, parameters),
                        self.headers(content_type) + list(headers), body)
        return connection.receive()

    def read_answer(self, cmd, connection):
        return self.check_answer(cmd, connection.receive())

    def check_answer(self, cmd, response):
        """The decoded, validated answer; None for an empty body."""
        if response.status != 200:
            raise Refused(cmd, response)
        version = response.header("MS-Server-ActiveSync")
        if not version:
            raise PhoneError("%s: no MS-Server-ActiveSync header" % cmd)
        if not response.body:
            if cmd not in MAY_BE_EMPTY:
                raise PhoneError("%s: empty answer" % cmd)
            return None
        kind = response.header("Content-Type")
        if kind != WBXML_TYPE:
            raise PhoneError("%s: Content-Type is %s" % (cmd, kind))
        root = wbxml.decode(response.body)
        schema.validate(root)
        return root

    def command(self, cmd, spec, parameters=()):
        """Send a tuple tree, return the decoded answer (None if empty)."""
        body = b"" if spec is None else wbxml.encode(spec)
        return self.check_answer(cmd, self.raw(cmd, body,
                                               parameters=parameters))

    def start(self, cmd, spec, parameters=()):
        """Send on a connection of its own and return a Held."""
        connection = self.connect()
        body = b"" if spec is None else wbxml.encode(spec)
        connection.send("POST", self.target(cmd, parameters),
                        self.headers(WBXML_TYPE), body)
        return Held(self, cmd, connection)

    # commands

    def options(self):
        """(versions, commands) as sets."""
        connection = self._kept()
        connection.send("OPTIONS", PATH, self.headers())
        response = connection.receive()
        if response.status != 200:
            raise Refused("OPTIONS", response)
        lists = []
        for name in ("MS-ASProtocolVersions", "MS-ASProtocolCommands"):
            value = response.header(name)
            if not value:
                raise PhoneError("OPTIONS: no %s" % name)
            lists.append({part.strip() for part in value.split(",")})
        return tuple(lists)

    def device_information(self):
        return ("Settings:DeviceInformation", ("Set",
                ("Model", "Test model"), ("FriendlyName", "Test phone"),
                ("OS", "Test 1.0"), ("OSLanguage", "en"),
                ("UserAgent", self.user_agent)))

    def provision(self):
        """Both phases (MS-ASPROV 3.1.5.1); returns the EASProvisionDoc."""
        self.policy_key = 0
        extra = [self.device_information()] \
            if float(self.version) >= 14.1 else []
        root = self.command("Provision", ("Provision:Provision", *extra, (
            "Policies", ("Policy", ("PolicyType", POLICY_TYPE)))))
        self._check_status(root, "Provision")
        policy = wbxml.find(root, "Policies/Policy")
        self._check_status(policy, "Provision Policy")
        document = wbxml.find(policy, "Data/EASProvisionDoc")
        key = wbxml.text(policy, "PolicyKey")
        if document is None or not key:
            raise PhoneError("Provision: no policy in %s" % wbxml.pretty(root))
        self.policy_key = int(key)
        root = self.command("Provision", ("Provision:Provision", (
            "Policies", ("Policy", ("PolicyType", POLICY_TYPE),
                         ("PolicyKey", key), ("Status", 1)))))
        self._check_status(root, "Provision")
        policy = wbxml.find(root, "Policies/Policy")
        self._check_status(policy, "Provision Policy")
        self.policy_key = int(wbxml.text(policy, "PolicyKey"))
        return document

    @staticmethod
    def _check_status(node, what, expected="1"):
        status = wbxml.text(node, "Status")
        if status != expected:
            raise PhoneError("%s: status %s in %s" % (what, status,
                                                      wbxml.pretty(node)))

    def folder_sync(self):
        """Apply one FolderSync; returns its status as a string."""
        return self.apply_folder_sync(self.command("FolderSync", (
            "FolderHierarchy:FolderSync", ("SyncKey", self.folder_key))))

    def apply_folder_sync(self, root):
        """Apply a decoded answer; returns its status."""
        status = wbxml.text(root, "Status")
        if status != "1":
            if status == "9":
                self.folder_key, self.folders = "0", {}
            return status
        if self.folder_key == "0":
            self.folders = {}
        for change in wbxml.find_all(root, "Changes/Add") \
                + wbxml.find_all(root, "Changes/Update"):
            self.folders[wbxml.text(change, "ServerId")] = tuple(
                wbxml.text(change, name)
                for name in ("ParentId", "DisplayName", "Type"))
        for change in wbxml.find_all(root, "Changes/Delete"):
            self.folders.pop(wbxml.text(change, "ServerId"), None)
        count = wbxml.text(root, "Changes/Count")
        found = sum(len(wbxml.find_all(root, "Changes/" + name))
                    for name in ("Add", "Update", "Delete"))
        if count is not None and int(count) != found:
            raise PhoneError("FolderSync: Count %s, but %d" % (count, found))
        self.folder_key = wbxml.text(root, "SyncKey")
        return status

    def folder(self, name_or_type=INBOX):
        """ServerId by Type ("2") or by DisplayName."""
        for server_id, (_, name, kind) in self.folders.items():
            if name_or_type in (kind, name):
                return server_id
        raise AssertionError("no folder %s in %s" % (name_or_type,
                                                     self.folders))

    # Sync

    def collection(self, folder_id):
        return self.collections.setdefault(folder_id, Collection())

    def _sync_spec(self, folder_ids, commands, window, options, get_changes,
                   extra):
        specs = []
        for folder_id in folder_ids:
            key = self.collection(folder_id).key
            parts = [("SyncKey", key), ("CollectionId", folder_id)]
            if key != "0":
                parts.append(("DeletesAsMoves", 1))
                if get_changes is not None:
                    parts.append(("GetChanges", get_changes))
                parts.append(("WindowSize", window))
                parts.append(options)
                mine = commands.get(folder_id)
                if mine:
                    parts.append(("Commands", *mine))
            specs.append(("Collection", *parts))
        return ("AirSync:Sync", ("Collections", *specs), *extra)

    @staticmethod
    def sync_options(filter_type=0, body_type=BODY_TEXT, truncation=20480,
                     mime_support=0):
        preference = [("Type", body_type)]
        if truncation is not None:
            preference.append(("TruncationSize", truncation))
        return ("Options", ("FilterType", filter_type),
                ("MIMESupport", mime_support),
                ("AirSyncBase:BodyPreference", *preference))

    @classmethod
    def mime_options(cls, truncation=None):
        """All mails in MIME."""
        return cls.sync_options(body_type=BODY_MIME, truncation=truncation,
                                mime_support=2)

    def sync(self, folder_ids, commands=None, window=100, options=None,
             get_changes=1, lose=False, extra=()):
        """One Sync request for one folder id or a list of them.

        commands: {folder id: [("Change", ("ServerId", ..), ...), ...]}.
        lose: read the answer, but forget it, as if it never came; repeat()
        sends the same bytes again. extra: elements after Collections (Wait,
        HeartbeatInterval). Returns the Collection, or a list of them."""
        single = isinstance(folder_ids, str)
        ids = [folder_ids] if single else list(folder_ids)
        commands = commands or {}
        spec = self._sync_spec(ids, commands, window,
                               options or self.sync_options(), get_changes,
                               extra)
        self.last_sync = (wbxml.encode(spec), ids, commands)
        if lose:
            self.raw("Sync", self.last_sync[0])
            return None
        found = self._send_sync()
        return found[0] if single else found

    def repeat(self):
        """Send the last Sync again, byte for byte, and apply its answer."""
        return self._send_sync()

    def _send_sync(self):
        body, ids, commands = self.last_sync
        root = self.check_answer("Sync", self.raw("Sync", body))
        return self.apply_sync(root, ids, commands)

    def sync_start(self, folder_ids, extra):
        """A held Sync (extra: ("Wait", minutes) or ("HeartbeatInterval", s));
        give its answer to apply_sync()."""
        ids = [folder_ids] if isinstance(folder_ids, str) else folder_ids
        return self.start("Sync", self._sync_spec(
            ids, {}, 100, self.sync_options(), 1, [extra]))

    def apply_sync(self, root, ids, commands=None):
        """Apply a decoded answer (None: an empty one, nothing changed)."""
        for folder_id in ids:
            box = self.collection(folder_id)
            box.added, box.changed, box.deleted = [], [], []
            box.responses, box.more, box.status = [], False, "1"
        if root is None:
            return [self.collection(folder_id) for folder_id in ids]
        status = wbxml.text(root, "Status")
        if status not in (None, "1"):
            for folder_id in ids:
                self.collection(folder_id).status = status
        for node in wbxml.find_all(root, "Collections/Collection"):
            folder_id = wbxml.text(node, "CollectionId")
            if folder_id not in ids:
                raise PhoneError("Sync answers for %s, asked for %s"
                                 % (folder_id, ids))
            self._apply_collection(self.collection(folder_id), node,
                                   (commands or {}).get(folder_id, []))
        return [self.collection(folder_id) for folder_id in ids]

    def _apply_collection(self, box, node, commands):
        box.status = wbxml.text(node, "Status")
        if box.status is None:
            raise PhoneError("Sync: no Status in %s" % wbxml.pretty(node))
        if box.status != "1":
            if box.status == "3":
                box.key, box.items = "0", {}
            return
        key = wbxml.text(node, "SyncKey")
        if not key or key == "0":
            raise PhoneError("Sync: SyncKey %r" % key)
        box.previous_items = dict(box.items)
        box.previous_key, box.key = box.key, key
        box.more = wbxml.find(node, "MoreAvailable") is not None
        box.responses = [child for responses in
                         wbxml.find_all(node, "Responses")
                         for child in responses]
        self._apply_own(box, commands)
        for child in [c for commands_node in wbxml.find_all(node, "Commands")
                      for c in commands_node]:
            self._apply_change(box, child)

    @staticmethod
    def _apply_own(box, commands):
        """The phone's own commands worked, save where Responses say no."""
        failed = {wbxml.text(r, "ServerId") or wbxml.text(r, "ClientId")
                  for r in box.responses if wbxml.text(r, "Status") != "1"}
        new_ids = {wbxml.text(r, "ClientId"): wbxml.text(r, "ServerId")
                   for r in box.responses if r.tag == "{AirSync}Add"}
        for command in commands:
            node = wbxml.element(command, wbxml.element(("AirSync:Commands",)))
            server_id = wbxml.text(node, "ServerId")
            client_id = wbxml.text(node, "ClientId")
            if (server_id or client_id) in failed:
                continue
            kind = node.tag.partition("}")[2]
            if kind == "Delete":
                box.items.pop(server_id, None)
            elif kind == "Change":
                box.items[server_id] = dict(box.items.get(server_id, {}), **{
                    c.tag: c for c in wbxml.find(node, "ApplicationData")})
            elif kind == "Add":
                if new_ids.get(client_id) is None:
                    raise PhoneError("Sync: Add %s has no ServerId"
                                     % client_id)
                box.items[new_ids[client_id]] = {
                    c.tag: c for c in wbxml.find(node, "ApplicationData")}

    def _apply_change(self, box, child):
        server_id = wbxml.text(child, "ServerId")
        kind = child.tag.partition("}")[2]
        if kind == "Add":
            if server_id in box.items:
                raise PhoneError("Sync: Add of %s, which is here already"
                                 % server_id)
            box.items[server_id] = {
                c.tag: c for c in wbxml.find(child, "ApplicationData")}
            box.added.append(server_id)
        elif kind == "Change":
            if server_id not in box.items:
                raise PhoneError("Sync: Change of unknown %s" % server_id)
            box.items[server_id] = dict(box.items[server_id], **{
                c.tag: c for c in wbxml.find(child, "ApplicationData")})
            box.changed.append(server_id)
        elif kind in ("Delete", "SoftDelete"):
            if box.items.pop(server_id, None) is None:
                raise PhoneError("Sync: %s of unknown %s" % (kind, server_id))
            box.deleted.append(server_id)
        else:
            raise PhoneError("Sync: command %s" % kind)

    def sync_all(self, folder_id, **arguments):
        """Sync until there is no more; the Collection with all of `added`,
        `changed` and `deleted` of these rounds."""
        added, changed, deleted = [], [], []
        for _ in range(MAX_ROUNDS):
            initial = self.collection(folder_id).key == "0"
            box = self.sync(folder_id, **arguments)
            if box.status != "1":
                raise PhoneError("Sync: status %s" % box.status)
            added += box.added
            changed += box.changed
            deleted += box.deleted
            arguments.pop("commands", None)
            if not initial and not box.more:
                box.added, box.changed, box.deleted = added, changed, deleted
                return box
        raise PhoneError("Sync: MoreAvailable in %d rounds" % MAX_ROUNDS)

    def go_back(self, folder_id):
        """Return to key N-1, as a phone that lost the last answer."""
        box = self.collection(folder_id)
        box.key, box.items = box.previous_key, dict(box.previous_items)
        return box

    def client_id(self):
        self.client_ids += 1
        return "%s-%d" % (self.device_id, self.client_ids)

    # Ping

    @staticmethod
    def ping_spec(heartbeat_s, folders):
        """folders: (id, class) pairs; None leaves a part out."""
        parts = []
        if heartbeat_s is not None:
            parts.append(("HeartbeatInterval", heartbeat_s))
        if folders is not None:
            parts.append(("Folders", *[
                ("Folder", ("Id", folder_id), ("Class", kind))
                for folder_id, kind in folders]))
        return ("Ping:Ping", *parts)

    @staticmethod
    def ping_result(root):
        """(status, [folder ids], the whole answer)."""
        folders = [f.text for f in wbxml.find_all(root, "Folders/Folder")]
        return wbxml.text(root, "Status"), folders, root

    def ping_start(self, heartbeat_s=600, folder_ids=None, kind="Email",
                   empty=False):
        """Send a Ping on its own connection; a Held for ping_wait().

        empty: no body, the server repeats what it knows."""
        if folder_ids is None and not empty:
            folder_ids = [self.folder(INBOX)]
        spec = None if empty else self.ping_spec(
            heartbeat_s, [(folder_id, kind) for folder_id in folder_ids])
        return self.start("Ping", spec)

    def ping_wait(self, held, timeout_s=30.0):
        return self.ping_result(held.wait(timeout_s))

    def ping(self, heartbeat_s=600, folder_ids=None, kind="Email",
             timeout_s=30.0, empty=False):
        """(status, [folder ids], answer), when it comes in time."""
        return self.ping_wait(self.ping_start(heartbeat_s, folder_ids, kind,
                                              empty), timeout_s)

    # mail

    def compose(self, mail, save=True, client_id=None, cmd="SendMail",
                source=None, replace=False):
        """The body of SendMail, SmartReply or SmartForward of 14.x. mail:
        octets or a message; source: (FolderId, ServerId)."""
        octets = mail if isinstance(mail, bytes) else mail.as_bytes()
        parts = [("ClientId", client_id or self.client_id())]
        if source:
            parts.append(("Source", ("FolderId", source[0]),
                          ("ItemId", source[1])))
        if save:
            parts.append(("SaveInSentItems",))
        if replace:
            parts.append(("ReplaceMime",))
        parts.append(("Mime", octets))
        return ("ComposeMail:" + cmd, *parts)

    def send_mail(self, mail, cmd="SendMail", **arguments):
        """None when it was sent, else the status."""
        root = self.command(cmd, self.compose(mail, cmd=cmd, **arguments))
        return None if root is None else wbxml.text(root, "Status")

    def set_up(self):
        """What a new account does first: OPTIONS, Provision, FolderSync."""
        self.options()
        self.provision()
        if self.folder_sync() != "1":
            raise PhoneError("FolderSync failed")
        return self


__all__ = ["Phone", "PhoneError", "Refused", "HttpError", "Collection"]
