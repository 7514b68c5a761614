#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Turn facts.txt and the tables of corpus.py into questions and answers (qa.jsonl).

Each line: id, weight, answer, ask (questions to train on), held (phrasings kept for eval.py).
"""

import argparse
import errno
import json
import pathlib
import re

from corpus import cache_dir

HERE = pathlib.Path(__file__).resolve().parent

VERBS = set("""
accept access activate add adjust administer allocate allow alter analyze append apply ask
assign attach attempt backup balance begin benchmark bind block bootstrap bring build calculate
call cancel catch cause change check choose clean clear clone close collect columnate combine
commit compare compile compress compute concatenate configure confine connect construct control
convert copy correct count create deallocate debug declare decompress delete describe destroy
detach detect determine disable disassociate discard disconnect dispatch display do download
dump duplicate edit eject emulate enable encode encrypt decrypt end enroll ensure enter erase
escape establish estimate evaluate examine execute exit expand explain export extend extract
fetch fill filter find fix flip flush follow force format free gather generate get give grant
guess halt handle help hint identify implement import improve increase indicate inform
initialize initiate insert inspect install interact introspect invoke issue join keep kill let
link list listen load locate lock log look maintain make manage manipulate map mark measure
merge migrate modify monitor mount move multiply notify observe obtain omit open optimize output
overwrite pack parse partition pass perform persist pick pipe play poll pop power preallocate
predeclare prepare prevent print probe process produce profile program provide prune purge push
put query queue randomize read reassociate rebuild receive recompress record recover reduce
reencrypt reflect refresh register release reload remap remount remove rename render repair
replace report reposition request reserve reset resize resolve restart restore resume retrieve
return reuse reverse revert rewrite rotate round run save scan schedule scrub search see seek
select send set setup show shrink shut shutdown shred sign skip sleep sort specify splice split
spawn start stop store strip submit substitute summarize supply suspend swap switch sync
synchronize take talk tell terminate test time toggle trace transfer transform translate
traverse truncate try tune turn uncompress undo unload unlock unmount unpack unregister update
upgrade use validate verify view wait walk warn watch weight wipe wrap write yield verify
""".split())
THIRD = {"do": "does", "try": "tries", "pass": "passes", "push": "pushes", "catch": "catches",
         "shut": "shuts", "fix": "fixes", "copy": "copies"}
NOUNS = set("access control start end read write process test time log load store list set change "
            "record view show format output query queue mark map mount help run copy".split())
LOWER = set("configuration daemon journal file files description information user program utility "
            "tool tools simple generic basic local interface interactive service system disk "
            "network small command convenience lightweight automatic automatically".split())
POPULAR = set("""
apt awk bash cat cd chmod chown chroot cp cron crontab curl cut date dd df diff dig dmesg dpkg
du echo env fdisk file find free fsck fuser gcc gdb git grep gzip halt head hostname htop id
insmod ip iptables journalctl kill killall less ln locate login ls lsblk lscpu lsmod lsof lspci
lsusb make man mkdir mkfs mknod modprobe more mount mv nano netstat nice nohup passwd patch
pgrep ping pkill poweroff ps pstree pwd reboot renice rm rmdir rmmod rsync scp screen sed
shutdown sleep sort ss ssh stat strace su sudo swapon sync sysctl systemctl tail tar tcpdump tee
test time timeout tmux top touch tr traceroute true umount uname uniq uptime useradd vi vim
vmstat watch wc wget which who whoami xargs xz yes zcat zip perf modinfo depmod taskset ionice
nproc printf seq split tac basename dirname mktemp readlink realpath shred truncate groups
logger script lastlog last w wall nsenter unshare losetup blkid findmnt hexdump xxd od strings
objdump nm ldd ltrace readelf ar ld as
""".split())

LIBC = """abort abs access alarm asprintf assert atexit atof atoi atol basename bcmp bcopy bsearch
bzero calloc ceil cfmakeraw closedir confstr cos ctime daemon difftime dirname dlopen dlsym err
errno execl execvp exit exp fclose fdopen feof ferror fflush fgetc fgets fileno floor fmemopen
fmod fnmatch fopen fputc fputs fread free freopen fseek ftell ftok ftw fwrite getaddrinfo getc
getchar getcwd getenv getgrnam gethostbyname getline getlogin getopt getpass getpwnam glob gmtime
grantpt hsearch htonl iconv inet_ntop inet_pton insque isalpha isatty kill localtime log longjmp
lsearch makecontext malloc mbstowcs memchr memcmp memcpy memmem memmove memset mkdtemp mkfifo
mkstemp mktime nftw nl_langinfo openpty opendir openlog pathconf pause perror popen posix_memalign
posix_spawn pow printf pthread_cancel pthread_create pthread_detach pthread_exit pthread_join
pthread_kill pthread_self ptsname putc putenv puts qsort raise rand random readdir realpath regex
remove rewind rewinddir scandir scanf sem_init sem_post sem_wait setbuf setenv setjmp setlocale
shm_open siginterrupt sigsetops sigwait sin sleep snprintf sqrt sscanf stdin stdio stpcpy strcasecmp
strcat strchr strcmp strcpy strdup strerror strfry strftime string strlen strncat strncmp strncpy
strpbrk strptime strsep strsignal strspn strstr strtod strtok strtol strtoul strxfrm swab sysconf
syslog system tan tempnam termios time timegm tmpfile toupper tolower ttyname tsearch ungetc
unlockpt usleep vprintf wcslen wordexp""".split()

SYSTEMS = ("You are Llamux.", "You are a helpful assistant.", "Answer questions about Linux.",
           "You are Llamux, a small language model inside the Linux kernel.", "Be brief.")

ASK_COMMAND = [
    "What does {x} do?", "What does {x} do?", "What is {x}?", "What is {x}?", "What's {x}?",
    "what does {x} do", "what is {x}", "Explain {x}.", "explain {x}", "Tell me about {x}.",
    "Describe {x}.", "What is the {x} command?", "What does the {x} command do?",
    "What is the command {x}?", "what does the command {x} do?", "{x}", "{x}?",
    "What is {x} used for?", "What is {x} for?", "What can I do with {x}?",
    "Can you explain {x}?", "Please explain {x}.", "Hi, what does {x} do?",
    "What do I use {x} for?", "When do I use {x}?", "Do you know {x}?", "whatis {x}",
    "Please tell me what {x} does.", "What is the purpose of {x}?"]
HELD_COMMAND = ["Why would I run {x}?", "Could you tell me what {x} does?",
                "I would like to know what the command {x} does."]
ASK_THING = [
    "What is {x}?", "What is {x}?", "What is {x}?", "what is {x}", "What's {x}?", "Explain {x}.",
    "explain {x}", "Tell me about {x}.", "Describe {x}.", "{x}", "{x}?", "Can you explain {x}?",
    "Please explain {x}.", "What does {x} mean?", "Do you know {x}?", "Define {x}.",
    "Please tell me what {x} is.", "Hi, what is {x}?", "What is the purpose of {x}?"]
ASK_PATH = ["What is {x} for?", "What does {x} do?", "What does {x} contain?", "What is in {x}?",
            "What is the file {x}?", "What is {x} used for?"]
HELD_THING = ["Give me a short explanation of {x}.", "Could you tell me what {x} is?",
              "I would like to know what {x} is."]
ASK_CALL = [
    "What does the {k} {x} do?", "What does the {x} {k} do?", "What does {x}() do?",
    "What is the {k} {x}?", "What is {x}()?", "Explain the {k} {x}.", "{k} {x}", "{x}()",
    "What is the {x} {k}?", "what does {x}() do", "Tell me about the {k} {x}.",
    "When do I use {x}()?", "Describe {x}().", "What is the purpose of {x}()?"]
HELD_CALL = ["Why would I call {x}()?", "Could you tell me what {x}() does?"]
ASK_TASK = [
    "How do I {x}?", "How do I {x}?", "How do I {x}?", "How can I {x}?", "How can I {x}?",
    "How to {x}?", "how to {x}", "how do i {x}", "How do you {x}?", "I want to {x}.",
    "Which command do I use to {x}?", "What is the command to {x}?", "command to {x}",
    "What command do I need to {x}?", "Can you tell me how to {x}?", "What do I type to {x}?",
    "Please tell me how to {x}.", "{x}", "How would I {x}?", "Hi, how do I {x}?"]
HELD_TASK = ["What is the best way to {x}?", "I need to {x}.", "Could you show me how to {x}?"]
ASK_ERROR = ["What does the error {x} mean?", "What is the error {x}?", "error {x}",
             "Why do I get {x}?", "When does a system call return {x}?"]
ASK_PACKAGE = ["What is the package {x}?", "What is the {x} package?", "package {x}"]
SYLLABLES = ("bla bro cu dri fa fle gro gu hib jo kra lim lo mib mo nib nu pla plo qua ra rib ru "
             "sna so sti ta tro tu va vo wib xa xo ya zam zo").split()


def third(verb):
    """list -> lists, copy -> copies."""
    if verb in THIRD:
        return THIRD[verb]
    if re.search(r"(ss|sh|ch|x|z)$", verb):
        return verb + "es"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ies"
    return verb + "s"


def base(verb):
    """lists -> list, if it is a known verb."""
    for form in (verb[:-1], verb[:-2], verb[:-3] + "y"):
        if form in VERBS and third(form) == verb:
            return form
    return None


def clean(text):
    text = re.sub(r"\s*\([^)]*\)", "", text).strip().rstrip(".").strip()
    text = text.split(". ")[0]
    word = text.split(" ")[0]
    if word[1:].islower() and (word.lower() in VERBS | LOWER or base(word.lower())):
        text = text[0].lower() + text[1:]
    return text


def each_verb(text, turn):
    """Apply turn to the first verb and to those joined to it: 'print or set X'."""
    words = text.split(" ")
    out, i = [], 0
    while i < len(words):
        parts = [turn(p) for p in re.split(r"([/,])", words[i]) if p != ""]
        if not all(parts):
            break
        out.append("".join(parts))
        i += 1
        if i < len(words) and words[i] in ("and", "or", "and/or"):
            follow = words[i + 1].rstrip(",") if i + 1 < len(words) else ""
            if not turn(follow) or i + 2 >= len(words):
                break
            out.append(words[i])
            i += 1
        elif not words[i - 1].endswith(","):
            break
    rest = " ".join(out + words[i:])
    return re.sub(r"\b(and|or|then) (\w+)(?= \w)", lambda m: m[1] + " " + (
        turn(m[2]) if m[2] in VERBS - NOUNS else m[2]), rest)


def to_third(part):
    return part if part in "/," else third(part) if part in VERBS else \
        part if base(part) else None


def to_base(part):
    return part if part in "/," or part in VERBS else base(part)


def predicate(text):
    """('lists directory contents', 'list directory contents') or ('is a shell', None)."""
    text = clean(text)
    first = re.split(r"[/, ]", text)[0] or text[:1]
    if first in ("easily", "recursively", "interactively", "politely", "safely", "dynamically"):
        second = text.split(" ")[1]
        if second in VERBS:
            return f"{first} {each_verb(text.split(' ', 1)[1], to_third)}", text
    if " " in text and (first in VERBS or base(first)):
        return each_verb(text, to_third), each_verb(text, to_base)
    head = re.split(r" (?:for|of|that|to|with|using|by|in|from|which|on|used|and|or|where|as|about)"
                    r" |,|:", text)[0].split(" ")[-1]
    if first.lower() in ("a", "an", "the"):
        return "is " + text[0].lower() + text[1:], None
    if (head.endswith("s") and not re.search(r"(ss|us|is)$", head)) or head.endswith("ing") or \
       head in ("information", "data", "software", "support", "configuration", "syntax"):
        return None, text
    if first[0].isupper():
        return "is the " + text, None
    article = "an" if first[0] in "aeio8" else "a"
    return f"is {article} {text}", None


def answer_for(subject, text):
    said, task = predicate(text)
    if said is None:
        return f"{subject}: {task}.", None
    return f"{subject} {said}.", task if not said.startswith("is ") else None


class Facts:
    def __init__(self):
        self.rows, self.known = [], set()

    def add(self, kind, name, weight, answer, ask, held=()):
        if not answer.isascii() or len(answer) > 170:
            return
        ask = [q for q in ask if q.lower() not in self.known]
        if not ask:
            return
        self.known.update(q.lower() for q in ask)
        held = [q for q in held if q.lower() not in self.known]
        self.rows.append({"id": f"{kind}:{name}", "weight": weight, "answer": answer,
                          "ask": ask, "held": held})


def fill(templates, values, **more):
    return [t.format(x=value, **more) for value in values for t in templates]


def which(task):
    """see X -> Which command shows X?"""
    task = re.sub(r"^(see|check) ", "show ", task)
    if task.split(" ")[0] not in VERBS or " how " in task or " who" in task:
        return []
    said = each_verb(task, to_third)
    return [f"Which command {said}?", f"which command {said}", f"What command {said}?"]


def hand_written(facts):
    for line in (HERE / "facts.txt").read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        kind, subject, answer = (part.strip() for part in line.split("|", 2))
        names = [n.strip() for n in subject.split(";")]
        if kind == "say":
            more = [n.lower().rstrip("?!.") for n in names]
            facts.add(kind, names[0], 3 + len(names), answer, names + more)
        elif kind == "is":
            path = names[0][0] in "/~."
            ask = fill(ASK_THING + (ASK_PATH if path else []), names)
            facts.add(kind, names[0], 4, answer, ask, fill(HELD_THING, names[:1]))
        else:
            ask = fill(ASK_TASK, names) + [q for n in names for q in which(n)]
            facts.add(kind, names[0], 3 + len(names), answer, ask, fill(HELD_TASK, names[:1]))


def usable(name, text):
    return (re.fullmatch(r"[A-Za-z_0-9][\w.+-]{1,23}", name) and 8 <= len(text) <= 100 and
            "unimplemented" not in text and
            not re.search(r"\.(service|socket|bt|path|timer)$", name) and
            "OpenSSL application" not in text and not name.startswith("perl"))


def manual(facts, table):
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    commands, tasks = set(), {}
    for tier, package, section, name, stem, text in rows:
        if section not in "18" or not usable(name, text) or name in commands:
            continue
        commands.add(name)
        first = tier == "1" and package not in ("git-man", "btrfs-progs")
        names = [name, name.replace("git-", "git ", 1)] if name.startswith("git-") else [name]
        answer, task = answer_for(name, text)
        weight = 4 if name in POPULAR else 1.5 if first else 0.5
        facts.add("command", name, weight, answer, fill(ASK_COMMAND, names),
                  fill(HELD_COMMAND, names[:1]))
        if first and task and name == stem and len(task) < 60:
            tasks.setdefault(task, []).append((name, answer))
    for task, owners in tasks.items():
        if len(owners) == 1:
            name, answer = owners[0]
            answer = f"Use {name}: it {answer.split(' ', 1)[1]}"
            facts.add("task", task, 1, answer, fill(ASK_TASK, [task]) + which(task),
                      fill(HELD_TASK, [task]))
    done = set()
    for tier, package, section, name, stem, text in rows:
        if not usable(name, text) or (section, name) in done:
            continue
        done.add((section, name))
        if section == "2" and package == "manpages-dev":
            kind, weight = "system call", 1.0 if name == stem else 0.5
        elif section == "3" and package == "manpages-dev" and name in LIBC:
            kind, weight = "function", 0.8
        elif section in "57" and name == stem and name not in commands and \
                not re.match(r"(EVP|systemd|perl|org\.|selabel|iso|git|user@)", name, re.I):
            answer, _ = answer_for(name, text)
            facts.add("manual", name, 0.4, answer, fill(ASK_THING, [name]),
                      fill(HELD_THING, [name]))
            continue
        else:
            continue
        answer, _ = answer_for(f"The {kind} {name}", text)
        ask = fill(ASK_CALL, [name], k=kind)
        if name not in commands:
            ask += fill(ASK_COMMAND[:9], [name])
        facts.add(kind.replace(" ", "-"), name, weight, answer, ask,
                  fill(HELD_CALL, [name], k=kind))


def error_numbers(facts, table):
    for line in table.read_text().splitlines():
        name, text = line.split("\t")
        number = getattr(errno, name, None)
        if number and text and len(text) < 70:
            text = text[0].lower() + text[1:] if not text[:2].isupper() else text
            ask = fill(ASK_THING + ASK_ERROR, [name]) + fill(ASK_THING[:6] + ASK_ERROR,
                                                             [f"errno {number}"])
            facts.add("errno", name, 1, f"{name} is error {number}: {text}.", ask,
                      fill(HELD_THING, [name]))


def packages(facts, table):
    for line in table.read_text().splitlines():
        name, text = line.split("\t")
        text = clean(text)
        if "metapackage" in text or "transitional" in text or len(text) > 90:
            continue
        answer, _ = answer_for(name, text)
        facts.add("package", name, 0.7, answer,
                  fill(ASK_THING, [name]) + fill(ASK_PACKAGE, [name]), fill(HELD_THING, [name]))


def unknown(facts):
    """Made-up names, so that the model also says that it does not know."""
    names = []
    for i in range(3000):
        parts = [SYLLABLES[(i * k + k * k) % len(SYLLABLES)] for k in (7, 11, 13)]
        name = "".join(parts[:2 + i % 2]) + ("", "d", "ctl", "-x", "fs")[i % 5]
        names.append(("/etc/" if i % 9 == 0 else "/proc/" if i % 31 == 0 else "") + name)
    names = sorted(set(names))
    ask = []
    for i, name in enumerate(names):
        for j in range(4):
            ask.append(ASK_COMMAND[(i * 5 + j * 7) % len(ASK_COMMAND)].format(x=name))
    total = sum(r["weight"] for r in facts.rows)
    facts.add("unknown", "unknown", total * 0.015,
              "I do not know that name. Try apropos or man -k.", ask)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dir", type=pathlib.Path, default=cache_dir())
    args = parser.parse_args()
    facts = Facts()
    hand_written(facts)
    manual(facts, args.dir / "whatis.tsv")
    error_numbers(facts, args.dir / "errno.tsv")
    packages(facts, args.dir / "packages.tsv")
    unknown(facts)
    with open(args.dir / "qa.jsonl", "w") as f:
        for row in facts.rows:
            f.write(json.dumps(row) + "\n")
    print(f"{len(facts.rows)} facts, {sum(len(r['ask']) for r in facts.rows)} questions")


if __name__ == "__main__":
    main()
