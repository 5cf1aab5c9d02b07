#!/usr/bin/python3
"""The project's habits, checked: run by `make lint` at the top of the tree.

Each check prints its findings; the last lines count what passed and failed in
the form that tests/run reads. Names of checks as arguments run only those.
"""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import tempfile

BUILD = os.environ.get("BUILD", "build")
CPPFLAGS = ["-D_POSIX_C_SOURCE=200809L", "-DHAVE_FREETDS",
            "-DHAVE_LIBPQ", "-I/usr/include/postgresql", "-Isrc",
            f"-I{BUILD}/gen"]


def sources(*patterns):
    return sorted(f for p in patterns for f in glob.glob(p, recursive=True))


C_FILES = sources("src/**/*.c")
HEADERS = sources("src/**/*.h")
TEST_C = sources("tests/tdsd/**/*.c", "tests/tdsd/**/*.h", "tests/unit/*.c",
                 "tests/unit/*.h", "tests/contract/*.c", "tests/contract/*.h",
                 "tests/integration/*.c", "tests/fuzz/*.c", "tests/fuzz/*.h",
                 "tests/format/*.c")


def run(command):
    return subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)


# --------------------------------------------------------------------- layers

# Who may include what: a folder below src/, or one header by name.
ARROWS = {
    "main.c": ["cli"],
    "cli": ["cli", "engine", "monitor/monitor.h", "notify",
            "control/control.h", "drivers/driver.h", "base"],
    "engine": ["engine", "monitor/monitor.h", "monitor/overview.h", "notify",
               "control/control.h", "control/settings.h", "drivers/driver.h",
               "drivers/pool.h", "row", "base"],
    "monitor": ["monitor", "base"],
    "notify": ["notify", "base"],
    "control": ["control", "tds", "base"],
    "drivers": ["drivers", "format/format.h", "row", "base"],
    "drivers/files": ["drivers", "format/format.h", "s3", "row", "base"],
    "drivers/memory": ["drivers", "row", "base"],
    "drivers/sqlserver": ["drivers", "tds", "row", "base"],
    "drivers/postgresql": ["drivers", "pg", "row", "base"],
    "tds": ["tds", "base"],
    "pg": ["pg", "base"],
    "format": ["format", "row", "base"],
    "s3": ["s3", "base"],
    "row": ["row", "base"],
    "base": ["base"],
}

# What the build makes, and who may include it.
GENERATED = {
    "control": ("control_sql.h", "control_schema.h"),
    "monitor": ("status_page.h",),
}

# Which client library belongs where. Never in a header.
CLIENTS = {
    r"syb\w+\.h|sqldb\.h|sqlfront\.h": ("src/tds/", "src/drivers/sqlserver/"),
    r"sqlite3\.h": ("src/control/sqlite.c",),
    r"microhttpd\.h": ("src/monitor/http.c",),
    r"curl/.*": ("src/base/libcurl.c", "src/notify/courier.c",
                 "src/s3/http.c"),
    r"expat\.h": ("src/s3/xml.c",),
    r"libpq.*|postgres.*": ("src/pg/",),
    r"zlib\.h|zstd\.h": ("src/format/codec.c", "src/format/stream.c"),
    r"snappy.*\.h": ("src/format/codec.c",),
    r"mysql.*|sql\.h|sqlext\.h": (),
}

# What only one operating system has stays in base/platform_*.c.
SYSTEM = re.compile(r"unistd\.h|signal\.h|sys/.*|netdb\.h|fcntl\.h|dirent\.h|"
                    r"windows\.h|poll\.h|netinet/.*|arpa/.*")


def folder_of(path):
    inner = os.path.relpath(path, "src")
    parts = inner.split("/")
    if parts[0] == "drivers" and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def may_include(path, included):
    folder = folder_of(path)
    if os.path.dirname(included) == "":
        return included in GENERATED.get(folder, ())
    if re.match(r"drivers/\w+/", included):
        # A driver's own headers are for its folder alone.
        return folder == "/".join(included.split("/")[:2])
    for allowed in ARROWS[folder]:
        if included == allowed or included.startswith(allowed + "/"):
            return True
    return False


def check_layers():
    bad = []
    for path in C_FILES + HEADERS:
        for number, line in enumerate(open(path), 1):
            found = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
            if not found:
                continue
            where = f"{path}:{number}"
            kind, name = found.groups()
            if kind == '"':
                if not may_include(path, name):
                    bad.append(f"{where}: {folder_of(path)} must not include "
                               f"{name}")
                continue
            for client, homes in CLIENTS.items():
                if re.fullmatch(client, name) and (
                        path.endswith(".h") or not path.startswith(homes or
                                                                   ("-",))):
                    bad.append(f"{where}: {name} does not belong here")
            if SYSTEM.fullmatch(name) and \
                    not path.startswith("src/base/platform_"):
                bad.append(f"{where}: {name} belongs in base/platform_*.c")
    return bad


# --------------------------------------------------------------------- habits

BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|strtok|strtok_r|gets|"
                    r"atoi|atol|atof|localtime|localtime_r|gmtime|gmtime_r|"
                    r"ctime|asctime|fork|epoll_\w+|signalfd|alloca|system|"
                    r"popen|rand|srand|tmpnam|mktemp)\s*\(")
LEFT_OVER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def check_habits():
    bad = []
    for path in C_FILES + HEADERS + TEST_C:
        text = open(path).read()
        code = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"),
                      text, flags=re.S)
        code = re.sub(r'"(\\.|[^"\\])*"', '""', code)
        for number, line in enumerate(code.split("\n"), 1):
            if BANNED.search(line) and path.startswith("src/"):
                bad.append(f"{path}:{number}: {BANNED.search(line).group(1)}"
                           " is not used here")
            if re.search(r"\btypedef\s+struct\b", line):
                bad.append(f"{path}:{number}: no typedef of a struct")
        for number, line in enumerate(text.split("\n"), 1):
            if LEFT_OVER.search(line):
                bad.append(f"{path}:{number}: unfinished: {line.strip()}")
            if line.rstrip() != line:
                bad.append(f"{path}:{number}: blanks at the end of the line")
        lines = text.count("\n")
        if lines > 800:
            bad.append(f"{path}: {lines} lines: does it hold two nouns?")
        bad += long_functions(path, text)
    return bad


def long_functions(path, text, most=90):
    bad, start = [], None
    for number, line in enumerate(text.split("\n"), 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            if number - start > most:
                bad.append(f"{path}:{start}: a function of {number - start} "
                           "lines")
            start = None
    return bad


def check_headers():
    """Every header compiles alone."""
    bad = []
    for path in HEADERS:
        guard = os.path.relpath(path, "src").upper()
        guard = re.sub(r"[/.]", "_", guard)
        if f"#ifndef {guard}\n#define {guard}\n" not in open(path).read():
            bad.append(f"{path}: no guard {guard}")
        done = run(["gcc", "-std=c11", "-fsyntax-only", "-Wall", "-Werror",
                    "-x", "c", *CPPFLAGS, path])
        if done.returncode:
            bad.append(f"{path} does not compile alone:\n{done.stdout}")
    return bad


# ---------------------------------------------------------------------- tools

def check_format():
    done = run(["clang-format", "--dry-run", "-Werror", *C_FILES, *HEADERS,
                *TEST_C])
    return done.stdout.splitlines()[:40] if done.returncode else []


def check_cppcheck():
    done = run(["cppcheck", "--std=c11", "--quiet", "--error-exitcode=1",
                "--enable=warning,performance,portability",
                "--inline-suppr", "--suppress=missingIncludeSystem",
                "--suppress=normalCheckLevelMaxBranches",
                "-j2", *CPPFLAGS, *C_FILES])
    return done.stdout.splitlines() if done.returncode else []


def tidy(path):
    done = run(["clang-tidy", "--quiet", "--warnings-as-errors=*", path,
                "--", "-std=c11", *CPPFLAGS])
    return done.stdout.splitlines() if done.returncode else []


def check_clang_tidy():
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = {line for lines in pool.map(tidy, C_FILES) for line in lines
                 if re.search(r"(warning|error):", line)}
    return sorted(found)


def check_sql():
    """Every T-SQL file: nothing that the tsql dialect cannot parse. What psql
    reads is run as it is by the tests."""
    scripts = [path for path in sources("etc/*.sql")
               if "postgresql" not in path]
    files = ["schema-dataflow.sql", *sources("views/*.sql"),
             *sources("procedures/*.sql"), *scripts,
             *sources("src/control/sql/*.sql")]
    return unparsable(files) + wrong_case(files)


def wrong_case(files):
    """Names as a case-sensitive database has them. Ours are in small letters,
    and so is its type sysname, as against the other types."""
    bad = []
    for path in files + sources("src/drivers/sqlserver/*.[ch]"):
        for number, line in enumerate(open(path, encoding="utf-8"), 1):
            for word in re.findall(r"\bsysname\b|(?<!@)@\w+|\b[a-z]\.\w+",
                                   line.split("--")[0], re.I):
                if word != word.lower():
                    bad.append(f"{path}:{number}: {word} where names are "
                               "told apart by case")
    return bad


def unparsable(files):
    """Its `lint` takes several files, and passes over long ones if it may."""
    done = run(["sqlfluff", "lint", "--dialect", "tsql", "--rules", "L001",
                "--config", "tests/lint/sqlfluff.cfg", "--processes", "2",
                "--disable-progress-bar", *files])
    return done.stdout.splitlines() if done.returncode else []


def check_sqlite():
    """Every statement of the control store also is SQLite's SQL."""
    bad = []
    with tempfile.TemporaryDirectory() as folder:
        database = os.path.join(folder, "control.db")
        script = ""
        for path in ["src/control/sql/sqlite/schema.sql",
                     *sources("views/sqlite/*.sql")]:
            script += open(path).read()
        done = subprocess.run(["sqlite3", "-bail", database], input=script,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            bad.append(done.stdout)
        for path in sources("src/control/sql/*.sql"):
            done = subprocess.run(["sqlite3", "-bail", database],
                                  input="EXPLAIN " + statement(path),
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True,
                                  check=False)
            if done.returncode:
                bad.append(f"{path}: {done.stdout}")
    return bad


def statement(path):
    return "".join(line for line in open(path) if not line.startswith("--"))


def check_man():
    """The man page is well formed, and it and --help know the same commands
    and, for each of them, the same options."""
    page = "docs/dbaops-dataflow.8"
    bad = []
    done = run(["mandoc", "-T", "lint", "-W", "warning", page])
    if done.returncode:
        bad += done.stdout.splitlines()
    text = open(page).read().replace("\\-", "-").replace("\\", "")
    program = f"{BUILD}/dbaops-dataflow"
    usage = run([program, "--help"]).stdout
    commands = set(re.findall(r"^  ([\w-]+) +\S", usage.split("Options:")[0],
                              re.M))
    synopsis = text.split(".Sh SYNOPSIS")[1].split(".Sh ")[0]
    pages = {found[1]: part for part in synopsis.split(".Nm\n")
             for found in [re.search(r"\.(?:Op )?Cm ([\w-]+)", part)] if found}
    explained = set(re.findall(
        r"--[a-z-]+", "".join(line.replace("Fl -", "--").replace(", -", ", --")
                              for line in text.splitlines()
                              if line.startswith(".It Fl"))))
    for name in sorted(commands ^ set(pages)):
        bad.append(f"{page}: command '{name}' is not in both its SYNOPSIS and "
                   "--help")
    if not re.search(r"\.It Cm [^\n]*", text):
        bad.append(f"{page}: no command is explained")
    known = {"--version"}
    for command in sorted(commands & set(pages)):
        output = run([program, command, "--help"]).stdout
        own, common = output.split("\nOptions:\n")
        here = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", own, re.M))
        there = {f"--{word}" for word in
                 re.findall(r"-([a-z][a-z-]+)", " ".join(
                     re.findall(r"^\.Op Fl (.*)", pages[command], re.M)))}
        known |= here | set(re.findall(r"(--[a-z-]+)", common))
        for option in sorted(here ^ there):
            bad.append(f"{page}: option '{option}' of {command} is not in "
                       "both its SYNOPSIS and --help")
        for word in sorted(set(re.findall(r"\b([A-Z]+_[A-Z_]+)\b", output))):
            if word not in text:
                bad.append(f"{page}: '{word}' of --help is not in it")
        if not re.search(rf"\.It Cm [^\n]*\b{command}\b", text):
            bad.append(f"{page}: '{command}' is not explained")
    for option in sorted(known ^ explained):
        bad.append(f"{page}: '{option}' is not in both its list of options "
                   "and --help")
    return bad


def main():
    checks = {name[len("check_"):]: function
              for name, function in globals().items()
              if name.startswith("check_")}
    names = sys.argv[1:] or list(checks)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, findings in zip(names, pool.map(
                lambda name: checks[name](), names)):
            for finding in findings:
                print(f"  {finding}")
            print(f"{'not ok' if findings else 'ok'} - lint: {name}",
                  flush=True)
            failed += bool(findings)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
