"""Programs that run tasks of any kind and skip what is up to date: turbo, nx and bazel.

Each service is one task for each of them, which reads all of the service's files and does nothing.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

from .measuring import Failure, Peer, run_quietly, say, version

QUIET = {"TURBO_TELEMETRY_DISABLED": "1", "TURBO_NO_UPDATE_NOTIFIER": "1", "DO_NOT_TRACK": "1",
         "NX_NO_CLOUD": "true", "NX_TUI": "false", "NX_DAEMON": "true", "CI": ""}


def task_runners(shop):
    return [Turbo(shop), Nx(shop), Bazel(shop)]


def services_of(tree):
    return sorted((tree / "services").iterdir())


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def ignore(tree, *lines):
    """Adds to the tree's ignore file; the tree's commit is made anew so that git sees no change."""
    with open(tree / ".gitignore", "a") as file:
        file.writelines(f"{line}\n" for line in lines)


def commit(tree):
    git = ["git", "-C", tree, "-c", "user.name=nobody", "-c", "user.email=nobody@example.com"]
    run_quietly([*git, "add", "--all"])
    run_quietly([*git, "-c", "gc.auto=0", "commit", "--quiet", "--message=Files of another tool"])


class Runner:
    """A program, found beside the others that were asked for with --tools, or on the PATH."""

    name = None

    def __init__(self, shop):
        self.shop, self.program = shop, None

    def find(self):
        tools = self.shop.asked.tools
        beside = [str(Path(tools).resolve() / "node_modules/.bin")] if tools else []
        path = os.pathsep.join([*beside, os.environ.get("PATH", "")])
        self.program = shutil.which(self.name, path=path)
        if not self.program:
            raise Failure(f"{self.name} is not installed")

    def peer(self, tree):
        """The peer, after a first run that does all tasks; a second tells whether that worked."""
        self.find()
        say(f"the first run of {self.name}")
        peer = Peer(f"{self.name} {version([self.program, '--version'])}", [self.program, *self.words(tree)], tree,
                    QUIET)
        peer.run_once()
        return peer

    def stop(self, tree):
        """Ends what stays behind in memory."""
        if self.program:
            subprocess.run([self.program, *self.stop_words()], cwd=tree, env={**os.environ, **QUIET},
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           check=False)


class Turbo(Runner):
    name = "turbo"

    def write_files(self, tree):
        """The files of all programs that read package.json."""
        ignore(tree, "/node_modules", ".turbo", ".nx", "/bazel-*")
        write_json(tree / "package.json", {"name": "generated", "private": True, "packageManager": "npm@10.0.0",
                                           "workspaces": ["services/*"]})
        write_json(tree / "turbo.json", {"tasks": {"build": {"outputs": []}}})
        for service in services_of(tree):
            nx = {"targets": {"build": {"executor": "nx:run-commands", "options": {"command": "true"},
                                        "cache": True}}}
            write_json(service / "package.json", {"name": service.name, "version": "1.0.0",
                                                  "scripts": {"build": "true"}, "nx": nx})

    def words(self, _tree):
        return ["run", "build", "--output-logs=none", "--ui=stream"]

    def stop_words(self):
        return ["daemon", "stop"]


class Nx(Runner):
    name = "nx"

    def write_files(self, tree):
        write_json(tree / "nx.json", {"analytics": False, "targetDefaults": {"build": {"cache": True}}})

    def peer(self, tree):
        self.find()
        # It wants to be a part of the workspace.
        modules, beside = tree / "node_modules", Path(self.program).parent.parent
        if beside.name != "node_modules":
            raise Failure("nx must be in the node_modules of the folder that --tools names")
        modules.unlink(missing_ok=True)
        modules.symlink_to(beside)
        return super().peer(tree)

    def words(self, _tree):
        return ["run-many", "--target=build", "--outputStyle=static"]

    def stop_words(self):
        return ["daemon", "--stop"]


class Bazel(Runner):
    name = "bazel"

    def write_files(self, tree):
        (tree / "WORKSPACE").write_text("")
        (tree / "MODULE.bazel").write_text("")
        (tree / ".bazelignore").write_text("node_modules\n.git\n.nx\n")
        for service in services_of(tree):
            (service / "BUILD.bazel").write_text(
                'genrule(\n    name = "stamp",\n    srcs = glob(["**"], exclude = ["BUILD.bazel"]),\n'
                '    outs = ["stamp.txt"],\n    cmd = "touch $@",\n)\n')
        commit(tree)

    def startup(self):
        return [f"--output_user_root={self.shop.folder / 'bazel'}"]

    def words(self, _tree):
        # From 7 on it would fetch modules, which takes a network; from 8 on a WORKSPACE must be asked for.
        major = version([self.program, "--version"]).split(".")[0]
        # Debian's own, which is of version 4, does not know.
        major = int(major) if major.isdecimal() else 4
        modules = ["--noenable_bzlmod"] if major >= 7 else []
        workspace = ["--enable_workspace"] if major >= 8 else []
        return [*self.startup(), "build", "//...", "--noshow_progress", "--symlink_prefix=/", *modules, *workspace]

    def stop_words(self):
        return [*self.startup(), "shutdown"]
