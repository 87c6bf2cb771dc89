"""Rows on images that are made anew: imgraph's own builder beside a Docker Engine, which is asked in both ways, by
its own client and by imgraph.

Each run of a command is preceded by an edit that no run has seen before, so that nobody has the answer already.
The trees are small, and written here.
"""

import gzip
import hashlib
import json
import os
import shutil
import time
from pathlib import Path

from .measuring import Goal, Peer, Row, run_quietly
from .workshop import ENGINE

# The cache of imgraph's own builder, with its store of images.
CACHE = "embedded"

BUILD_TOML = """[workspace]
name = "{name}"

[base.below]
image = "{base}"
allow = ["unpinned-base"]

[image.{name}]
network = "none"
tags = ["compare/{name}:imgraph"]
"""

COPY = """FROM {base} AS libraries
COPY libraries/ /libraries/
FROM libraries
COPY service/ /service/
"""

RUN = """FROM {base}
ARG NUMBER={number}
RUN --network=none true
"""

# What a package manager does: many files, small and large, in many folders.
INSTALL = """FROM {base}
ARG NUMBER={number}
RUN --network=none mkdir /added && find /usr -type f | sort | head -n {files} | xargs cp --parents -t /added
"""


def embedded_copy(shop):
    tree = write_tree(shop, "embedded-copy", "busybox:1.36", COPY)
    count, small = shop.asked.library_files, 50
    for folder, files in [("libraries", count), ("service", small)]:
        for number in range(files):
            file = tree / folder / f"part-{number // 50:03}" / f"file-{number:05}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{folder} {number}\n" * 100)
    changed = tree / "service/part-000/file-00007.txt"
    return warm_row(shop, tree, f"one changed file of the last COPY ({small} files), over a stage of {count} files",
                    lambda: changed.write_text(f"{mark()}\n" * 100))


def embedded_run(shop):
    tree = write_tree(shop, "embedded-run", "busybox:1.36", RUN)
    edit = editor(tree, RUN, "busybox:1.36")
    return warm_row(shop, tree, "a RUN of `true`, with an argument that changes", edit)


def embedded_root(shop):
    """From an archive of the base to the image, nothing being there before: neither has a Debian unpacked."""
    parts = Debian(shop, "embedded-root")
    docker, archive, tag = parts.docker, f"{parts.layout}.tar", f"compare/{parts.tree.name}:docker"

    def nothing_there():
        parts.edit()
        # A cache of steps would keep the layers of an image that is removed.
        run_quietly([docker, "image", "rm", "--force", tag, BASE], env=parts.environment)
        run_quietly([docker, "image", "prune", "--force"], env=parts.environment)
        run_quietly([docker, "builder", "prune", "--all", "--force"], env=parts.environment)

    def no_store():
        parts.edit()
        move_away(shop)

    load_and_build = 'docker=$1; "$docker" load --quiet --input "$2" && "$docker" build --no-cache --quiet --tag "$3" .'
    by_docker = Peer("docker load, docker build", ["bash", "-c", load_and_build, "-", docker, archive, tag], parts.tree,
                     shop.environment(), before=nothing_there)
    ours = shop.imgraph_peer("cache load, build --builder embedded", parts.tree, cache=CACHE, before=no_store)
    load_and_build = 'layout=$1 base=$2; shift 2; "$@" cache load "$layout" --as "$base" && ' \
                     '"$@" --builder embedded build //...'
    ours.words = ["bash", "-c", load_and_build, "-", str(parts.layout), BASE, *ours.words]
    return Row(f"a Debian unpacked, and up to {parts.files:,} files copied by a RUN; nothing there before",
               [by_docker, ours], [Goal(ours, 1.0, by_docker)],
               ["imgraph compresses the layer that it makes, the engine does not", *NOTES], parts.tidy)


def embedded_install(shop):
    """The same RUN, on a base that both have unpacked."""
    parts = Debian(shop, "embedded-install")
    run_quietly([parts.docker, "load", "--quiet", "--input", f"{parts.layout}.tar"], env=parts.environment)
    load(shop, parts.layout, BASE)
    by_docker = docker_peer(shop, parts.tree, "docker build --no-cache", parts.edit, "--no-cache")
    ours = shop.imgraph_peer("build --builder embedded", parts.tree, "--builder", "embedded", "build", "//...",
                             cache=CACHE, before=parts.edit)
    return Row(f"up to {parts.files:,} files copied by a RUN, on a Debian that is unpacked", [by_docker, ours],
               [Goal(ours, 1.0, by_docker)],
               ["imgraph compresses the layer that it makes, the engine does not", *NOTES], parts.tidy)


BASE = "debian-root:trixie"


class Debian:
    """A tree whose image begins with a Debian, and that Debian as a layout and as an archive."""

    def __init__(self, shop, name):
        self.shop, self.files = shop, shop.asked.installed_files
        shop.need_engine()
        # This makes the archive where it is not there.
        run_quietly([ENGINE, "debian", shop.engine_name])
        self.layout = layout_of(shop, BASE)
        self.tree = write_tree(shop, name, BASE, INSTALL, files=self.files)
        self.edit = editor(self.tree, INSTALL, BASE, files=self.files)
        self.docker = shop.docker_client()
        self.environment = {**os.environ, **shop.environment()}

    def tidy(self):
        shutil.rmtree(trash(self.shop), ignore_errors=True)


# --- what the rows share -------------------------------------------------------------------------------

NOTES = ["before each run an edit that no run has seen; of the engine only the client's memory and processor time are "
         "counted"]


def warm_row(shop, tree, title, edit):
    """Everybody has all but the last step in a cache."""
    shop.need_engine()
    load(shop, layout_of(shop, "busybox:1.36"), "busybox:1.36")
    by_docker = docker_peer(shop, tree, "docker build", edit)
    by_imgraph = shop.imgraph_peer("build --builder docker", tree, "--builder", "docker", "build", "//...",
                                   before=edit)
    ours = shop.imgraph_peer("build --builder embedded", tree, "--builder", "embedded", "build", "//...",
                             cache=CACHE, before=edit)
    goals = [Goal(ours, 0.2, by_docker), Goal(ours, 0.2, by_imgraph)]
    return Row(title, [by_docker, by_imgraph, ours], goals, list(NOTES))


def docker_peer(shop, tree, name, before, *options):
    words = [shop.docker_client(), "build", *options, "--quiet", "--tag", f"compare/{tree.name}:docker", "."]
    return Peer(name, words, tree, shop.environment(), before=before)


def write_tree(shop, name, base, dockerfile, **values):
    tree = shop.folder / name
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    (tree / "BUILD.toml").write_text(BUILD_TOML.format(name=name, base=base))
    (tree / ".dockerignore").write_text("BUILD.toml\nDockerfile\n.dockerignore\n")
    (tree / "Dockerfile").write_text(dockerfile.format(base=base, number=mark(), **values))
    return tree


def editor(tree, dockerfile, base, **values):
    """What gives the Dockerfile of a tree an argument that it never had."""
    return lambda: (tree / "Dockerfile").write_text(dockerfile.format(base=base, number=mark(), **values))


def mark():
    """Never the same again, in a later run with --keep neither."""
    return time.time_ns()


def load(shop, layout, base):
    """Gives imgraph's own builder a store that holds nothing but a base."""
    move_away(shop)
    shop.imgraph_peer("cache load", shop.folder, "cache", "load", layout, "--as", base, cache=CACHE).run_once()


def move_away(shop):
    """Leaves imgraph's own builder no store. What it had is not removed: on ext4 a file that was just removed makes
    new ones slower for minutes."""
    if shop.cache(CACHE).exists():
        trash(shop).mkdir(exist_ok=True)
        shop.cache(CACHE).rename(trash(shop) / str(mark()))


def trash(shop):
    return shop.folder / "trash"


# The archive that an engine imports, and the command of the image.
BASES = {"busybox:1.36": ("busybox-2.tar", "sh"), "debian-root:trixie": ("debian-root-1.tar", "bash")}


def layout_of(shop, base):
    """An OCI layout of the base with one layer, compressed as a registry would have it; a tar of it beside it."""
    archive, command = BASES[base]
    layout = shop.folder / f"base-{base.replace(':', '-')}"
    if (layout / "index.json").exists():
        return layout
    bases = run_quietly(["bash", "-c", f'eval "$({ENGINE} env)"; printf %s "$IMGRAPH_TEST_BASES"'])
    tar = (Path(bases) / archive).read_bytes()
    (layout / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    layer = put(layout, gzip.compress(tar, 6, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")
    machine = "arm64" if os.uname().machine == "aarch64" else "amd64"
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    config = put_json(layout, "application/vnd.oci.image.config.v1+json", {
        "architecture": machine, "os": "linux", "config": {"Env": [path], "Cmd": [command]},
        "rootfs": {"type": "layers", "diff_ids": [digest(tar)]}})
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = put_json(layout, kind, {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]})
    manifest["annotations"] = {"io.containerd.image.name": f"docker.io/library/{base}",
                               "org.opencontainers.image.ref.name": base}
    # An engine with a classic store asks for this file.
    blobs = ["blobs/" + described["digest"].replace(":", "/") for described in [config, layer]]
    (layout / "manifest.json").write_text(json.dumps([{"Config": blobs[0], "RepoTags": [base], "Layers": blobs[1:]}]))
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    run_quietly(["tar", "-C", layout, "-cf", f"{layout}.tar", "."])
    return layout


def put(layout, content, media_type):
    """Writes a blob; its descriptor."""
    name = digest(content)
    (layout / "blobs" / name.replace(":", "/")).write_bytes(content)
    return {"mediaType": media_type, "digest": name, "size": len(content)}


def put_json(layout, media_type, value):
    return put(layout, json.dumps(value).encode(), media_type)


def digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
