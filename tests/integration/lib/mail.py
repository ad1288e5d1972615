# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages, and the delivery ways that need no server object."""

import email.message
import email.utils
import smtplib

SENDER = "sender@elsewhere.example"


def message(subject, to="alice@example.org", body="Hello.\n", html=None,
            attachments=()):
    """An EmailMessage. attachments: (file name, type/subtype, bytes)."""
    mail = email.message.EmailMessage()
    mail["From"] = "Sender <%s>" % SENDER
    mail["To"] = to
    mail["Subject"] = subject
    mail["Date"] = email.utils.localtime()
    mail["Message-ID"] = email.utils.make_msgid(domain="elsewhere.example")
    mail.set_content(body)
    if html is not None:
        mail.add_alternative(html, subtype="html")
    for name, kind, data in attachments:
        maintype, _, subtype = kind.partition("/")
        mail.add_attachment(data, maintype=maintype, subtype=subtype,
                            filename=name)
    return mail


def deliver_lmtp(address, users, mail, sender=SENDER):
    """LMTP to a port number or a socket path. Raises when one is refused."""
    if isinstance(users, str):
        users = [users]
    host, port = (address, 0) if isinstance(address, str) \
        else ("127.0.0.1", address)
    with smtplib.LMTP(host, port, local_hostname="test.example") as client:
        refused = client.sendmail(sender, users, mail.as_bytes())
    if refused:
        raise AssertionError("LMTP refused %s" % refused)


def mail_octets(subject, body=b"Hello.\r\n", headers=b""):
    return (b"From: Sender <sender@elsewhere.example>\r\n"
            b"To: alice@example.org\r\nSubject: " + subject.encode()
            + b"\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
            + headers + b"\r\n" + body)
