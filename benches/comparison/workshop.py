"""The folder in which everything is made: trees, caches, and an engine of its own.

A tree's name holds a hash of the generator and of what it was asked for: a tree that was left by an earlier
run is used again only where the same would be made anew.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from .measuring import Failure, Peer, run_quietly, say

ROOT = Path(__file__).resolve().parent.parent.parent
ENGINE = ROOT / "tests/support/engine"
GENERATOR = ["benches/generate.rs", "tests/support/monorepo.rs", "tests/support/extremes.rs"]
# Facts of files that are younger than two whole seconds are believed by no careful program.
SETTLING_SECONDS = 3.1


def settle():
    time.sleep(SETTLING_SECONDS)


def changed(tree):
    """Whether a run that was killed left a change in a tree."""
    if not (tree / ".git").is_dir():
        return False
    return run_quietly(["git", "-C", tree, "status", "--porcelain"]) != ""


class Workshop:
    def __init__(self, asked):
        self.asked, self.folder, self.imgraph = asked, Path(asked.folder).resolve(), None
        # Where the engine listens, when it was started.
        self.engine = None
        # Each folder has an engine of its own: its name is one that no other folder's run will stop.
        self.engine_name = f"compare-{hashlib.sha256(bytes(self.folder)).hexdigest()[:8]}"
        # What else is called in the end, whatever happens.
        self.at_end = []

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        # All of it is removed in the end: it must be nobody else's.
        if any(self.folder.iterdir()) and not (self.folder / "lock").is_file():
            raise SystemExit(f"{self.folder} holds other things: name a --folder that is empty or not there")
        self.lock = open(self.folder / "lock", "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"another comparison uses {self.folder}: wait for it, or name another --folder")
        return self

    def __exit__(self, *_):
        for end in self.at_end:
            end()
        if self.asked.keep:
            say(f"left for the next run: {self.folder}" + (", and the engine" if self.engine else ""))
            return
        if self.engine:
            subprocess.run([ENGINE, "stop", self.engine_name, "--force"], check=False)
        # Bazel makes folders that cannot be written.
        for folder, _, _ in os.walk(self.folder / "bazel"):
            os.chmod(folder, 0o700)
        shutil.rmtree(self.folder, ignore_errors=True)

    def build_programs(self):
        say("building imgraph and the generator")
        run_quietly(["cargo", "bench", "--locked", "--no-run", "--bench", "generate"], cwd=ROOT)
        if self.asked.imgraph:
            self.imgraph = Path(self.asked.imgraph).resolve()
            return
        run_quietly(["cargo", "build", "--release", "--locked"], cwd=ROOT)
        self.imgraph = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "release/imgraph"

    # --- trees ---------------------------------------------------------------------------------------

    def tree(self, name, *words, change=lambda tree: None):
        """The tree of that name, made by the generator with `words` and by `change`, or found."""
        words = [str(word) for word in words]
        made_by = b"".join((ROOT / path).read_bytes() for path in GENERATOR) + repr(words).encode()
        tree = self.folder / f"{name}-{hashlib.sha256(made_by).hexdigest()[:12]}"
        if tree.is_dir() and not changed(tree):
            return tree
        shutil.rmtree(tree, ignore_errors=True)
        partial = tree.with_name(f"{tree.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        say(f"making {name}: {' '.join(words)}")
        run_quietly(["cargo", "bench", "--locked", "--bench", "generate", "--", partial, *words], cwd=ROOT)
        change(partial)
        partial.rename(tree)
        settle()
        return tree

    def services(self, services, files, name="services", change=lambda tree: None):
        return self.tree(f"{name}-{services}x{files}", "--services", services, "--files", files, "--commit",
                         change=change)

    # --- imgraph -------------------------------------------------------------------------------------

    def environment(self, cache="cache"):
        """Where imgraph and the docker client find the cache of that name, and the engine."""
        return {"IMGRAPH_CACHE_DIR": str(self.cache(cache)), "DOCKER_CONTEXT": "",
                **({"DOCKER_HOST": self.engine} if self.engine else {})}

    def cache(self, cache="cache"):
        return self.folder / cache

    def imgraph_peer(self, name, tree, *words, cache="cache", **options):
        words = [self.imgraph, "--quiet", "-C", tree, *words]
        # Two trees have services of one name: neither takes the other's images' names away.
        environment = {**self.environment(cache), "IMAGE_REPO": f"ghcr.io/acme/{Path(tree).name}"}
        return Peer(f"imgraph {name}", words, tree, environment, **options)

    def need_engine(self):
        """Starts the engine, when that was not done already."""
        if self.asked.no_engine:
            raise Failure("an engine is needed, and --no-engine was given")
        if self.engine:
            return
        started = subprocess.run([ENGINE, "start", self.engine_name], stdout=subprocess.DEVNULL, check=False)
        if started.returncode != 0:
            self.asked.no_engine = True
            raise Failure("no engine could be started")
        for line in run_quietly([ENGINE, "status"]).splitlines():
            name, _, host, _ = line.split("\t")
            if name == self.engine_name:
                self.engine = host

    def docker_client(self):
        return run_quietly(["bash", "-c", f'eval "$({ENGINE} env)"; printf %s "$IMGRAPH_TEST_DOCKER_CLIENT"'])

    def built(self, tree):
        """Builds all of a tree, and makes sure that nothing is left to do. What an earlier run built and
        left is found by imgraph itself."""
        self.need_engine()
        began = time.monotonic()
        self.imgraph_peer("build", tree, "build", "//...").run_once()
        say(f"built {tree.name}: {time.monotonic() - began:.1f} s")
        self.imgraph_peer("plan", tree, "plan", "//...", "--detailed-exitcode").run_once()
