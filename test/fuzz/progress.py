#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""progress.py NAME LOG VERDICT: one line on a run of libFuzzer, out of its log: how many inputs it
executed, how many edges of the code they reach, and after which part of the run the last new edge
and the last new feature (how often an edge is passed, among others) came. A run is long enough if
its last third found no new edge."""
import re
import sys

LINE = re.compile(r"^#(\d+)\t(\w+) +cov: (\d+) ft: (\d+)")
DONE = re.compile(r"stat::number_of_executed_units: (\d+)")


def read(path):
    """Executions, edges, and the numbers of the executions that brought the last edge and feature."""
    runs = edges = features = edge_at = feature_at = 0
    with open(path, errors="replace") as log:
        for line in log:
            found = LINE.match(line)
            if found:
                runs, cov, ft = int(found[1]), int(found[3]), int(found[4])
                if found[2] != "INITED" and cov > edges:
                    edge_at = runs
                if found[2] != "INITED" and ft > features:
                    feature_at = runs
                edges, features = max(edges, cov), max(features, ft)
            found = DONE.search(line)
            if found:
                runs = int(found[1])
    return runs, edges, edge_at, feature_at


def main():
    name, path, verdict = sys.argv[1:]
    runs, edges, edge_at, feature_at = read(path)
    part = 100 * edge_at // max(runs, 1)
    enough = "" if 3 * edge_at <= 2 * runs else "; RUN IT LONGER"
    print(f"{name:12} {runs:10} executions, {edges:5} edges, the last new one after {part} % "
          f"(feature: {100 * feature_at // max(runs, 1)} %): {verdict}{enough}")


main()
