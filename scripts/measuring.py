"""What the benchmarks share: errors in two lines, medians, and rows of a table."""
import os
import platform
import statistics
import sys
import time

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def fail(cause, remedy=""):
    sys.exit(cause + ("\n  " + remedy if remedy else ""))


def median(results, key):
    """Of those results that have the key; None when none has."""
    values = [result[key] for result in results if key in result]
    return statistics.median(values) if values else None


def row(name, ours, theirs, unit="s", digits=2):
    ratio = f"{ours / theirs:.2f}" if ours is not None and theirs else "-"
    cells = [f"{value:.{digits}f} {unit}" if value is not None else "-" for value in (ours, theirs)]
    print(f"| {name} | {cells[0]} | {cells[1]} | {ratio} |")


def print_heading(conditions):
    print(f"\n{time.strftime('%Y-%m-%d')}, {os.cpu_count()} x {cpu_name()}, {conditions}, medians\n")
    print("| | Martlet | QEMU TCG | ratio |\n|---|---|---|---|")


def cpu_name():
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()
