#!/usr/bin/env python3
"""Writes src/cookieless/public_suffixes.inc from a copy of the Public Suffix List.

    scripts/make-public-suffixes.py [LIST] > src/cookieless/public_suffixes.inc

LIST is the file of Debian's package `publicsuffix` by default. The table holds a hash of each rule of
two labels or more, as UTF-8 and in Punycode: the module needs to know whether a domain is a rule, and
never a rule's text. Rules of one label are the list's default rule and need no entry.
"""

import sys

DEFAULT_LIST = "/usr/share/publicsuffix/public_suffix_list.dat"


def fnv1a(text: bytes) -> int:
    value = 0x811C9DC5
    for byte in text:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def punycode(rule: str) -> str:
    labels = []
    for label in rule.split("."):
        plain = label.isascii()
        labels.append(label if plain else "xn--" + label.encode("punycode").decode())
    return ".".join(labels)


def main() -> None:
    path = sys.argv[1] if len(sys.argv) > 1 else DEFAULT_LIST
    rules = set()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            line = line.strip()
            if not line or line.startswith("//"):
                continue
            rule = line.split()[0]
            if "." not in rule:
                continue
            rules.add(rule)
            rules.add(punycode(rule))
    hashes = {}
    for rule in sorted(rules):
        value = fnv1a(rule.encode())
        if value in hashes:
            sys.exit(f"{rule} and {hashes[value]} have the same hash: choose another function")
        hashes[value] = rule
    print("// Made by scripts/make-public-suffixes.py from the Public Suffix List (publicsuffix.org): FNV-1a of")
    print("// each rule, in order.")
    print("constexpr uint32_t kPublicSuffixes[] = {")
    ordered = sorted(hashes)
    for at in range(0, len(ordered), 8):
        print("    " + " ".join(f"0x{value:08x}," for value in ordered[at : at + 8]))
    print("};")


if __name__ == "__main__":
    main()
