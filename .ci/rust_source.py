"""Reads a Rust file as far as the architecture checks need: comments, strings, modules and paths."""

import re

TOKEN = re.compile(
    r"""
      //[^\n]*
    | /\*
    | (?<!\w)[bc]?r(?P<hashes>\#*)".*?"(?P=hashes)
    | (?:(?<!\w)[bc])?"(?:\\.|[^"\\])*"
    | '(?:\\(?:x..|u\{[^}]*\}|.)|[^\\'\n])'
    """,
    re.VERBOSE | re.DOTALL,
)
TEST_MODULE = re.compile(r"#\[cfg\((?:test|all\(test\b[^\]]*)\)\](?:\s*#\[[^\]]*\])*[^;{}]*?\bmod\s+\w+\s*\{")
MODULE = re.compile(r"\bmod\s+(\w+)\s*\{")
ATTRIBUTE = re.compile(r"#!?\[")
PATH = re.compile(r"(?<![\w:])(crate|super|self)\s*::")
SPACE = re.compile(r"\s*")
SEGMENT = re.compile(r"(?:r#)?(\w+)|\*")
SEPARATOR = re.compile(r"\s*::\s*(?=[\w{*])")


class Source:
    """One file. `code` is `text` with comments and literals blanked, so offsets and lines agree."""

    def __init__(self, text):
        self.text = text
        self.code = blank(text)
        self.tests = [(m.start(), close(self.code, m.end() - 1)) for m in TEST_MODULE.finditer(self.code)]

    def line(self, position):
        return self.text.count("\n", 0, position) + 1

    def in_test(self, position):
        return any(start <= position < end for start, end in self.tests)

    def length(self):
        """Lines, not counting a test module at the end."""
        for start, end in self.tests:
            if not self.code[end:].strip():
                return self.line(start) - 1
        return len(self.text.splitlines())

    def attributes(self):
        """Each attribute's position, its code and its text."""
        for match in ATTRIBUTE.finditer(self.code):
            span = slice(match.start(), close(self.code, match.end() - 1))
            yield match.start(), self.code[span], self.text[span]

    def paths(self, module):
        """Position and full path of everything named through `crate`, `super` or `self`."""
        inline = [(m[1], m.start(), close(self.code, m.end() - 1)) for m in MODULE.finditer(self.code)]
        for match in PATH.finditer(self.code):
            here = module + [name for name, start, end in inline if start <= match.start() < end]
            for position, _, path in expand(self.code, match.end(), [match[1]]):
                yield position, resolve(path, here)

    def root_names(self):
        """What a crate root re-exports: each name with the path it stands for."""
        names = {}
        for match in re.finditer(r"\buse\s+", self.code):
            for _, end, path in expand(self.code, match.end(), []):
                alias = re.compile(r"\s+as\s+(\w+)").match(self.code, end)
                full = resolve(path, [])
                names[alias[1] if alias else full[-1]] = full
        return names


def blank(text):
    """Replaces comments, strings and character literals by spaces; newlines stay."""
    out, position = [], 0
    while match := TOKEN.search(text, position):
        end = comment_end(text, match.start()) if match[0] == "/*" else match.end()
        out += [text[position : match.start()], re.sub(r"[^\n]", " ", text[match.start() : end])]
        position = end
    return "".join(out) + text[position:]


def comment_end(text, start):
    depth = 0
    for match in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    return len(text)


def close(code, start):
    """The position after the bracket that closes the one at `start`."""
    depth = 0
    for position in range(start, len(code)):
        if code[position] in "([{":
            depth += 1
        elif code[position] in ")]}":
            depth -= 1
            if depth == 0:
                return position + 1
    return len(code)


def expand(code, position, prefix):
    """Yields start, end and segments of each path in the use tree (or plain path) at `position`."""
    position = SPACE.match(code, position).end()
    if code.startswith("{", position):
        for start in items(code, position):
            yield from expand(code, start, prefix)
    elif match := SEGMENT.match(code, position):
        path = prefix + [match[1] or "*"]
        if separator := SEPARATOR.match(code, match.end()):
            yield from expand(code, separator.end(), path)
        else:
            yield position, match.end(), path


def items(code, start):
    """Where each item of the group that opens at `start` begins."""
    depth = 0
    for position in range(start, close(code, start)):
        depth += (code[position] == "{") - (code[position] == "}")
        if depth == 1 and code[position] in "{,":
            yield position + 1


def resolve(path, module):
    """`super::super::bus` in module `a::b` is `bus`."""
    full = [] if path[0] == "crate" else list(module)
    for segment in path[1:] if path[0] in ("crate", "self") else path:
        if segment == "super":
            full = full[:-1]
        elif segment != "self":
            full.append(segment)
    return full
