"""A headless Chromium for the tests of pages."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

CONNECT = """
import os, sys
reads, writes, browser, *options = sys.argv[1:]
os.dup2(int(reads), 3)
os.dup2(int(writes), 4)
os.execv(browser, [browser, "--remote-debugging-pipe", *options])
"""


class Browser:
    """A headless Chromium, driven through its debugging pipe."""

    def __init__(self, profile):
        # it reads commands from descriptor 3 and writes answers to descriptor 4
        (commands, self_commands), (self_answers, answers) = os.pipe(), os.pipe()
        given = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (commands, answers)]
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", CONNECT, *map(str, given), CHROMIUM, *options, f"--user-data-dir={profile}"],
            pass_fds=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (commands, answers, *given):
            os.close(end)
        self.commands, self.answers = os.fdopen(self_commands, "wb"), os.fdopen(self_answers, "rb")
        self.count = 0
        self.events = []
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        while True:
            answer = json.loads(self._read())
            if "id" not in answer:
                self.events.append(answer)
            if answer.get("id") == self.count:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def _read(self):
        text = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "the browser has ended"
            text += byte
        return text

    def value(self, expression):
        """Return what a JavaScript expression, or the promise it makes, comes to."""
        done = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def wait_for(self, expression, seconds=60):
        end = time.monotonic() + seconds
        while not (found := self.value(expression)):
            assert time.monotonic() < end, (expression, self.value("document.body?.innerText"))
            time.sleep(0.05)
        return found

    def close(self):
        self.call("Browser.close")
        self.process.wait(30)
        self.commands.close()
        self.answers.close()
