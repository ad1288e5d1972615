# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority for tests: right, expired and misnamed server
certificates, made by the openssl program."""

from lib.process import need_program, run

NAME = "localhost"
_CA_CONFIG = """
[ca]
default_ca = test
[test]
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/serial
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""


class Certificates:
    """ca: path of the CA certificate; good, expired, wrong_name: (certificate,
    key) paths. The good one is for localhost and 127.0.0.1."""

    def __init__(self, folder):
        self.folder = folder
        self.openssl = need_program("openssl")
        self.path = folder.make("tls")
        folder.write("tls/index.txt", "")
        folder.write("tls/serial", "1000\n")
        folder.write("tls/ca.cnf", _CA_CONFIG.format(folder=self.path))
        self.ca = folder("tls", "ca.pem")
        run([self.openssl, "req", "-x509", "-new", "-nodes", "-days", "30",
             "-newkey", "rsa:2048", "-keyout", folder("tls", "ca.key"),
             "-out", self.ca, "-subj", "/CN=Belfry test CA",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign"])
        self.good = self._issue("good", NAME, "IP:127.0.0.1,DNS:localhost")
        self.expired = self._issue(
            "expired", NAME, "IP:127.0.0.1,DNS:localhost",
            ("-startdate", "200101000000Z", "-enddate", "200201000000Z"))
        self.wrong_name = self._issue("wrong", "mail.example.net",
                                      "DNS:mail.example.net")

    def _issue(self, label, name, alternatives, dates=("-days", "30")):
        key = self.folder("tls", label + ".key")
        request = self.folder("tls", label + ".csr")
        certificate = self.folder("tls", label + ".pem")
        run([self.openssl, "req", "-new", "-nodes", "-newkey", "ec",
             "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", key,
             "-out", request, "-subj", "/CN=" + name,
             "-addext", "subjectAltName=" + alternatives])
        run([self.openssl, "ca", "-batch", "-notext", "-config",
             self.folder("tls", "ca.cnf"), "-in", request, "-out", certificate,
             *dates])
        return certificate, key
