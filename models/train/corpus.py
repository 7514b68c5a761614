#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Fetch Debian packages and turn their manual pages and documents into text.

Writes into the cache directory:
  text.jsonl    one document a line: running text
  whatis.tsv    tier, package, section, name, stem, one-line description
  errno.tsv     name and meaning of each error number
  packages.tsv  package name and one-line description
"""

import argparse
import concurrent.futures
import gzip
import json
import os
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
SECTIONS = ("1", "2", "3", "5", "7", "8")
DOC_DIRS = ("admin-guide", "block", "core-api", "dev-tools", "driver-api", "filesystems",
            "kernel-hacking", "locking", "mm", "networking", "power", "process", "RCU",
            "scheduler", "security", "timers", "trace", "userspace-api", "virt")
DOC_LIMIT = 16000        # characters of one document that are kept
ASCII = str.maketrans({"‐": "-", "‑": "-", "–": "-", "—": "-", "−": "-", "‘": "'", "’": "'",
                       "“": '"', "”": '"', "´": "'", "\u00a0": " ", "…": "...", "ˆ": "^"})


def cache_dir():
    base = os.environ.get("LLAMUX_CACHE") or os.path.expanduser("~/.cache/llamux")
    return pathlib.Path(base) / "corpus"


def listed_packages():
    """Package names with their tier: 1 before the line '# second part', 2 after it."""
    tier, found = 1, {}
    for line in (HERE / "packages.txt").read_text().splitlines():
        if line.startswith("# second"):
            tier = 2
        elif line and not line.startswith("#"):
            found[line] = tier
    return found


def fetch(packages, debs):
    debs.mkdir(parents=True, exist_ok=True)
    missing = [p for p in packages if not list(debs.glob(f"{p}_*.deb"))]
    if missing:
        subprocess.run(["apt-get", "download", "-q", *missing], cwd=debs, check=True)


def unpack(package, debs, root):
    target = root / package
    if target.exists():
        return
    deb = sorted(debs.glob(f"{package}_*.deb"))[-1]
    target.mkdir(parents=True)
    tar = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", target, "--wildcards", "./usr/share/man/man*",
                    "./usr/share/doc/linux-doc-*"], stdin=tar.stdout,
                   stderr=subprocess.DEVNULL, check=False)
    tar.wait()


def pages_of(package, root):
    """Manual pages as (section, path), sorted; symbolic links and foreign sections left out."""
    base = root / package / "usr/share/man"
    for section in SECTIONS:
        for path in sorted((base / f"man{section}").glob("*.gz")):
            if path.is_file() and not path.is_symlink() and \
               re.search(rf"\.{section}\.gz$", path.name):
                yield section, path


def whatis(paths):
    out = subprocess.run(["lexgrog", *map(str, paths)], capture_output=True, text=True,
                         errors="replace", check=False).stdout
    for line in out.splitlines():
        match = re.match(r'(.+?): "(\S+?) - (.+)"$', line)
        if match:
            yield match.groups()


def is_prose(text):
    if len(text) < 50 or not text.isascii():
        return False
    letters = sum(c.isalpha() or c == " " for c in text)
    return letters > 0.86 * len(text) and text[-1] in ".:" and "  " not in text


def tidy(text):
    text = text.translate(ASCII).replace("•", "")
    return re.sub(r"\s+", " ", text).strip()


def render(path):
    """The prose paragraphs of one manual page."""
    env = dict(os.environ, MANWIDTH="4000", LC_ALL="C.UTF-8", MAN_KEEP_FORMATTING="")
    out = subprocess.run(["man", "--nh", "--nj", "-l", path], capture_output=True, env=env,
                         text=True, errors="replace", check=False).stdout
    out = re.sub(r".\x08|\x1b\[[0-9;]*m", "", out)
    paragraphs, section = [], ""
    for line in out.splitlines():
        if line and not line[0].isspace():
            section = line.strip()
        elif section not in ("AUTHOR", "AUTHORS", "COPYRIGHT", "COLOPHON", "SEE ALSO",
                             "REPORTING BUGS", "SYNOPSIS", "LICENSE"):
            text = tidy(line)
            if section == "NAME" or is_prose(text):
                paragraphs.append(text)
    return "\n".join(paragraphs)


def rst_text(path):
    """The prose paragraphs of one reStructuredText file, markup removed."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8", "replace")
    paragraphs = []
    for block in re.split(r"\n\s*\n", text):
        if re.match(r"\s|\.\.|[-*+|=#:]", block):
            continue
        lines = block.splitlines()
        if len(lines) > 1 and re.fullmatch(r"([=\-~^#*+\"'`.])\1{2,}", lines[1].strip()):
            lines = lines[2:]
        block = tidy(" ".join(lines))
        block = re.sub(r":[a-z:]+:`([^`<]+?)(\s*<[^>]*>)?`", r"\1", block)
        block = re.sub(r"`([^`<]+?)\s*<[^>]*>`_+", r"\1", block)
        block = re.sub(r"``|\*\*|`", "", block).replace("::", ":")
        if is_prose(block):
            paragraphs.append(block)
    return "\n".join(paragraphs)


def documents(packages, root):
    """(name, text) of all documents, in a fixed order."""
    pages = [(f"{p.name[:-3]}", p) for package in packages for _, p in pages_of(package, root)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (name, _), text in zip(pages, pool.map(render, [p for _, p in pages])):
            yield name, text
    base = root / "linux-doc-6.1/usr/share/doc/linux-doc-6.1/Documentation"
    for folder in DOC_DIRS:
        for path in sorted((base / folder).rglob("*.rst*")):
            yield str(path.relative_to(base)), rst_text(path)


def write_text(packages, root, out):
    seen, size = set(), 0
    with open(out, "w") as f:
        for name, text in documents(packages, root):
            lines = []
            for line in text.splitlines():
                if line not in seen:
                    seen.add(line)
                    lines.append(line)
            text = "\n".join(lines)[:DOC_LIMIT].rsplit("\n", 1)[0] if len(lines) > 1 else ""
            if len(text) > 200:
                f.write(json.dumps({"name": name, "text": text}) + "\n")
                size += len(text)
    return size


def write_whatis(packages, root, out):
    rows = set()
    for package, tier in packages.items():
        pages = list(pages_of(package, root))
        section = {str(p): s for s, p in pages}
        for path, name, text in whatis([p for _, p in pages]):
            stem = re.sub(r"\.\w+\.gz$", "", os.path.basename(path))
            text = tidy(text)
            if path in section and text.isascii():
                rows.add((tier, package, section[path], name, stem, text))
    with open(out, "w") as f:
        for row in sorted(rows):
            f.write("\t".join(map(str, row)) + "\n")


def write_errno(root, out):
    env = dict(os.environ, MANWIDTH="4000", LC_ALL="C.UTF-8")
    page = root / "manpages-dev/usr/share/man/man3/errno.3.gz"
    text = subprocess.run(["man", "--nh", "--nj", "-l", page], capture_output=True, env=env,
                          text=True, check=True).stdout
    with open(out, "w") as f:
        for name, meaning in re.findall(r"^ {7}(E[A-Z0-9]+) +(\S.*)$", text, re.M):
            meaning = re.sub(r"\s*\(.*", "", tidy(meaning)).split(". ")[0].rstrip(".")
            f.write(f"{name}\t{meaning}\n")


def write_packages(out):
    names = [n for n in (HERE / "known.txt").read_text().splitlines() if n[:1] != "#"]
    text = subprocess.run(["apt-cache", "show", "--no-all-versions", *names],
                          capture_output=True, text=True, check=False).stdout
    found = {}
    for record in text.split("\n\n"):
        name = re.search(r"^Package: (\S+)", record, re.M)
        line = re.search(r"^Description(?:-en)?: (.+)$", record, re.M)
        if name and line:
            found.setdefault(name[1], tidy(line[1]))
    with open(out, "w") as f:
        for name in sorted(found):
            f.write(f"{name}\t{found[name]}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=cache_dir())
    parser.add_argument("--facts-only", action="store_true", help="leave text.jsonl as it is")
    args = parser.parse_args()
    debs, root = args.out / "debs", args.out / "root"
    packages = listed_packages()
    fetch(packages, debs)
    for package in packages:
        unpack(package, debs, root)
    write_whatis(packages, root, args.out / "whatis.tsv")
    write_errno(root, args.out / "errno.tsv")
    write_packages(args.out / "packages.tsv")
    if not args.facts_only:
        size = write_text(packages, root, args.out / "text.jsonl")
        print(f"text.jsonl: {size} characters")


if __name__ == "__main__":
    main()
