#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""layers.py OBJECTS [ROOT]: the arrows between the files of modem/, apdu/ and provider/ run one way.
ROOT: another tree than this one.

Three things are looked at: what a file includes, which functions and tables of other files it uses (from
`nm` of the objects in OBJECTS, which mirrors ROOT), and whether either makes a circle. A function that is
handed over at run time is no arrow: who calls it does not know whose it is."""

import os
import re
import subprocess
import sys

FOLDERS = ("modem", "apdu", "provider")

# What a file may include and use: its own layer and those above it in this list, which is from the
# bottom up. The first pattern that fits a file's name is its layer.
LAYERS = (
    ("modem", r"modem/"),
    # what all of apdu/ is told by its caller, and knows of nothing else
    ("apdu, settings", r"apdu/(aid|key|settings|pin_source|outfile|version|key|aid)\.[ch]"),
    ("apdu/card", r"apdu/card/"),
    ("apdu/applet", r"apdu/applet/"),
    ("apdu/session", r"apdu/session/"),
    ("apdu/agent, client", r"apdu/agent/(protocol|client|client_packet)\.[ch]"),
    ("apdu", r"apdu/[^/]*\.[ch]"),
    ("apdu/safe2", r"apdu/safe2/"),
    ("apdu/agent", r"apdu/agent/"),
    ("provider", r"provider/[^/]*\.[ch]"),
    ("provider/tool", r"provider/tool/[^/]*\.[ch]"),
    ("provider/tool/doctor", r"provider/tool/doctor/"),
)

# apdu/'s own headers say what its folders and callers share. So all of apdu/ may include them, and they
# nothing of a folder of it; provider/ may include nothing else of apdu/.
PUBLIC = re.compile(r"(apdu|modem)/[^/]*\.h")

LIBRARY = re.compile(r"openssl/")  # provider/'s matter alone


def layer_of(name):
    for number, (_, pattern) in enumerate(LAYERS):
        if re.match(pattern, name):
            return number
    return None


def sources(root, ends):
    """Files of the folders, named from root."""
    found = []
    for folder in FOLDERS:
        for where, _, names in os.walk(os.path.join(root, folder)):
            found += [os.path.relpath(os.path.join(where, name), root) for name in names if name.endswith(ends)]
    return sorted(found)


def includes(root):
    """{file: [what it includes, with its kind of brackets taken off]}: ours, and libraries'."""
    ours, others = {}, {}
    for name in sources(root, (".c", ".h")):
        with open(os.path.join(root, name), encoding="utf-8") as file:
            lines = re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', file.read(), re.M)
        ours[name] = {other: ["#include"] for bracket, other in lines if bracket == '"'}
        others[name] = [other for bracket, other in lines if bracket == "<"]
    return ours, others


def symbols(path):
    """What an object defines for others, and what it needs of them."""
    said = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
    fields = [line.split() for line in said.splitlines()]
    return ({f[-1] for f in fields if f[-2] in "TDBRCVW"}, {f[-1] for f in fields if f[-2] == "U"})


def calls(root, objects):
    """{file: {file whose functions or tables it uses: [their names]}}"""
    defined, needed = {}, {}
    for name in sources(root, ".c"):
        path = os.path.join(objects, name[:-1] + "o")
        if not os.path.exists(path):
            if name == "modem/pcsc.c":
                continue  # a build without PC/SC
            sys.exit(f"layers.py: there is no {path}: build first")
        mine, needed[name] = symbols(path)
        defined.update((symbol, name) for symbol in mine)
    arrows = {}
    for name, symbols_of_others in needed.items():
        arrows[name] = {}
        for symbol in sorted(symbols_of_others):
            if defined.get(symbol, name) != name:
                arrows[name].setdefault(defined[symbol], []).append(symbol)
    return arrows


def shortest_circle(arrows, start):
    """The shortest way from a file back to it, or None."""
    came, look = {}, [start]
    while look:
        name = look.pop(0)
        for other in sorted(arrows.get(name, ())):
            if other == start:
                way = [name]
                while way[-1] != start:
                    way.append(came[way[-1]])
                return way[::-1]
            if other not in came:
                came[other] = name
                look.append(other)
    return None


def circles(arrows):
    """The shortest circle of each knot; what is on it is said once."""
    said = set()
    for name in sorted(arrows):
        way = None if name in said else shortest_circle(arrows, name)
        if way and not said & set(way):
            said |= set(way)
            steps = [f"{other} ({', '.join(arrows[one][other][:3])})"
                     for one, other in zip(way, way[1:] + way[:1])]
            yield f"a circle: {way[0]} -> " + " -> ".join(steps)


def against_includes(name, other):
    """What is wrong with an include, if something is."""
    mine, its = layer_of(name), layer_of(other)
    if its is None:
        return f"{other} is in no layer: the product uses nothing else"
    if name.startswith("apdu/") and PUBLIC.fullmatch(other):
        return None
    if PUBLIC.fullmatch(name) and name.startswith("apdu/"):
        return f"a header of apdu/ includes nothing of a folder of it, as {other} is"
    if name.startswith("provider/") and not other.startswith("provider/") and not PUBLIC.fullmatch(other):
        return f"provider/ includes apdu/*.h and modem/*.h, not {other}"
    if its > mine:
        return f"{LAYERS[mine][0]} is below {LAYERS[its][0]}, where {other} is"
    return None


def against_calls(name, other, names):
    mine, its = layer_of(name), layer_of(other)
    one_program = all(file.startswith("provider/tool/") for file in (name, other))
    if its > mine and not one_program:
        return f"{LAYERS[mine][0]} is below {LAYERS[its][0]}, but uses {', '.join(names)} of {other}"
    if its < mine and LAYERS[its][0] in ("apdu/safe2", "apdu/agent"):
        return f"a program's folder is its own, but {', '.join(names)} of {other} is used"
    return None


def complaints(root, objects):
    ours, others = includes(root)
    used = calls(root, objects)
    for name, arrows in ours.items():
        for other in arrows:
            wrong = against_includes(name, other)
            if wrong:
                yield f"{name} includes {other}: {wrong}"
        for library in filter(LIBRARY.match, others[name]):
            if not name.startswith("provider/"):
                yield f"{name} includes <{library}>: OpenSSL is provider/'s matter"
    for name, arrows in used.items():
        for other, names in arrows.items():
            wrong = against_calls(name, other, names)
            if wrong:
                yield f"{name}: {wrong}"
    yield from circles(ours)
    yield from circles(used)


def main():
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    wrong = list(complaints(sys.argv[2] if len(sys.argv) > 2 else ours, sys.argv[1]))
    for words in wrong:
        print("layers.py:", words)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
