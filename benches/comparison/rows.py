"""The rows of the comparison. Each function makes what its row needs and says what is measured."""

import json
import os
import shutil
import subprocess

from .embedded import embedded_copy, embedded_install, embedded_root, embedded_run
from .measuring import Failure, Goal, Peer, Row, run_quietly, say
from .task_runners import askers, change_dockerfile, change_one, task_runners
from .workshop import ROOT, settle

UNBUILT = "nothing is built: the plans are of targets that were never built, with a cache of their own, and "\
    "look at everything (a run that finds all built may recall an earlier one)"


# --- the rows on the services --------------------------------------------------------------------------

def no_op(shop):
    tree = services(shop)
    peers = [
        Peer("git status", ["git", "status", "--short"], tree, needs="git"),
        ninja_peer(shop, tree),
        Peer("find -type f", ["find", ".", "-path", "./.git", "-prune", "-o", "-type", "f", "-print"], tree),
    ]
    row = Row(f"nothing to do, {size(shop)}", peers)
    for command in optional(row, lambda: shop.built(tree), ["build", "plan"]):
        peer = shop.imgraph_peer(f"{command} //...", tree, command, "//...")
        row.peers.append(peer)
        row.goals += [Goal(peer, 0.5, peers[0]), Goal(peer, 1.0, peers[1])]
    return row


def one_changed(shop):
    tree = services(shop)
    shop.built(tree)
    file = tree / service(shop, 10) / "src/file-000.rs"
    original, plan = file.read_bytes(), shop.imgraph_peer("plan", tree, "plan", "//...")
    changes = iter(range(10**9))

    def put_back():
        if file.read_bytes() != original:
            file.write_bytes(original)
            settle()
        # This run sees that all is as it was, and writes down what it leaned on.
        plan.run_once()

    def change():
        put_back()
        mark = f"{next(changes):09}\n".encode()
        file.write_bytes(original[:-len(mark)] + mark)

    # A processor that has rested for three seconds is slower: what is compared has rested as long.
    def rest():
        put_back()
        settle()

    def change_and_settle():
        change()
        settle()

    nothing = shop.imgraph_peer("plan //..., nothing changed", tree, "plan", "//...", before=put_back)
    fresh = shop.imgraph_peer("plan //..., one file changed just before", tree, "plan", "//...", before=change)
    rested = shop.imgraph_peer("plan //..., nothing changed for 3 s", tree, "plan", "//...", before=rest)
    settled = shop.imgraph_peer("plan //..., one file changed 3 s before", tree, "plan", "//...",
                                before=change_and_settle)
    whole = shop.imgraph_peer("plan //... --no-index, nothing changed", tree, "plan", "//...", "--no-index",
                              before=put_back)
    notes = ["the file gets other bytes of the same number before each run, outside of the timing; what is "
             "younger than two seconds lies in the racy window, where times prove nothing",
             "each run that follows a change comes after one that saw the file as it was: it looks again at the "
             "one target that reads the file, and at what that is based on"]
    goals = [Goal(fresh, 1.1, nothing), Goal(settled, 1.1, rested)]
    return Row(f"one file changed, {size(shop)}", [nothing, fresh, rested, settled, whole], goals, notes, put_back)


def cold(shop):
    tree = services(shop)
    cores = len(os.sched_getaffinity(0))
    listed = shop.folder / f"{tree.name}.files"
    files = files_that_imgraph_reads(shop, tree)
    listed.write_bytes(b"".join(os.fsencode(file) + b"\0" for file in files))
    hash_all = f"xargs -0 -P{cores} -n 1000 b3sum >/dev/null"
    find = "find . -path ./.git -prune -o -type f -print0"
    reference = Peer(f"xargs -P{cores} b3sum, the files that imgraph reads", ["sh", "-c", f"{hash_all} <{listed}"],
                     tree, needs="b3sum")
    walk = Peer(f"find, xargs -P{cores} b3sum, all files", ["sh", "-c", f"{find} | {hash_all}"], tree,
                needs="b3sum")

    def forget():
        for folder in ["index", "recalls"]:
            for place in shop.cache().glob(f"v*/{folder}"):
                shutil.rmtree(place)

    row = Row(f"no index, {size(shop)}", [reference, walk])
    for _ in optional(row, lambda: shop.built(tree), [()]):
        plain = shop.imgraph_peer("plan //... --no-index", tree, "plan", "//...", "--no-index")
        removed = shop.imgraph_peer("plan //..., index removed", tree, "plan", "//...", before=forget)
        row.peers += [plain, removed]
        row.goals = [Goal(plain, 0.7, reference), Goal(removed, 0.7, reference)]
    row.notes.append(f"imgraph reads {len(files):,} files of the tree; all files are in the page cache; where "
                     "the index is removed it is written anew within the time")
    return row


def one_service(shop):
    tree = services(shop)
    shop.built(tree)
    everything = shop.imgraph_peer("plan //...", tree, "plan", "//...")
    label = f"//{service(shop)}"
    one = shop.imgraph_peer(f"plan {label}", tree, "plan", label)
    return Row(f"one service of all, nothing to do, {size(shop)}", [everything, one], [Goal(one, 0.2, everything)])


# --- the rows on other trees ---------------------------------------------------------------------------

def one_context(shop):
    targets, files = shop.asked.context_targets, shop.asked.context_files
    tree = shop.tree("one-context", "--shape", "one-context", "--targets", targets, "--files", files,
                     "--bytes", 256)
    shop.built(tree)
    one = shop.imgraph_peer("plan of one target", tree, "plan", f"//:image-{targets // 2:04}")
    every = shop.imgraph_peer(f"plan of {targets:,} targets", tree, "plan", "//...")
    notes = [f"all is built, nothing is to do: of {targets:,} targets ten have outputs of their own, and the "
             "others are the same as one of those"]
    return Row(f"one root context of {files:,} files", [one, every], [Goal(every, 1.3, one)], notes)


def many_services(shop):
    shop.need_engine()
    peers, built = [], shop.asked.build_many
    for count, files in [(shop.asked.services, shop.asked.files),
                         (shop.asked.many_services, shop.asked.few_files)]:
        tree = shop.services(count, files)
        if built:
            shop.built(tree)
        name = f"plan //... of {count:,} x {files}"
        peers.append(shop.imgraph_peer(name, tree, "plan", "//...", cache="cache" if built else "unbuilt",
                                       units=count_files(tree)))
    return Row("many small services, for each file", peers, [Goal(peers[1], 1.0, peers[0])],
               ["all is built, nothing is to do" if built else UNBUILT])


def bare(shop):
    folders, targets = shop.asked.bare_folders, shop.asked.bare_targets
    tree = shop.tree("bare", "--shape", "bare", "--services", folders, "--targets", targets)
    find = Peer("find -type f", ["find", ".", "-type", "f"], tree)
    graph = shop.imgraph_peer("graph //... --format json", tree, "graph", "//...", "--format", "json",
                              cache="unbuilt")
    row = Row(f"{folders * targets:,} targets in {folders:,} BUILD.toml, no files", [find, graph],
              [Goal(graph, seconds=2, mebibytes=1024)], [UNBUILT, "`graph` loads all and makes no keys"])
    for option in optional(row, shop.need_engine, [[], ["--no-index"]]):
        name = " ".join(["plan //...", *option])
        plan = shop.imgraph_peer(name, tree, "plan", "//...", *option, cache="unbuilt")
        row.peers.append(plan)
        row.goals.append(Goal(plan, seconds=2, mebibytes=1024))
    return row


def bake(shop):
    targets = shop.asked.bake_targets
    tree = shop.tree("copies", "--shape", "copies", "--targets", targets)
    return beside_bake(shop, f"{targets} targets of one COPY each, all cached", tree, 1 / 50)


def market(shop):
    return beside_bake(shop, "examples/market, all cached", ROOT / "examples/market", None)


def beside_bake(shop, title, tree, goal):
    shop.built(tree)
    words = [shop.docker_client(), "buildx", "bake", "-f", tree / "docker-bake.hcl", "--progress", "quiet"]
    baker = Peer("docker buildx bake", words, tree, shop.environment())
    baker.run_once()
    build = shop.imgraph_peer("build //...", tree, "build", "//...")
    notes = ["of bake only the client's memory and processor time are counted, not the engine's; bake exports "
             "nothing where its file says `cacheonly`"]
    return Row(title, [baker, build], [Goal(build, goal, baker)] if goal else [], notes)


def runners(shop):
    """imgraph beside programs that run tasks of any kind. Each has a tree of its own, with the same services
    and the files that it asks for: what one writes would be a change to another."""
    tree = services(shop)
    shop.built(tree)
    ours = shop.imgraph_peer("build //...", tree, "build", "//...")
    row = Row(f"nothing to do, {size(shop)}", [ours])
    beside(shop, row, ours, 1.0, task_runners(shop))
    row.notes.append("a task does nothing here but say that it ran; servers and daemons are warm, and their "
                     "memory and processor time are not counted; each program has a tree of its own")
    return row


def affected(shop):
    return touched(shop, shop.asked.services, shop.asked.files)


def affected_many(shop):
    return touched(shop, shop.asked.many_services, shop.asked.few_files)


def touched(shop, count, files):
    """What a commit touches in a tree of `count` services."""
    tree = shop.services(count, files, "changed", change_one)
    git = Peer("git diff-tree -r HEAD~1 HEAD", ["git", "diff-tree", "-r", "HEAD~1", "HEAD"], tree, needs="git")
    ours = shop.imgraph_peer("affected --base HEAD~1 --head HEAD", tree, "affected", "--base", "HEAD~1",
                             "--head", "HEAD", cache="unbuilt")
    checkout = shop.imgraph_peer("affected --base HEAD~1", tree, "affected", "--base", "HEAD~1", cache="unbuilt")
    built = shop.services(count, files, "changed-dockerfile", change_dockerfile)
    dockerfile = shop.imgraph_peer("affected --base HEAD~1 --head HEAD, where that file is a Dockerfile", built,
                                   "affected", "--base", "HEAD~1", "--head", "HEAD", cache="unbuilt")
    row = Row(f"one commit that changes one file, {count:,} services x {files} files",
              [git, ours, dockerfile, checkout])
    beside(shop, row, ours, 0.4, askers(shop, count, files))
    row.notes.append("imgraph compares what is hashed of each target, the others the folders that files lie in; "
                     "each program has a tree of its own; servers and daemons are warm and not counted")
    return row


# --- what rows share -----------------------------------------------------------------------------------

def beside(shop, row, ours, goal, others):
    """Adds to a row those of other programs that are there, each as a goal for ours."""
    for other in others:
        shop.at_end.append(other.stop)
        name = f"{other.program_name} ({other.title})"
        try:
            other.prepare()
        except Failure as why:
            row.notes.append(f"left out: {name} ({why})")
            say(f"{name}: {why}; left out")
            continue
        row.peers.append(other.peer)
        row.goals.append(Goal(ours, goal, other.peer))
        row.notes += other.notes


def services(shop):
    return shop.services(shop.asked.services, shop.asked.files)


def size(shop):
    return f"{shop.asked.services:,} services x {shop.asked.files} files"


def service(shop, offset=0):
    """A service in the middle. The first few of each hundred are the base of others; with an offset it is
    none of those."""
    number = min(shop.asked.services // 2 + offset, shop.asked.services - 1)
    return f"services/svc-{number:04}"


def optional(row, prepare, parts):
    """The parts of a row that need what `prepare` makes; none, and a note, where that fails."""
    try:
        prepare()
        return parts
    except Failure as why:
        say(f"imgraph's plans and builds: {why}; left out")
        row.notes.append(f"left out: imgraph's plans and builds ({why})")
        return []


def count_files(tree):
    count = 0
    for _, folders, files in os.walk(tree):
        folders[:] = [name for name in folders if name != ".git"]
        count += len(files)
    return count


def ninja_peer(shop, tree):
    """One edge for each service, from all its files."""
    folder = shop.folder / f"{tree.name}.ninja"
    folder.mkdir(exist_ok=True)
    lines = [f"builddir = {folder}", "rule stamp", "  command = touch $out"]
    for place in sorted((tree / "services").iterdir()):
        files = sorted(str(path.relative_to(tree)) for path in place.rglob("*") if path.is_file())
        lines.append(f"build {folder}/{place.name}.stamp: stamp {' '.join(files)}")
    (folder / "build.ninja").write_text("\n".join(lines) + "\n")
    peer = Peer("ninja", ["ninja", "-C", tree, "-f", folder / "build.ninja"], tree, needs="ninja")
    if not peer.missing():
        peer.run_once()
    return peer


def files_that_imgraph_reads(shop, tree):
    """The files of all targets' views, and the files that say what the targets are."""
    words = [shop.imgraph, "--quiet", "-C", tree, "inputs", "//...", "--format", "json"]
    said = subprocess.run(words, env={**os.environ, **shop.environment("inputs")}, stdout=subprocess.PIPE,
                          check=False)
    if said.returncode != 0:
        raise Failure("`imgraph inputs` failed")
    read = set()
    for target in json.loads(said.stdout)["targets"]:
        read.add(target["dockerfile"])
        for context in target["contexts"]:
            read.add(context["ignore_file"])
            read.update(os.path.join(context["dir"], file["path"]) for file in context["files"]
                        if file["kind"] == "file")
    read.update(str(path.relative_to(tree)) for path in tree.rglob("BUILD.toml"))
    return sorted(read - {None})


ROWS = {
    "no-op": no_op,
    "one-changed": one_changed,
    "cold": cold,
    "one-service": one_service,
    "one-context": one_context,
    "many-services": many_services,
    "bare": bare,
    "bake": bake,
    "runners": runners,
    "affected": affected,
    "affected-many": affected_many,
    "market": market,
    "embedded-copy": embedded_copy,
    "embedded-run": embedded_run,
    "embedded-root": embedded_root,
    "embedded-install": embedded_install,
}
