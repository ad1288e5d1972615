#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports on mails, as a real Postfix writes them and as mailers do."""

import smtplib
import unittest

from lib import wbxml
from lib.mail import mail_octets
from lib.phone import INBOX
from lib.postfix import DOMAIN
from test_send import Sending, address


class TestReports(Sending):

    def one(self, subject):
        """The item of that subject, once it is there."""
        inbox = self.phone.folder(INBOX)
        self.arrived(user=self.user)
        box = self.phone.sync_all(inbox)
        return box.items[box.server_id_of(subject)]

    def kind(self, item):
        return item["{Email}MessageClass"].text

    def test_a_bounce_is_a_report_of_failure(self):
        """Dovecot knows no such user."""
        self.assertIsNone(self.phone.send_mail(
            self.mail("Lost", to="nobody-knows@" + DOMAIN)))
        item = self.one("Undelivered Mail Returned to Sender")
        self.assertEqual(self.kind(item), "REPORT.IPM.Note.NDR")
        self.assertIn("nobody-knows@" + DOMAIN,
                      wbxml.text(item["{AirSyncBase}Body"], "Data"))
        names = [wbxml.text(a, "DisplayName") for a in wbxml.find_all(
            item["{AirSyncBase}Attachments"], "Attachment")]
        self.assertEqual(len(names), 2)
        self.assertIn("Lost", names[1])

    def test_a_delivery_that_was_to_be_reported(self):
        with smtplib.SMTP("127.0.0.1", self.postfix.port) as client:
            client.ehlo("test.example")
            client.mail(address(self.user))
            client.rcpt(address(self.other), ["NOTIFY=SUCCESS"])
            client.data(mail_octets("Arrives"))
        item = self.one("Successful Mail Delivery Report")
        self.assertEqual(self.kind(item), "REPORT.IPM.Note.DR")

    def test_receipts_say_what_became_of_a_mail(self):
        for disposition, kind in (
                ("manual-action/MDN-sent-manually; displayed",
                 "REPORT.IPM.Note.IPNRN"),
                ("automatic-action/MDN-sent-automatically; Deleted",
                 "REPORT.IPM.Note.IPNNRN"),
                ("automatic-action/MDN-sent-automatically; dispatched",
                 "REPORT.IPM.Note.IPNRN")):
            with self.subTest(disposition):
                client = self.dovecot.imap(self.user)
                client.append("INBOX", "", None, mail_octets(
                    disposition, headers=b"MIME-Version: 1.0\r\nContent-Type: "
                    b"multipart/report; boundary=r;\r\n "
                    b"report-type=disposition-notification\r\n",
                    body=b"--r\r\n\r\nIt was seen.\r\n--r\r\nContent-Type: "
                    b"message/disposition-notification\r\n\r\n"
                    b"Final-Recipient: rfc822; bob@example.org\r\n"
                    b"Disposition: " + disposition.encode()
                    + b"\r\n--r--\r\n"))
                client.logout()
                box = self.phone.sync_all(self.phone.folder(INBOX))
                self.assertEqual(self.kind(box.items[box.server_id_of(
                    disposition)]), kind)


if __name__ == "__main__":
    unittest.main()
