#!/usr/bin/env python3
"""Writes src/flags/zone_rules.inc: every IANA zone name with the POSIX rule in force today, which is
the footer of its TZif file. Prints to stdout; needs the system's time zone files."""
import pathlib
import zoneinfo

ROOT = pathlib.Path("/usr/share/zoneinfo")


def main():
    print("// Made from the system's time zone files by scripts/make-zone-rules.py.")
    print("constexpr NamedZone kNamedZones[] = {")
    for name in sorted(zoneinfo.available_timezones()):
        path = ROOT / name
        if name in ("Factory", "localtime", "posixrules") or not path.is_file():
            continue
        rule = path.read_bytes().rstrip(b"\n").rsplit(b"\n", 1)[-1].decode("ascii")
        print('    {"%s", "%s"},' % (name, rule))
    print("};")


if __name__ == "__main__":
    main()
