# SPDX-License-Identifier: Apache-2.0
"""What the bench found, as tables on stdout, as CSV and SVG, and as the summary for test/README.md. Nothing
here judges: a figure stands beside what is wanted of it."""

import csv
import os

import plot
from bed import IOTSAFE


def show(value, digits=3):
    if value is None or value == "":
        return "-"
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    return str(value)


def speed(baud):
    return str(baud) if baud else "unpaced"


def table(title, heads, rows):
    """Text in columns: words to the left, numbers to the right."""
    cells = [heads] + [[show(cell) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(heads))]
    words = [any(isinstance(row[i], str) for row in rows) for i in range(len(heads))]
    text = [title]
    for line in cells:
        text.append("  " + "  ".join(cell.ljust(width) if word else cell.rjust(width)
                                     for cell, width, word in zip(line, widths, words)).rstrip())
    return "\n".join(text) + "\n"


def handshakes(results):
    measured = results.get("handshakes", []) + results.get("type_a", [])
    rows = [[r["what"], r["key"], speed(r["baud"]), r["card_ms"], r["apdus"], r["at_commands"],
             r["octets_in"], r["octets_out"], 1000 * r["line_s"], 1000 * r["limit_s"],
             1000 * r["wall_s"], r["ratio"]] for r in measured]
    for row in rows:
        row[8:11] = [f"{value:.1f}".rjust(8) for value in row[8:11]]
    return table("Handshakes (ms; limit: octets x 10 / baud + card; ratio: wall / limit)",
                 ["what", "key", "baud", "card", "APDUs", "AT", "in", "out", "line", "limit", "wall",
                  "ratio"], rows)


def parallel(results):
    rows = [[speed(r["baud"]), r["card_ms"], r["processes"], r["handshakes"], r["per_second"],
             r["sim_busy"], r["wait_mean_s"], r["wait_longest_s"], r["wait_ratio"], r["cpu_ms"]]
            for r in results["parallel"]]
    return table("Several processes, one SIM (waiting in s; CPU in ms a handshake)",
                 ["baud", "card", "processes", "handshakes", "a second", "SIM busy", "mean wait",
                  "longest", "ratio", "CPU"], rows)


def instructions(results):
    names = ("provider", "verification", "own", "software_signature")
    rows = [[r["key"], *(int(r[name]) for name in names), r["own_of_software"]] if "own" in r else
            [r["what"]] + [None] * 5 for r in results["instructions"]]
    return table("Instructions of a signature",
                 ["key", "provider", "verification", "own", "software", "own / software"], rows)


def processor(results):
    rows = [[r["key"], speed(r["baud"]), r["card_ms"], r["provider_ms"], r["verification_ms"],
             r["own_ms"], r["own_least_ms"], r["software_signature_ms"]] for r in results["processor"]]
    return table("Processor time of a signature (ms; medians)",
                 ["key", "baud", "card", "provider", "verification", "own", "least", "software"], rows)


def waiting(results):
    return table("Waiting: share of a core", ["waits for", "seconds", "per cent"],
                 [[r["waits_for"], r["seconds"], 100 * r["share"]] for r in results["waiting"]])


def memory(results):
    return table("Peak memory of a program with one handshake (KB)",
                 ["key", "in the SIM", "in a file", "more"],
                 [[r["key"], r["provider_kb"], r["software_kb"], r["more_kb"]]
                  for r in results["memory"]])


def size(results):
    return table("The module (octets)", ["file", "as built", "stripped", "code", "data"],
                 [[r["file"], r["octets"], r["stripped"], r["code"], r["data"]]
                  for r in results["size"]])


def places(results):
    rows = [[r["place"], r["key"], r.get("per_second"), r.get("handshake_ms"), r.get("cold_ms"),
             r.get("cpu_ms"), r.get("peak_kb"), r["why_not"]] for r in results["places"]]
    return table("The client's key in other places (one process; ms, KB)",
                 ["place", "key", "a second", "handshake", "from start", "CPU", "peak", ""], rows)


def agent(results):
    rows = [[speed(r["baud"]), r["card_ms"], r["direct_ms"], r["client_ms"], r["agent_ms"], r["above_ms"],
             r["executing_ms"], r["apdus"], r["wall"]] for r in results["agent"]]
    return table("Through simkey-agent (processor time of a signature in ms; an agent executes a program for each)",
                 ["baud", "card", "by the port", "client", "agent", "above", "/bin/true", "APDUs", "clock, ratio"], rows)


def pick(rows, **wanted):
    """The first row that is so; an empty one if there is none."""
    return next((r for r in rows if all(r.get(k) == v for k, v in wanted.items())), {})


def iotsafe_figures(shakes, card):
    """Beside those of mIAS. A signature is the opening of a session, the digest, and the close."""
    found = [(f"{name} handshake, IoT SAFE: APDUs", pick(shakes, what=what, **card).get("apdus"), wanted)
             for name, what, wanted in (("cold", "cold", "5"), ("next process's", "next", "3"),
                                        ("same process's", "same", "3"))]
    return found + [(f"{name} handshake / limit, IoT SAFE", pick(shakes, what=what, **card).get("ratio"),
                     wanted) for name, what, wanted in (("second", "same", "1.02"), ("cold", "cold", "1.10"))]


def figures(results):
    """(what, figure, what is wanted)."""
    shakes, main = results.get("handshakes", []), {"key": "rsa2048", "baud": 115200, "card_ms": 500}
    eight = pick(results.get("parallel", []), baud=115200, card_ms=500, processes=8)
    loaded = pick(results.get("type_a", []), baud=115200)
    counted = pick(results.get("instructions", []), key="rsa2048")
    spent = pick(results.get("processor", []), **main)
    found = [("cold handshake: APDUs", pick(shakes, what="cold", **main).get("apdus"), "7"),
             ("next process: APDUs", pick(shakes, what="next", **main).get("apdus"), "2"),
             ("same process: APDUs", pick(shakes, what="same", **main).get("apdus"), "2"),
             ("Type A, cold: APDUs", loaded.get("apdus"), str(loaded.get("apdus_allowed", "-")))]
    for key in ("rsa2048", "p256"):
        same, cold = (pick(shakes, **{**main, "key": key, "what": what}) for what in ("same", "cold"))
        found += [(f"second handshake / limit, {key}", same.get("ratio"), "1.05"),
                  (f"cold handshake / limit, {key}", cold.get("ratio"), "1.10")]
    found += iotsafe_figures(shakes, {**main, "key": IOTSAFE})
    found += [("8 processes: SIM busy", eight.get("sim_busy"), "at least 0.95"),
              ("8 processes: longest wait / mean", eight.get("wait_ratio"), "1.5"),
              ("own processor time of a signature, ms", spent.get("own_ms"), "1"),
              ("own instructions / software RSA-2048 signature", counted.get("own_of_software"), "1")]
    behind = pick(results.get("agent", []), baud=115200)
    found += [("through simkey-agent, a new process: APDUs", behind.get("apdus"), "2"),
              ("through simkey-agent: time / by the port", behind.get("wall"), "1.01"),
              ("through simkey-agent: processor time above, ms",
               pick(results.get("agent", []), baud=0).get("above_ms"), "0.6")]
    found += [(f"share of a core while waiting for {r['waits_for']}, per cent", 100 * r["share"],
               "0.5") for r in results.get("waiting", [])]
    return [line for line in found if line[1] is not None]


def wanted(results):
    return table("What is wanted (at most, if it does not say at least); 115200 baud, card 500 ms",
                 ["figure", "is", "wanted"], [list(figure) for figure in figures(results)])


def text(results):
    """Everything, for people. Parts that were not measured are left out."""
    parts = [head(results)]
    for sources, part in ((("handshakes", "type_a"), handshakes), (("parallel",), parallel),
                          (("instructions",), instructions), (("processor",), processor),
                          (("waiting",), waiting), (("memory",), memory), (("size",), size),
                          (("agent",), agent), (("places",), places), (("handshakes", "parallel", "waiting"), wanted)):
        if any(results.get(name) for name in sources):
            parts.append(part(results))
    return "\n".join(parts)


def head(results):
    m = results["machine"]
    return (f"{m['date']}, {m['processor']} ({m['cores']} cores, load {m['load']:.1f} at the start), "
            f"OpenSSL {m['openssl']}{', quick' if m['quick'] else ''}\n")


def write_csv(folder, results):
    for name, rows in results.items():
        if not isinstance(rows, list) or not rows:
            continue
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with open(os.path.join(folder, f"{name}.csv"), "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)


def write_plots(folder, results):
    def path(name):
        return os.path.join(folder, name + ".svg")

    if results.get("handshakes"):
        plot_handshakes(path, results["handshakes"])
    if results.get("parallel"):
        plot_parallel(path, results["parallel"], results["waits"])
    rows = [r for r in results.get("instructions", []) if "own" in r]
    if rows:
        plot.bars(path("instructions"), "Instructions of a signature", "millions",
                  ["signature", "verification of the result"],
                  [(r["key"], [("SIM", [r["own"] / 1e6, r["verification"] / 1e6]),
                               ("software", [r["software_signature"] / 1e6, 0])]) for r in rows])
    rows = [r for r in results.get("places", []) if r.get("per_second")]
    if rows:
        plot.bars(path("places"), "TLS handshakes with a client certificate, one process", "a second",
                  ["handshakes"], [(key, [(r["place"].replace("SIM, ", "SIM "), [r["per_second"]])
                                          for r in rows if r["key"] == key])
                                   for key in dict.fromkeys(r["key"] for r in rows)], log=True)


def plot_handshakes(path, rows):
    for milliseconds in dict.fromkeys(r["card_ms"] for r in rows):
        groups = []
        for baud in dict.fromkeys(r["baud"] for r in rows):
            chosen = [r for r in rows if (r["baud"], r["card_ms"], r["key"]) ==
                      (baud, milliseconds, "rsa2048") and r["what"] in ("cold", "next", "same")]
            groups.append((speed(baud), [(r["what"], [
                r["card_s"], r["line_s"], max(0, r["wall_s"] - r["limit_s"])]) for r in chosen]))
        plot.bars(path(f"handshakes-{milliseconds}"),
                  f"Handshakes, RSA-2048, card {milliseconds} ms, by line", "seconds",
                  ["card", "line", "everything else"], groups)


def plot_parallel(path, rows, waits):
    main = [r for r in rows if r["baud"]]
    plot.lines(path("busy"), "How busy SIM and line are (115200 baud, card 500 ms)",
               "share of the time", "processes", [r["processes"] for r in main],
               [("SIM or line busy", [r["sim_busy"] for r in main]),
                ("card busy", [r["card_busy"] for r in main])])
    plot.lines(path("waits"), "Waiting for the SIM (115200 baud, card 500 ms)", "seconds",
               "processes", [r["processes"] for r in main],
               [("mean", [r["wait_mean_s"] for r in main]),
                ("longest", [r["wait_longest_s"] for r in main])])
    eight = [w for w in waits if w["baud"] and w["processes"] == 8]
    if eight:
        plot.spans(path("turns"), "Eight processes take turns", "seconds",
                   [(f"process {number + 1}", [
                       (w["asked_s"], w["asked_s"] + w["waited_s"], w["answered_s"])
                       for w in eight if w["process"] == number])
                    for number in sorted({w["process"] for w in eight})])


def readme(results):
    """Markdown."""
    lines = [f"Measured on {head(results).strip()}, with the simulated modem and SIM; "
             "`make bench` repeats it.", "",
             "| figure (115200 baud, card 500 ms) | is | wanted |", "|---|---|---|"]
    lines += [f"| {what} | {show(value)} | {limit if 'least' in limit else 'at most ' + limit} |"
              for what, value, limit in figures(results)]
    lines += ["", "| handshake with an RSA-2048 key | APDUs | octets | 9600 | 115200 | 921600 | limit at "
              "115200 |", "|---|---|---|---|---|---|---|"]
    for what in ("cold", "next", "same"):
        cells = [pick(results["handshakes"], what=what, key="rsa2048", baud=baud, card_ms=500)
                 for baud in (9600, 115200, 921600)]
        octets = cells[1]["octets_in"] + cells[1]["octets_out"]
        lines.append(f"| {what} | {cells[1]['apdus']} | {octets} | "
                     + " | ".join(f"{1000 * c['wall_s']:.0f} ms" for c in cells)
                     + f" | {1000 * cells[1]['limit_s']:.0f} ms |")
    lines += ["", "| key in | type | handshakes a second | from process start |", "|---|---|---|---|"]
    lines += [f"| {r['place']} | {r['key']} | " +
              (f"{r['per_second']:.1f} | {r['cold_ms']:.0f} ms |" if not r["why_not"] else
               f"- | {r['why_not']} |") for r in results["places"]]
    return "\n".join(lines)
