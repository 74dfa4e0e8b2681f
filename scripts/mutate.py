"""Breaks the core in many places, one at a time, and says which breaks the native tests do not notice: the unit tests and
the two simulators.

    scripts/mutate --count 400              so many places, chosen by --seed, spread over the folders
    scripts/mutate --folder wire --count 50 only src/wire
    scripts/mutate --place wire/wire.cpp:120 all breaks of one line

All breaks are compiled into one copy of the tree (build/mutants), each behind a number that the environment
chooses: a comparison with its bound moved or turned round, "and" for "or", a condition turned round, a
statement left out. First every test case and some histories of each simulator run once, to see which places it passes through; then each break
runs only with those test cases, the quickest first, until one fails. What survives is listed with its line;
build/mutants/report.tsv has all. Survivors that are known stand in tests/unit/survivors.tsv with the reason:
they are told apart from new ones, which make this fail, as does a share of noticed ones below --least.
"""

import argparse
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build/mutants"
TREE = WORK / "tree"
WHOLE = WORK / "whole"  # the same without breaks
KNOWN = ROOT / "tests/unit/survivors.tsv"
# Beside the test cases: name, program, arguments.
SIMULATORS = [
    ("simulated people", "sim_main", ["--first", "1", "--seeds", "2000"]),
    ("simulated deliveries", "delivery_sim_main", ["--first", "1", "--seeds", "2000"]),
]
FOLDERS = ["wire", "capture", "identity", "delivery", "flags", "groups", "rows", "json", "cookieless", "base"]

SWAPS = {
    " < ": " <= ",
    " <= ": " < ",
    " > ": " >= ",
    " >= ": " > ",
    " == ": " != ",
    " != ": " == ",
    " && ": " || ",
    " || ": " && ",
}
OPERATOR = re.compile("|".join(re.escape(each) for each in sorted(SWAPS, key=len, reverse=True)))
LITERAL = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'')
CONDITION = re.compile(r"^(\s*(?:\} else )?(?:if|while) )\(")
RETURN = re.compile(r"^(\s*return )(.*);$")
# No declaration: what is called or assigned to has no blank in it.
STATEMENT = re.compile(r"^\s*(?:\+\+|--)?[\w.:>\[\]*-]+(?:\(.*\)| (?:=|\+=|-=|\|=|&=|\^=) .*|\+\+|--)?;$")
NO_STATEMENT = re.compile(r"^\s*(?:return|break|continue|using|default|case|goto|HF_ASSERT|static_assert|else)\b")

HEADER = """#pragma once
extern "C" int hf_active_mutant;
extern "C" unsigned char hf_mutant_seen[];
inline bool hf_mutant(int number) {
  hf_mutant_seen[number] = 1;
  return hf_active_mutant == number;
}
"""
STATE = """#include <cstdio>
#include <cstdlib>
extern "C" {
int hf_active_mutant = std::getenv("HF_MUTANT") ? std::atoi(std::getenv("HF_MUTANT")) : 0;
unsigned char hf_mutant_seen[%d];
}
namespace {
struct Report {
  ~Report() {
    const char* path = std::getenv("HF_MUTANTS_SEEN");
    if (path == nullptr) return;
    std::FILE* out = std::fopen(path, "w");
    if (out == nullptr) return;
    for (int i = 0; i < %d; ++i) {
      if (hf_mutant_seen[i]) std::fprintf(out, "%%d\\n", i);
    }
    std::fclose(out);
  }
} report;
}  // namespace
"""


@dataclass
class Mutant:
    number: int
    path: str  # below src
    line: int
    what: str
    text: str  # the line, as it was

    def key(self):
        """Stays the same when lines move."""
        return f"{self.path}\t{self.what}\t{self.text.strip()}"


def without_literals(text):
    return LITERAL.sub(lambda found: found.group(0)[0] + "_" * (len(found.group(0)) - 2) + found.group(0)[0], text)


def closing(text, begin):
    """Of the parenthesis that opens at begin, or None if it closes on another line."""
    depth = 0
    for i in range(begin, len(text)):
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        if depth == 0:
            return i
    return None


def swaps_of(condition):
    """What a condition may become: (what was done, the other condition)."""
    bare = without_literals(condition)
    for found in OPERATOR.finditer(bare):
        operator = found.group(0)
        other = SWAPS[operator]
        yield f"{operator.strip()} -> {other.strip()}", condition[: found.start()] + other + condition[found.end() :]


class Breaker:
    """Numbers the breaks of one tree."""

    def __init__(self, unbroken):
        self.mutants = []
        self.count = 0  # numbers stay the same when lines are left out
        self.unbroken = unbroken  # (path, line) of lines whose breaks do not compile

    def add(self, path, line, what, text):
        self.count += 1
        if (path, line) not in self.unbroken:
            self.mutants.append(Mutant(self.count, path, line, what, text))
        return self.count

    def choice(self, path, line, text, condition, others):
        out = ""
        for what, other in others:
            out += f"hf_mutant({self.add(path, line, what, text)}) ? static_cast<bool>({other}) : "
        return f"{out}static_cast<bool>({condition})"

    def broken(self, path, lines, index):
        """The line with all its breaks in it."""
        text = lines[index]
        bare = without_literals(text)
        if "//" in bare:
            return text
        found = CONDITION.match(text)
        if found:
            begin = found.end() - 1
            end = closing(bare, begin)
            condition = text[begin + 1 : end] if end else ""
            if not condition or ";" in bare[begin:end] or re.search(r"(?<![=!<>])=(?!=)", bare[begin:end]):
                return text
            others = [("turned round", f"!({condition})"), *swaps_of(condition)]
            return text[: begin + 1] + self.choice(path, index + 1, text, condition, others) + text[end:]
        found = RETURN.match(text)
        if found and bare.count("(") == bare.count(")") and bare.count("{") == bare.count("}"):
            others = list(swaps_of(found.group(2)))
            if others and "?" not in bare and "[" not in bare and "<<" not in bare:
                return found.group(1) + self.choice(path, index + 1, text, found.group(2), others) + ";"
            return text
        before = next((lines[i].rstrip() for i in range(index - 1, -1, -1) if lines[i].strip()), "")
        after = lines[index + 1].strip() if index + 1 < len(lines) else ""
        if (
            STATEMENT.match(bare)
            and not NO_STATEMENT.match(text)
            and bare.count("(") == bare.count(")")
            and before.endswith((";", "{", "}"))
            and not after.startswith("else")
        ):
            indent = text[: len(text) - len(text.lstrip())]
            return f"{indent}if (!hf_mutant({self.add(path, index + 1, 'left out', text)})) {text.strip()}"
        return text

    def break_file(self, path, text):
        lines = text.split("\n")
        out = []
        until = None  # a function that is evaluated while compiling ends at this line
        in_function = False
        for index, line in enumerate(lines):
            if until is None and re.search(r"\b(constexpr|consteval)\b", line) and line.rstrip().endswith("{") and "(" in line:
                until = line[: len(line) - len(line.lstrip())] + "}"
            if until is not None:
                in_function = in_function and not line.startswith("}")
                until = None if line.startswith(until) else until
                out.append(line)
                continue
            # Members of classes and bodies of functions are indented; what is not declares.
            in_function = line.startswith("  ")
            broken = self.broken(path, lines, index) if in_function else line
            out.append(line if (path, index + 1) in self.unbroken else broken)
        return "\n".join(out)


def copy_tree():
    for copy in (TREE, WHOLE):
        shutil.rmtree(copy, ignore_errors=True)
    for name in subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n"):
        if (
            name.startswith(("src/", "include/", "tests/", "cmake/", "schemas/", "sql/", "docs/rules", "third_party/"))
            or name == "CMakeLists.txt"
        ):
            for copy in (TREE, WHOLE):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copy / name)


def break_tree(folders, unbroken):
    """Writes every file with its breaks, without those of the lines that are to stay as they are."""
    breaker = Breaker(unbroken)
    for folder in folders:
        for file in sorted((WHOLE / "src" / folder).rglob("*.cpp")):
            if file.name == "tools.cpp":  # of the command line's programs
                continue
            path = str(file.relative_to(WHOLE / "src"))
            broken = breaker.break_file(path, file.read_text())
            copy = TREE / "src" / path
            # What is as it was is not compiled again.
            if copy.read_text() != broken:
                copy.write_text(broken)
    size = breaker.count + 1
    (TREE / "src/base/mutant_state.cpp").write_text(STATE % (size, size))
    return breaker.mutants


def compile_tree(folders):
    """Lines whose breaks do not compile are left as they are: the compiler names them, round after round."""
    build = WORK / "build"
    shutil.rmtree(build, ignore_errors=True)
    (WORK / "mutant.h").write_text(HEADER)
    configure = ["cmake", "-S", TREE, "-B", build, "-G", "Ninja", "--toolchain", TREE / "cmake/native.cmake"]
    configure += ["-DCMAKE_BUILD_TYPE=None", f"-DHOGFLARE_DEPS={ROOT}/build/deps/native"]
    flags = {**os.environ, "CXXFLAGS": f"-O1 -w -include {WORK}/mutant.h"}
    unbroken = set()
    mutants = break_tree(folders, unbroken)
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL, env=flags)
    for _ in range(12):
        print(f"compiling, {len(mutants)} breaks", flush=True)
        # The core first: the tests see its headers alone, and are compiled once.
        done = subprocess.run(["ninja", "-C", build, "-k", "0", "hogflare_core"], capture_output=True, text=True)
        if done.returncode == 0:
            print("compiling the tests", flush=True)
            programs = ["hogflare_tests", *[program for _, program, _ in SIMULATORS]]
            subprocess.run(["ninja", "-C", build, *programs], check=True, stdout=subprocess.DEVNULL)
            return mutants
        wrong = {(path, int(line)) for path, line in re.findall(rf"{re.escape(str(TREE))}/src/(\S+?):(\d+):\d+: error: ", done.stdout)}
        if not wrong - unbroken:
            sys.exit("the broken tree does not compile:\n" + done.stdout[-4000:])
        unbroken |= wrong
        mutants = break_tree(folders, unbroken)
    sys.exit("the broken tree does not compile after twelve rounds")


class Tests:
    """The test cases, which places each passes through, and how long it takes."""

    def __init__(self, mutants):
        build = WORK / "build"
        listed = subprocess.run([build / "hogflare_tests", "--list-test-names-only"], capture_output=True, text=True).stdout
        # Catch2 reads commas and brackets of a name as its own.
        self.commands = {
            name: [build / "hogflare_tests", "--abort", re.sub(r"([,\[\]\\])", r"\\\1", name)]
            for name in listed.split("\n")
            if name.strip()
        }
        for name, program, arguments in SIMULATORS:
            self.commands[name] = [build / program, *arguments]
        self.seconds = {}
        self.passing = {mutant.number: [] for mutant in mutants}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for name, seconds, numbers in pool.map(self.trace, self.commands):
                self.seconds[name] = seconds
                for number in numbers:
                    self.passing[number].append(name)
        for names in self.passing.values():
            names.sort(key=lambda name: self.seconds[name])

    def run(self, name, seconds_max, **environment):
        def bound():
            resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))

        try:
            return subprocess.run(
                self.commands[name],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=seconds_max,
                preexec_fn=bound,
            ).returncode
        except subprocess.TimeoutExpired:
            return "takes for ever"

    def trace(self, name):
        seen = WORK / f"seen-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        began = time.monotonic()
        status = self.run(name, 600, HF_MUTANTS_SEEN=str(seen))
        if status != 0:
            sys.exit(f"the test '{name}' fails without a break ({status})")
        numbers = [int(line) for line in seen.read_text().split()]
        seen.unlink()
        return name, time.monotonic() - began, numbers

    def killer(self, mutant):
        """The test case that notices, or None."""
        for name in self.passing[mutant.number]:
            if self.run(name, 30 + 20 * self.seconds[name], HF_MUTANT=str(mutant.number)) != 0:
                return name
        return None


def places_of_sample(seed):
    """The order that a sample is taken in: by what is broken, not by where it stands, so that a sample stays the same when
    other lines change, and a smaller one is the first part of a larger one."""
    met = Counter()

    def place(mutant):
        key = mutant.key()
        met[key] += 1
        return hashlib.sha256(f"{seed}\t{key}\t{met[key]}".encode()).digest()

    return place


def chosen(mutants, arguments):
    if arguments.place:
        path, line = arguments.place.rsplit(":", 1)
        return [each for each in mutants if each.path == path and each.line == int(line)]
    by_folder = {}
    for mutant in mutants:
        by_folder.setdefault(mutant.path.split("/")[0], []).append(mutant)
    out = []
    for each in by_folder.values():
        share = max(1, round(arguments.count * len(each) / len(mutants)))
        out += sorted(each, key=places_of_sample(arguments.seed))[:share]
    return out


def known_survivors():
    if not KNOWN.exists():
        return {}
    lines = [line.split("\t") for line in KNOWN.read_text().split("\n") if line and not line.startswith("#")]
    return {"\t".join(line[:3]): line[3] for line in lines}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400, help="places to break")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", choices=FOLDERS)
    parser.add_argument("--place", help="FILE:LINE, below src")
    parser.add_argument("--least", type=float, default=90, help="percent that must be noticed")
    parser.add_argument("--again", action="store_true", help="with what was compiled last")
    arguments = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    state = WORK / "mutants.json"
    if arguments.again:
        mutants = [Mutant(**each) for each in json.loads(state.read_text())]
    else:
        copy_tree()
        mutants = compile_tree([arguments.folder] if arguments.folder else FOLDERS)
        state.write_text(json.dumps([each.__dict__ for each in mutants]))
    print(f"{len(mutants)} places; each test case once", flush=True)
    tests = Tests(mutants)
    known = known_survivors()
    rows, began = [], time.monotonic()
    picked = chosen(mutants, arguments)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutant, killer in zip(picked, pool.map(tests.killer, picked)):
            rows.append((mutant, killer))
            if killer is None:
                reason = known.get(mutant.key())
                print(
                    f"survived: {mutant.path}:{mutant.line}: {mutant.what}: {mutant.text.strip()}" + (f" ({reason})" if reason else ""),
                    flush=True,
                )
            if len(rows) % 25 == 0:
                print(f"{len(rows)} of {len(picked)}, {time.monotonic() - began:.0f} s", flush=True)
    (WORK / "report.tsv").write_text("".join(f"{m.key()}\t{m.line}\t{killer or 'SURVIVED'}\n" for m, killer in rows))
    survivors = [m for m, killer in rows if killer is None]
    new = [m for m in survivors if m.key() not in known]
    share = 100 * (len(rows) - len(survivors)) / max(1, len(rows))
    for folder in sorted({m.path.split("/")[0] for m, _ in rows}):
        own = [killer for m, killer in rows if m.path.split("/")[0] == folder]
        print(f"{folder}: {sum(k is not None for k in own)} of {len(own)} noticed")
    print(f"{len(rows)} places, {share:.1f} % noticed; {len(survivors)} survived, {len(new)} of them new")
    sys.exit(0 if share >= arguments.least and not new else 1)


if __name__ == "__main__":
    main()
