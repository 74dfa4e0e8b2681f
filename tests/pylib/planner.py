"""The planner, as the native tool build/native/insights."""

import json
import pathlib
import subprocess

TOOL = pathlib.Path(__file__).resolve().parents[2] / "build/native/insights"


class Planner:
    """The native tool, kept running: one line in, one line out."""

    def __init__(self):
        self.process = subprocess.Popen([TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **arguments):
        self.process.stdin.write(json.dumps(arguments) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()
