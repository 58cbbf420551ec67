"""Reads divan's table on stdin and writes `name<TAB>ns` lines of its medians, groups joined by `/`."""

import re
import sys

UNITS = {"ps": 1e-3, "ns": 1.0, "µs": 1e3, "ms": 1e6, "s": 1e9}
ROW = re.compile(r"^(?P<tree>(?:│  |   )*[├╰]─ )(?P<name>.*?)(?:  +|$)(?P<cells>.*)$")


def main():
    path, found = [], 0
    for line in sys.stdin:
        row = ROW.match(line.rstrip("\n"))
        if row is None:
            continue
        depth = len(row["tree"]) // 3 - 1
        path[depth:] = [row["name"].strip()]
        cells = [cell.strip() for cell in row["cells"].split("│")]
        if len(cells) >= 3 and cells[2]:
            number, unit = cells[2].split()
            found += 1
            print(f"{'/'.join(path)}\t{float(number) * UNITS[unit]:.2f}")
    if not found:
        raise SystemExit("no medians on stdin: expected the table of `cargo bench`")


if __name__ == "__main__":
    main()
