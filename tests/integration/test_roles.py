# SPDX-License-Identifier: GPL-3.0-or-later
"""belfryd itself, before a connector without a backend: users, restarts,
certificates, order at the end, and what -t says."""

import base64
import os
import re
import select
import shutil
import signal
import socket
import ssl
import threading
import unittest

from lib.belfry import (SANITIZER, USER_CONNECTOR, USER_FRONT, USER_HUB,
                        configuration, need_built)
from lib.certificates import Certificates
from lib.http_raw import Connection, tls_context
from lib.process import (Folder, Process, children_of, free_port, need_root,
                         port_answers, run, wait_until)

OPTIONS = "/Microsoft-Server-ActiveSync"
NOBODY = 65534


class Roles(unittest.TestCase):
    SINGLE = False
    CONNECTOR = {}
    USERS = {USER_HUB, USER_FRONT, USER_CONNECTOR}

    def setUp(self):
        need_root()
        self.folder = Folder("roles")
        self.addCleanup(self.folder.remove)
        self.certificates = Certificates(self.folder)
        # copies, so that they can be changed as certbot does
        self.pair = tuple(shutil.copy(path, self.folder(name)) for path, name
                          in zip(self.certificates.good, ("chain.pem", "key.pem")))
        os.chmod(self.pair[1], 0o600)
        self.port = free_port()
        self.program = need_built("belfryd")
        self.values = {"program": '"%s"' % need_built("belfry-null"),
                       "watch_as": '"none"', **self.CONNECTOR}
        self.process = None
        self.config = self.write()

    def write(self, **top):
        return self.folder.write("belfry.conf", configuration(
            self.folder, self.port, self.pair, self.values, **top), mode=0o644)

    def start(self, env=None, account=None):
        argv = [self.program] + ["-s"] * self.SINGLE + ["-c", self.config]
        if account:
            argv = ["setpriv", "--reuid", str(account), "--regid", str(account), "--clear-groups"] + argv
        self.process = Process(argv, self.folder("belfry.log"), env=env)
        self.addCleanup(self.process.stop)
        self.process.wait_ready(lambda: port_answers(self.port), "belfryd")
        wait_until(lambda: self.options() == 200, "the first answer")

    def stop(self):
        status = self.process.stop()
        self.assertEqual((status, SANITIZER.search(self.log())), (0, None), self.log())

    def log(self):
        return self.folder.read("belfry.log")

    def connect(self):
        return Connection("localhost", self.port, tls_context(self.certificates.ca))

    def options(self, connection=None):
        """The status of an answered request; 0 when the role was killed."""
        kept = connection or self.connect()
        try:
            kept.send("OPTIONS", OPTIONS, [("Authorization", "Basic " + base64.b64encode(b"alice:secret").decode())])
            return kept.receive().status
        except (AssertionError, OSError):
            return 0
        finally:
            if connection is None:
                kept.close()

    def roles(self):
        return dict(children_of(self.process.pid))

    def reload(self):
        return run([need_built("belfryctl"), "-s", self.folder("belfry", "run", "control.sock"), "reload"]).stdout

    def served(self):
        context = tls_context(self.certificates.ca)
        with socket.create_connection(("localhost", self.port), 10) as plain, \
                context.wrap_socket(plain, server_hostname="localhost") as tls:
            return tls.getpeercert(binary_form=True)


class Common:
    """What holds in one process and in several."""

    def test_it_answers_and_ends_cleanly(self):
        self.start()
        self.stop()
        left = [name for name in os.listdir(self.folder("belfry", "run")) if name.endswith(".sock")]
        self.assertEqual(left, [])

    def test_a_new_certificate_is_served_and_held_connections_stay(self):
        self.start()
        old, kept = self.served(), self.connect()
        self.assertEqual(self.options(kept), 200)
        other = Certificates(self.folder)  # the same authority's name, anew
        self.certificates = other
        for new, path in zip(other.good, self.pair):
            shutil.copy(new, path)
        self.assertIn("(process %d) looks at certificate" % self.process.pid, self.reload())

        def is_new():
            try:
                return self.served() != old
            except ssl.SSLError:  # still signed by the old authority
                return False
        wait_until(is_new, "the new certificate")
        self.assertEqual(self.options(kept), 200)
        kept.close()
        self.stop()

    def test_a_broken_certificate_leaves_the_old_one(self):
        self.start()
        old = self.served()
        with open(self.pair[0], "w", encoding="ascii") as file:
            file.write("-----BEGIN CERTIFICATE-----\nbroken\n")
        os.kill(self.process.pid, signal.SIGHUP)
        wait_until(lambda: "the new certificate is not used" in self.log(), "the complaint")
        self.assertEqual(self.served(), old)
        self.stop()

    def test_the_service_manager_is_told(self):
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(self.folder("notify"))
        os.chmod(self.folder("notify"), 0o666)
        manager.settimeout(20)
        self.start(env={**os.environ, "NOTIFY_SOCKET": self.folder("notify"), "WATCHDOG_USEC": "200000"})
        said = [manager.recv(100) for _ in range(4)]
        self.assertIn(b"READY=1", said)
        self.assertGreaterEqual(said.count(b"WATCHDOG=1"), 2)
        self.stop()
        while (word := manager.recv(100)) != b"STOPPING=1":
            self.assertEqual(word, b"WATCHDOG=1")

    def test_a_connector_that_dies_is_started_again(self):
        self.start()
        for _ in range(2):
            pid = next(pid for pid, line in self.roles().items() if "belfry-null" in line)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: pid not in self.roles() and any("belfry-null" in l for l in self.roles().values()),
                       "another connector")
            wait_until(lambda: self.options() == 200, "an answer by it")
        self.assertIn('role="connector main" died: signal 9', self.log())
        self.stop()


class SingleProcess(Common, Roles):
    SINGLE = True

    def test_files_belong_to_the_hub(self):
        self.start()
        self.stop()
        owners = {os.stat(os.path.join(folder, name)).st_uid
                  for folder, _, names in os.walk(self.folder("belfry", "state")) for name in names}
        self.assertEqual(owners, {USER_HUB})


class Processes(Common, Roles):

    def test_each_role_has_its_user_and_no_way_back(self):
        self.start()
        users = set()
        for pid, line in self.roles().items():
            with open("/proc/%d/status" % pid, encoding="ascii") as file:
                status = dict(row.split(":", 1) for row in file.read().splitlines())
            ids = set(status["Uid"].split())
            self.assertEqual(len(ids), 1, line)
            users |= {int(i) for i in ids}
            self.assertEqual(status["Groups"].strip(), "", line)
            self.assertEqual(status["NoNewPrivs"].strip(), "1", line)
            self.assertEqual(status["Seccomp"].strip(), "2", line)
            self.assertEqual(int(status["CapEff"], 16), 0, line)
            self.assertEqual(int(status["CapPrm"], 16), 0, line)
            with open("/proc/%d/limits" % pid, encoding="ascii") as file:
                self.assertRegex(file.read(), r"Max core file size +0 +0")
        self.assertEqual(users, self.USERS)
        self.stop()

    def test_nothing_secret_is_in_arguments_and_environment(self):
        secret = "ding dong dell"
        self.values.update({"watch_as": '"master"', "master_user": '"m"',
                            "master_password_file": '"%s"' % self.folder.write("secret", secret, mode=0o600)})
        self.config = self.write()
        self.start()
        for pid in list(self.roles()) + [self.process.pid]:
            for name in ("cmdline", "environ"):
                with open("/proc/%d/%s" % (pid, name), "rb") as file:
                    self.assertNotIn(secret.encode(), file.read())
        self.assertNotIn(secret, self.log())
        self.stop()

    def test_only_the_right_users_can_connect(self):
        self.start()

        def may(user, name):
            code = ("import socket, sys\ns = socket.socket(socket.AF_UNIX)\n"
                    "try: s.connect(sys.argv[1])\nexcept PermissionError: sys.exit(1)\n")
            return run(["/usr/bin/python3", "-c", code, self.folder("belfry", "run", name + ".sock")],
                       account=(user, user), check=False).returncode == 0
        table = {"hub": {USER_FRONT, USER_HUB}, "control": set(), "connector-main": {USER_FRONT, USER_HUB},
                 "hook": {USER_FRONT, USER_HUB, USER_CONNECTOR, NOBODY}}
        for name, expected in table.items():
            found = {user for user in (USER_FRONT, USER_HUB, USER_CONNECTOR, NOBODY) if may(user, name)}
            self.assertEqual(found, expected, name)
        mode = os.stat(self.folder("belfry", "run", "spool"))
        self.assertEqual((mode.st_mode & 0o7777, mode.st_uid), (0o1733, USER_HUB))
        self.assertEqual(os.stat(self.folder("belfry", "state")).st_mode & 0o777, 0o700)
        self.stop()

    def test_killed_roles_come_back_and_nobody_is_refused_for_long(self):
        self.start()
        for word in ("front 1", "front 2", "hub"):
            pid = next(pid for pid, line in self.roles().items() if word in line)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: pid not in self.roles() and any(word in l for l in self.roles().values()),
                       "another " + word)
            wait_until(lambda: self.options() == 200, "an answer after " + word)
        self.assertEqual(len(re.findall(r"died: signal 9; again in 100 ms", self.log())), 3)
        self.stop()

    def start_at(self, listener):
        """As a service manager starts it that has bound the address."""
        argv = ["sh", "-c", "exec 3<&%d; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" -c \"$1\"" % listener.fileno(),
                self.program, self.config]
        self.process = Process(argv, self.folder("belfry.log"), pass_fds=[listener.fileno()])
        self.addCleanup(self.process.stop)
        self.process.wait_ready(lambda: port_answers(self.port), "belfryd")

    def test_phones_wait_at_a_socket_of_the_service_manager_while_it_is_started_anew(self):
        with socket.create_server(("127.0.0.1", self.port), backlog=100) as listener:
            self.start_at(listener)
            wait_until(lambda: self.options() == 200, "the first answer")
            self.stop()
            answers = []
            phone = threading.Thread(target=lambda: answers.append(self.options()))
            phone.start()
            wait_until(lambda: listener in select.select([listener], [], [], 0)[0], "a phone that waits")
            self.start_at(listener)
            phone.join()
            self.assertEqual(answers, [200])
            self.stop()
        self.assertNotIn("service manager has no address", self.log())

    def test_a_socket_that_the_configuration_does_not_name_is_closed(self):
        with socket.create_server(("127.0.0.1", free_port())) as listener:
            self.start_at(listener)
            wait_until(lambda: self.options() == 200, "the first answer")
            self.assertIn("socket 1 of the service manager has no address", self.log())
            self.stop()

    def test_who_keeps_dying_is_started_ever_later(self):
        self.values["program"] = '"/bin/false"'
        self.config = self.write()
        self.process = Process([self.program, "-c", self.config], self.folder("belfry.log"))
        self.addCleanup(self.process.stop)
        wait_until(lambda: len(re.findall("died: status 1", self.log())) >= 4, "four deaths")
        self.assertEqual(re.findall(r"died: status 1; again in (\d+) ms", self.log())[:4], ["100", "200", "400", "800"])
        self.stop()

    def test_wrong_settings_are_not_tried_again_at_once(self):
        self.values["option"] = '{"items=many"}'
        self.config = self.write()
        self.process = Process([self.program, "-c", self.config], self.folder("belfry.log"))
        self.addCleanup(self.process.stop)
        wait_until(lambda: "died: status 78; again in 30000 ms" in self.log(), "the complaint")
        self.assertIn("items", self.log())
        self.stop()

    def test_without_main_every_role_ends(self):
        self.start()
        pids = list(self.roles())
        self.assertEqual(len(pids), 4)
        os.kill(self.process.pid, signal.SIGKILL)
        wait_until(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in pids), "their end")

    def test_without_root_it_runs_as_whoever_started_it(self):
        for name in ("state", "run"):
            self.folder.make("belfry", name, owner=(NOBODY, NOBODY))
        for path in self.pair:
            os.chown(path, NOBODY, NOBODY)
        self.start(account=NOBODY)
        for pid in self.roles():
            self.assertEqual(os.stat("/proc/%d" % pid).st_uid in (NOBODY, 0), True)
        self.assertEqual(len(re.findall("not started as root", self.log())), 1)
        self.stop()

    def test_the_check_tells_everything_at_once(self):
        done = run([self.program, "-t", "-c", self.config])
        self.assertIn("all is right", done.stdout)
        os.chmod(self.pair[1], 0o644)
        self.values["program"] = '"/nonexistent/program"'
        shutil.copy(self.certificates.expired[0], self.pair[0])
        self.config = self.write(state_dir='"/etc/hostname/nowhere"')
        done = run([self.program, "-t", "-c", self.config], check=False)
        self.assertEqual(done.returncode, 1)
        for text in ("has expired", "is not the key of", "others can read this key", "/nonexistent/program",
                     "state_dir /etc/hostname/nowhere"):
            self.assertIn(text, done.stderr)
        self.config = self.write(fronts="0", lissten='{"443"}')
        done = run([self.program, "-t", "-c", self.config], check=False)
        self.assertRegex(done.stderr, r"belfry.conf:\d+: fronts = 0: it can be 1 to 64")
        self.assertRegex(done.stderr, r"belfry.conf:\d+: no such option 'lissten'")

    def test_a_second_one_leaves_the_first_alone(self):
        self.start()
        before = sorted(os.listdir(self.folder("belfry", "run")))
        for config in (self.config, self.write(listen='{"127.0.0.1:%d"}' % free_port())):
            done = run([self.program, "-c", config], check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("belfryd runs already with run_dir", done.stderr)
            self.assertIn("pid %d" % self.process.pid, done.stderr)
        self.assertEqual(sorted(os.listdir(self.folder("belfry", "run"))), before)
        self.stop()

    def test_a_port_that_is_taken_is_said_and_it_ends(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.port))
            taken.listen(1)
            done = run([self.program, "-c", self.config], check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot listen on 127.0.0.1:%d: Address already in use" % self.port, done.stderr)


if __name__ == "__main__":
    unittest.main()
