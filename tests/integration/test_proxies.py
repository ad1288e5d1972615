# SPDX-License-Identifier: GPL-3.0-or-later
"""Behind the real nginx and HAProxy, with the configurations of
doc/proxies.md: Pings are held and answered, and the log says who the phone is.

What the proxies do by themselves after a minute they do here after a second:
their defaults are set so, and the documented lines stand against them."""

import re
import unittest

from lib.http_raw import Connection
from lib.house import House
from lib.phone import Phone
from lib.process import (Process, free_port, need_program, port_answers, run,
                         wait_until)
from lib.recipes import PROXIES, recipe

# The proxies' own time limit, and a Ping that has outlived it.
LIMIT_S, HELD_S = 1, 3
PHONE, FORGED = "127.0.0.9", "192.0.2.66"

NGINX = """
daemon off;
worker_processes 1;
user root;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 100; }}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    proxy_read_timeout {limit}s;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
{recipe}
    }}
}}
"""

HAPROXY = """
global
    stats socket {folder}/haproxy.sock
defaults
    timeout connect {limit}s
    timeout client {limit}s
    timeout server {limit}s
{recipe}
"""


class PhoneFrom(Phone):
    """A phone at an address of its own, that lies about it."""

    def headers(self, content_type=None):
        return super().headers(content_type) + [("X-Forwarded-For", FORGED)]

    def connect(self):
        return Connection(self.host, self.port, self.tls, self.timeout_s,
                          source=PHONE)


def without_marked(text):
    """The configuration of somebody who left the marked lines out."""
    lines = [line for line in text.splitlines() if "←" not in line]
    if len(lines) == len(text.splitlines()):
        raise AssertionError("no line is marked")
    return "\n".join(lines)


class Behind:
    """Whichever proxy it is."""

    PORT = 0    # where the proxy finds Belfry

    @classmethod
    def setUpClass(cls):
        cls.PORT = free_port()
        cls.BELFRY = cls.belfry_settings()
        super().setUpClass()

    def start_proxy(self, change=lambda text: text):
        port = free_port()
        argv = self.write_proxy(port, change)
        process = Process(argv, self.folder("proxy.log"))
        self.addCleanup(process.stop)
        process.wait_ready(lambda: port_answers(port), argv[0])
        self.belfry.port, self.direct = port, self.belfry.port
        self.addCleanup(setattr, self.belfry, "port", self.direct)

    def test_a_ping_is_held_for_longer_than_the_proxy_would(self):
        self.start_proxy()
        phone = self.ready_phone()
        held = phone.ping_start(600)
        self.assert_held(held, HELD_S)
        self.deliver("through the proxy")
        self.assert_rings(held, ["through the proxy"])

    def test_without_the_marked_lines_it_is_not(self):
        self.start_proxy(without_marked)
        held = self.ready_phone().ping_start(600)
        self.assertTrue(held.answered(LIMIT_S + 20))
        self.assertEqual(held.connection.receive().status, 504)
        wait_until(lambda: "hung up" in self.belfry.control("why", self.user),
                   "the end of the Ping")

    def test_the_log_has_the_phones_address(self):
        self.start_proxy()
        self.phone_of(kind=PhoneFrom)
        line = wait_until(lambda: re.search(
            r"user=%s@\S+ .*command=FolderSync .*address=(\S+)" % self.user,
            self.belfry.log()), "the request")
        self.assertEqual(line.group(1), PHONE)

    def test_a_phone_that_comes_itself_cannot_claim_an_address(self):
        self.phone_of(kind=PhoneFrom)
        line = wait_until(lambda: re.search(
            r"user=%s@\S+ .*command=FolderSync .*address=(\S+)" % self.user,
            self.belfry.log()), "the request")
        self.assertEqual(line.group(1), PHONE)


class BehindNginx(Behind, House):

    @classmethod
    def belfry_settings(cls):
        return {"listen_plain": '{"127.0.0.1:%d"}' % cls.PORT,
                "trusted_proxies": '{"127.0.0.1"}'}

    def write_proxy(self, port, change):
        certificate, key = self.certificates.good
        text = NGINX.format(
            folder=self.folder.path, limit=LIMIT_S, port=port,
            certificate=certificate, key=key, recipe=change(recipe(
                "nginx", {"127.0.0.1:8080": "127.0.0.1:%d" % self.PORT},
                PROXIES)))
        path = self.folder.write("nginx.conf", text)
        return [need_program("nginx"), "-p", self.folder.path, "-c", path]


class BehindHaproxy(Behind, House):

    @classmethod
    def belfry_settings(cls):
        return {"listen_proxy": '{"127.0.0.1:%d"}' % cls.PORT,
                "trusted_proxies": '{"127.0.0.1"}'}

    def write_proxy(self, port, change):
        with open(self.folder("both.pem"), "w", encoding="ascii") as file:
            for part in self.certificates.good:
                with open(part, encoding="ascii") as source:
                    file.write(source.read())
        text = HAPROXY.format(
            folder=self.folder.path, limit=LIMIT_S, recipe=change(recipe(
                "haproxy", {
                    ":443": "127.0.0.1:%d" % port,
                    "/etc/haproxy/mail.example.org.pem":
                        self.folder("both.pem"),
                    "127.0.0.1:8081": "127.0.0.1:%d" % self.PORT},
                PROXIES)))
        path = self.folder.write("haproxy.cfg", text + "\n")
        program = need_program("haproxy")
        run([program, "-c", "-f", path])
        return [program, "-db", "-f", path]


if __name__ == "__main__":
    unittest.main()
