# SPDX-License-Identifier: GPL-3.0-or-later
"""A phone that knows an address and a password finds its server by itself."""

import base64

from lxml import etree

from lib import schema
from lib.http_raw import Connection, tls_context
from lib.house import House
from lib.postfix import DOMAIN

PATH = "/autodiscover/autodiscover.xml"
SCHEMAS = "http://schemas.microsoft.com/exchange/autodiscover/"
MOBILE = SCHEMAS + "mobilesync/responseschema/2006"
REQUEST = """<?xml version="1.0" encoding="utf-8"?>%s
<Autodiscover xmlns="%smobilesync/requestschema/2006">
  <Request>
    <EMailAddress>%s</EMailAddress>
    <AcceptableResponseSchema>%s</AcceptableResponseSchema>
  </Request>
</Autodiscover>"""


def request(address, accepted=MOBILE, doctype=""):
    return (REQUEST % (doctype, SCHEMAS, address, accepted)).encode()


class Finding:
    """Whatever the house says its name is."""

    def ask(self, body=None, method="POST", path=PATH, password=None):
        """The response; with a document, it is checked."""
        credentials = "%s@%s:%s" % (
            self.user, DOMAIN,
            password or self.dovecot.password_of(self.user))
        connection = Connection("localhost", self.belfry.port,
                                tls_context(self.certificates.ca))
        self.addCleanup(connection.close)
        connection.send(method, path, [
            ("Content-Type", "text/xml"),
            ("Authorization", "Basic " + base64.b64encode(
                credentials.encode()).decode())], body)
        return connection.receive()

    def document(self, *arguments, **named):
        response = self.ask(*arguments, **named)
        self.assertEqual(response.status, 200, response.body)
        self.assertEqual(response.header("Content-Type"),
                         "text/xml; charset=utf-8")
        root = etree.fromstring(response.body)
        schema.validate(root)
        return {node.tag.partition("}")[2]: node.text for node in root.iter()}

    def address(self):
        return "%s@%s" % (self.user, DOMAIN)

    def test_phone_finds_activesync_by_its_address(self):
        found = self.document(request(self.address()))
        self.assertEqual(found["EMailAddress"], self.address())
        self.assertEqual(found["Culture"], "en:us")
        self.assertEqual(found["Type"], "MobileSync")
        url = "https://%s/Microsoft-Server-ActiveSync" % self.host()
        self.assertEqual((found["Url"], found["Name"]), (url, url))
        # and there it goes on
        self.phone_of().options()

    def test_wrong_password_is_challenged(self):
        response = self.ask(request(self.address()), password="wrong")
        self.assertEqual(response.status, 401)
        self.assertIn("Basic", response.header("WWW-Authenticate"))

    def test_errors_are_documents(self):
        for body, code in (
                (b"nonsense", "600"), (request("a@" + DOMAIN, "x"), "601"),
                (request("no-address"), "500"),
                (request("x" * 600 + "@" + DOMAIN), "600")):
            with self.subTest(code):
                self.assertEqual(self.document(body)["ErrorCode"], code)
        self.assertEqual(self.document(method="GET")["ErrorCode"], "600")

    def test_doctype_is_refused(self):
        laughs = '<!ENTITY a "ha">' + "".join(
            '<!ENTITY %s "%s">' % (name, ("&%s;" % before) * 10)
            for before, name in zip("abcdefgh", "bcdefghi"))
        for doctype in ("<!DOCTYPE x>", "<!DOCTYPE x [%s]>" % laughs,
                        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
                        '<!DOCTYPE x [<!ENTITY %% e SYSTEM "http://127.0.0.1:%d'
                        '/"> %%e;]>' % self.belfry.port,
                        '<!DOCTYPE x [<!ENTITY e SYSTEM '
                        '"file:///etc/passwd">]>'):
            found = self.document(request(
                "&e;" if "ENTITY" in doctype else self.address(),
                doctype=doctype))
            self.assertEqual(found["ErrorCode"], "600")

    def test_another_encoding_hides_nothing(self):
        address = self.address()
        for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32",
                         "cp037", "utf-7"):
            for doctype, code in (("", None), ("<!DOCTYPE x>", "600"), (
                    '<!DOCTYPE x [<!ENTITY e "x">]>', "600")):
                with self.subTest(encoding, doctype=doctype):
                    text = request(address, doctype=doctype).decode()
                    found = self.document(text.encode(encoding))
                    # what is not understood is refused, too
                    self.assertIn(found.get("ErrorCode"), (code, "600"))

    def test_megabyte_is_refused_before_it_is_read(self):
        response = self.ask(request("x" * 1024 * 1024))
        self.assertEqual(response.status, 413)


class ByTheNameItUsed(Finding, House):
    """Without public_url."""

    def host(self):
        return "localhost"


class ByTheSetting(Finding, House):
    BELFRY = {"public_url": '"https://mail.example.net"'}

    def host(self):
        return "mail.example.net"

    def test_stranger_at_another_name_is_sent_there(self):
        connection = Connection("localhost", self.belfry.port,
                                tls_context(self.certificates.ca))
        self.addCleanup(connection.close)
        connection.send("GET", PATH)
        response = connection.receive()
        self.assertEqual(response.status, 302)
        self.assertEqual(response.header("Location"),
                         "https://mail.example.net" + PATH)
