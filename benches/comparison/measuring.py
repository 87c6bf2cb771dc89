"""Commands that are measured again and again, in turns."""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

TIME = "/usr/bin/time"


class Failure(Exception):
    """A row cannot be measured; the message says why."""


def say(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


def run_quietly(words, **options):
    """Runs to the end and returns what it said; that is shown too when it fails."""
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False, **options)
    if done.returncode != 0:
        say(f"{' '.join(map(str, words))} failed:\n{done.stdout[-4000:]}")
        raise Failure(f"`{os.path.basename(str(words[0]))}` ended with {done.returncode}")
    return done.stdout


def version(words):
    """The first thing in a program's words on its version that looks like one; Debian's bazel knows none."""
    said = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False).stdout
    found = re.search(r"\d+\.\d+[\w.+-]*", said)
    return found.group() if found else "(unknown version)"


class Peer:
    """A command that is measured."""

    def __init__(self, name, words, folder, environment=None, needs=None, before=None, units=None):
        """`needs` is a program without which it is left out. `before` is called before each run, outside
        of the timing. Times of peers with `units` are compared for each unit."""
        self.name, self.words, self.folder = name, [str(word) for word in words], folder
        self.environment = {**os.environ, **(environment or {})}
        self.needs, self.before, self.units = needs, before or (lambda: None), units
        self.seconds, self.processor_seconds, self.peak_mebibytes = [], [], None

    def missing(self):
        return self.needs is not None and shutil.which(self.needs) is None

    def run_once(self):
        """Runs outside of any measuring."""
        return run_quietly(self.words, cwd=self.folder, env=self.environment)

    def warm_up(self):
        """Runs, untimed, and then again to note the peak memory: a first run may do more than later ones.
        A child of this program would be charged with this program's own memory, so that `time` has to
        start it."""
        self.before()
        self.run_once()
        if not os.path.exists(TIME):
            return
        self.before()
        with tempfile.NamedTemporaryFile("r") as note:
            words = [TIME, "--format=%M", f"--output={note.name}", *self.words]
            run_quietly(words, cwd=self.folder, env=self.environment)
            self.peak_mebibytes = int(note.read()) / 1024

    def measure(self):
        self.before()
        began = time.monotonic()
        child = subprocess.Popen(self.words, cwd=self.folder, env=self.environment,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        complaints = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        self.seconds.append(time.monotonic() - began)
        self.processor_seconds.append(usage.ru_utime + usage.ru_stime)
        child.stderr.close()
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            say(complaints.decode(errors="replace")[-4000:])
            raise Failure(f"{self.name} ended with {child.returncode}")

    def median(self):
        return statistics.median(self.seconds)

    def median_of_processors(self):
        return statistics.median(self.processor_seconds)

    def ratio(self, reference):
        """How many times the reference's time it took; for each unit, where both have units."""
        ours, theirs = self.median(), reference.median()
        return (ours / self.units) / (theirs / reference.units) if self.units else ours / theirs


@dataclass
class Goal:
    """What a row must show: at most `factor` times what `beside` takes, or at most a figure."""

    of: Peer
    factor: float = None
    beside: Peer = None
    seconds: float = None
    mebibytes: float = None


@dataclass
class Row:
    """Commands that are compared: the first is what the others are compared with."""

    title: str
    peers: list
    goals: list = field(default_factory=list)
    # What a reader must know to judge the figures.
    notes: list = field(default_factory=list)
    # What of the tree must be put right afterwards.
    after: callable = lambda: None

    def measure(self, runs):
        for peer in [peer for peer in self.peers if peer.missing()]:
            self.leave_out(peer, f"{peer.needs} is not installed")
        if not self.peers:
            raise Failure("nothing of it is installed")
        try:
            for peer in self.peers:
                peer.warm_up()
            for _ in range(runs):
                for peer in self.peers:
                    peer.measure()
        finally:
            self.after()

    def leave_out(self, peer, why):
        say(f"{peer.name}: {why}; left out")
        self.notes.append(f"left out: {peer.name} ({why})")
        self.peers.remove(peer)
        self.goals = [goal for goal in self.goals if peer not in (goal.of, goal.beside)]
