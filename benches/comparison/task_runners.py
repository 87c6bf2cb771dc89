"""Programs that run tasks of any kind and skip what is up to date: turbo, nx and bazel; and what they, and
moon, say that a commit touches.

Each service is one task for each of them, which reads all of the service's files and does nothing.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from .measuring import Failure, Peer, run_quietly, say, version

QUIET = {"TURBO_TELEMETRY_DISABLED": "1", "TURBO_NO_UPDATE_NOTIFIER": "1", "DO_NOT_TRACK": "1",
         "NX_NO_CLOUD": "true", "NX_TUI": "false", "NX_DAEMON": "true", "CI": ""}


def task_runners(shop):
    return [Turbo(shop), Nx(shop), Bazel(shop), BazelThatWatches(shop)]


def services_of(tree):
    return sorted((tree / "services").iterdir())


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def commit(tree):
    git = ["git", "-C", tree, "-c", "user.name=nobody", "-c", "user.email=nobody@example.com"]
    run_quietly([*git, "add", "--all"])
    run_quietly([*git, "-c", "gc.auto=0", "commit", "--quiet", "--message=Files of another tool"])


class Runner:
    """A program, found in the folder that --tools names, or on the PATH."""

    program_name = title = None
    # What it says in a run that had nothing to do.
    up_to_date = None

    def __init__(self, shop):
        self.shop, self.program, self.tree, self.peer, self.notes = shop, None, None, None, []

    def prepare(self):
        """Finds the program and runs all tasks; a second run tells whether that worked."""
        self.find()
        asked = self.shop.asked
        self.tree = self.shop.services(asked.services, asked.files, self.title.replace(" ", ""), self.make)
        self.settle_in()
        name = self.title.replace(self.program_name, f"{self.program_name} {version([self.program, '--version'])}")
        self.peer = Peer(name, [self.program, *self.words()], self.tree, QUIET)
        say(f"the first run of {name}")
        self.peer.run_once()
        if not re.search(self.up_to_date, self.peer.run_once()):
            self.notes.append(f"{name} did not say that all was up to date when it was run again")

    def find(self):
        tools = self.shop.asked.tools
        beside = [str(Path(tools).resolve() / "node_modules/.bin")] if tools else []
        path = os.pathsep.join([*beside, os.environ.get("PATH", "")])
        self.program = shutil.which(self.program_name, path=path)
        if not self.program:
            raise Failure(f"{self.program_name} is not installed")

    def make(self, tree):
        """Writes and commits the files that the program wants."""
        with open(tree / ".gitignore", "a") as file:
            file.write("/node_modules\n.turbo\n.nx\n")
        self.write_files(tree)
        commit(tree)

    def settle_in(self):
        """What has to be done in the tree at each run of the comparison."""

    def stop(self):
        """Ends what stays behind in memory."""
        if self.tree:
            subprocess.run([self.program, *self.stop_words()], cwd=self.tree, env={**os.environ, **QUIET},
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           check=False)


def write_packages(tree, **more):
    """A package.json for each service, and one above them."""
    write_json(tree / "package.json", {"name": "generated", "private": True, "packageManager": "npm@10.0.0",
                                       "workspaces": ["services/*"]})
    for service in services_of(tree):
        package = {"name": service.name, "version": "1.0.0", "scripts": {"build": "true"}, **more}
        write_json(service / "package.json", package)


class Turbo(Runner):
    program_name = title = "turbo"
    up_to_date = "FULL TURBO"

    def write_files(self, tree):
        write_packages(tree)
        write_json(tree / "turbo.json", {"tasks": {"build": {"outputs": []}}})

    def words(self):
        return ["run", "build", "--output-logs=none", "--ui=stream"]

    def stop_words(self):
        return ["daemon", "stop"]


class Nx(Runner):
    program_name = title = "nx"
    up_to_date = r"for (\d+) out of \1 tasks"

    def write_files(self, tree):
        write_packages(tree, nx={"targets": {"build": {"executor": "nx:run-commands", "cache": True,
                                                       "options": {"command": "true"}}}})
        write_json(tree / "nx.json", {"analytics": False})

    def settle_in(self):
        """It wants to be a part of the workspace."""
        modules, beside = self.tree / "node_modules", Path(self.program).parent.parent
        if beside.name != "node_modules":
            raise Failure("nx must be in the node_modules of the folder that --tools names")
        modules.unlink(missing_ok=True)
        modules.symlink_to(beside)

    def words(self):
        return ["run-many", "--target=build", "--outputStyle=static"]

    def stop_words(self):
        return ["daemon", "--stop"]


class Bazel(Runner):
    program_name = title = "bazel"
    up_to_date = r"\b(0 processes|1 process: 1 internal)"
    options = []

    def write_files(self, tree):
        (tree / "WORKSPACE").write_text("")
        (tree / "MODULE.bazel").write_text("")
        for service in services_of(tree):
            (service / "BUILD.bazel").write_text(
                'genrule(\n    name = "stamp",\n    srcs = glob(["**"], exclude = ["BUILD.bazel"]),\n'
                '    outs = ["stamp.txt"],\n    cmd = "touch $@",\n)\n')

    def startup(self):
        return [f"--output_user_root={self.shop.folder / 'bazel'}"]

    def words(self):
        # From 7 on it would fetch modules, which takes a network; from 8 on a WORKSPACE must be asked for.
        major = version([self.program, "--version"]).split(".")[0]
        # Debian's own, which is of version 4, does not know its version.
        major = int(major) if major.isdecimal() else 4
        modules = ["--noenable_bzlmod"] if major >= 7 else []
        workspace = ["--enable_workspace"] if major >= 8 else []
        quiet = ["--noshow_progress", "--symlink_prefix=/"]
        return [*self.startup(), "build", "//...", *quiet, *self.options, *modules, *workspace]

    def stop_words(self):
        return [*self.startup(), "shutdown"]


class BazelThatWatches(Bazel):
    """The server is told of changes by the system and looks at no file."""

    title = "bazel --watchfs"
    options = ["--watchfs"]


# --- what a commit touches -----------------------------------------------------------------------------

def askers(shop, services, files):
    return [asked(shop, services, files) for asked in (TurboAsked, NxAsked, MoonAsked)]


def change_one(tree):
    """A second commit, which changes one file of one service; packed, as a clone is."""
    file = one_of(tree) / "src/file-000.rs"
    commit_change(tree, file, file.read_bytes()[::-1])


def change_dockerfile(tree):
    """The same of a Dockerfile, which gets another instruction."""
    file = one_of(tree) / "Dockerfile"
    commit_change(tree, file, file.read_bytes() + b"ENV CHANGED=1\n")


def one_of(tree):
    services = services_of(tree)
    return services[len(services) // 2]


def commit_change(tree, file, content):
    file.write_bytes(content)
    commit(tree)
    run_quietly(["git", "-C", tree, "gc", "--quiet"])


class Asked(Runner):
    """Says which services the last commit touches."""

    environment = {}

    def __init__(self, shop, services, files):
        super().__init__(shop)
        self.services, self.files = services, files

    def prepare(self):
        self.find()
        self.tree = self.shop.services(self.services, self.files, f"changed-{self.program_name}", self.make)
        self.settle_in()
        name = f"{self.program_name} {version([self.program, '--version'])} {self.title}"
        self.peer = Peer(name, [self.program, *self.words()], self.tree, {**QUIET, **self.environment})
        say(f"the first run of {name}")
        touched = services_of(self.tree)[self.services // 2].name
        if touched not in self.peer.run_once():
            self.notes.append(f"{name} did not name the service that was changed")

    def make(self, tree):
        super().make(tree)
        change_one(tree)


class TurboAsked(Asked, Turbo):
    title = "ls --affected"
    environment = {"TURBO_SCM_BASE": "HEAD~1", "TURBO_SCM_HEAD": "HEAD"}

    def words(self):
        return ["ls", "--affected"]


class NxAsked(Asked, Nx):
    title = "show projects --affected"

    def words(self):
        return ["show", "projects", "--affected", "--base=HEAD~1", "--head=HEAD"]


class MoonAsked(Asked):
    program_name = "moon"
    title = "query projects --affected"
    environment = {"MOON_BASE": "HEAD~1", "MOON_HEAD": "HEAD", "MOON_TOOLCHAIN_FORCE_GLOBALS": "true"}

    def write_files(self, tree):
        (tree / ".moon").mkdir()
        (tree / ".moon/workspace.yml").write_text('projects:\n  - "services/*"\nvcs:\n  defaultBranch: "master"\n')
        (tree / ".moon/.gitignore").write_text("cache\ndocker\n")
        for service in services_of(tree):
            (service / "moon.yml").write_text('tasks:\n  build:\n    command: "true"\n')

    def words(self):
        return ["query", "projects", "--affected"]

    def stop(self):
        """It leaves nothing behind."""
