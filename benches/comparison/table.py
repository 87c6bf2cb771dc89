"""What is printed: Markdown, row by row as they are measured."""

import datetime
import os


def show(text=""):
    print(text, flush=True)


def machine():
    """The machine's size, and nothing by which somebody could know it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB of memory"


def show_head(runs, versions):
    load = os.getloadavg()[0]
    show(f"{datetime.date.today()}, {machine()} (load before: {load:.1f}); medians of {runs} runs, "
         "alternating within a row; a ratio is to the row's first line.")
    if versions:
        show(", ".join(f"{name} {version}" for name, version in versions.items()) + ".")
    show()
    show("| row | command | seconds | ratio | user+sys | peak MiB |")
    show("|---|---|--:|--:|--:|--:|")


def show_row(name, row):
    """One line for each peer; only the first says which row it is."""
    for number, peer in enumerate(row.peers):
        title = "" if number else f"**{name}**: {row.title}"
        peak = "–" if peer.peak_mebibytes is None else f"{peer.peak_mebibytes:.1f}"
        show(f"| {title} | {peer.name}{per_unit(peer)} | {peer.median():.3f} | "
             f"{number_of(peer.ratio(row.peers[0]))} | {peer.median_of_processors():.3f} | {peak} |")


def per_unit(peer):
    if not peer.units:
        return ""
    return f" ({peer.median() / peer.units * 1e6:.2f} µs for each of {peer.units:,} files)"


def number_of(ratio):
    """A ratio with as many digits as say something."""
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.3f}"


def show_goals(rows):
    lines = [line for name, row in rows.items() for goal in row.goals for line in goal_lines(name, goal)]
    if lines:
        show("\n| row | what | goal | measured | |\n|---|---|--:|--:|---|")
    for line in lines:
        show(line)


def goal_lines(name, goal):
    if goal.factor is not None:
        ratio = goal.of.ratio(goal.beside)
        yield goal_line(name, f"{goal.of.name} / {goal.beside.name}", goal.factor, ratio, number_of(ratio))
    if goal.seconds is not None:
        seconds = goal.of.median()
        yield goal_line(name, f"{goal.of.name}, seconds", goal.seconds, seconds, f"{seconds:.3f}")
    if goal.mebibytes is not None and goal.of.peak_mebibytes is not None:
        peak = goal.of.peak_mebibytes
        yield goal_line(name, f"{goal.of.name}, MiB", goal.mebibytes, peak, f"{peak:.0f}")


def goal_line(name, what, goal, measured, shown):
    verdict = "met" if measured <= goal else "**missed**"
    return f"| {name} | {what} | ≤ {goal:g} | {shown} | {verdict} |"


def show_notes(rows, left_out):
    notes = [f"- {name}: {note}." for name, row in rows.items() for note in row.notes]
    notes += [f"- {name}: left out: {why}." for name, why in left_out.items()]
    if notes:
        show("\nNotes:\n")
    for note in notes:
        show(note)
