# SPDX-License-Identifier: GPL-3.0-or-later
"""Protocol buffers by the .proto files themselves: messages are dicts.

Only what our schemas use: proto3, scalars, enums, messages, oneof, repeated
(packed for numbers)."""

import os
import re

ROOT = os.path.normpath(os.path.join(os.path.dirname(__file__), "../../.."))
VARINT = {"uint32", "uint64", "int32", "int64", "bool", "enum"}

_FIELD = re.compile(r"(repeated )?([\w.]+) (\w+) = (\d+)\s*(?:\[[^\]]*\])?;")


class Schema:
    """The messages and enums of some files, by their last name."""

    def __init__(self, *paths):
        self.messages, self.enums = {}, {}
        for path in paths:
            with open(os.path.join(ROOT, path)) as file:
                text = re.sub(r"//[^\n]*", "", file.read())
            package = re.search(r"package ([\w.]+);", text).group(1)
            self._read(package, text)

    def _read(self, package, text):
        for kind, name, start in ((m.group(1), m.group(2), m.end()) for m in
                                  re.finditer(r"(message|enum) (\w+) {", text)):
            depth, end = 1, start
            while depth:
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
            body = text[start:end - 1]
            full = package + "." + name
            if kind == "enum":
                self.enums[full] = {word: int(number) for word, number in
                                    re.findall(r"(\w+) = (\d+);", body)}
            else:
                self.messages[full] = [
                    (name_, int(number), type_, bool(repeated), package)
                    for repeated, type_, name_, number in _FIELD.findall(body)]

    def _full(self, name, package, where):
        for candidate in (package + "." + name, name):
            if candidate in where:
                return candidate
        return None

    def _kind(self, type_, package):
        if self._full(type_, package, self.enums):
            return "enum"
        return "message" if self._full(type_, package, self.messages) else type_

    def number(self, enum, word):
        return self.enums[enum][word]

    def word(self, enum, number):
        return {n: w for w, n in self.enums[enum].items()}[number]

    def encode(self, message, value):
        out = bytearray()
        known = {field[0] for field in self.messages[message]}
        assert set(value) <= known, set(value) - known
        for name, number, type_, repeated, package in self.messages[message]:
            if name not in value:
                continue
            kind = self._kind(type_, package)
            values = value[name] if repeated else [value[name]]
            if repeated and kind in VARINT:
                packed = b"".join(_varint(int(v)) for v in values)
                out += _varint(number << 3 | 2) + _varint(len(packed)) + packed
                continue
            for each in values:
                if kind in VARINT:
                    out += _varint(number << 3) + _varint(int(each))
                    continue
                if kind == "message":
                    each = self.encode(self._full(type_, package, self.messages),
                                       each)
                elif kind == "string":
                    each = each.encode()
                out += _varint(number << 3 | 2) + _varint(len(each)) + each
        return bytes(out)

    def decode(self, message, data):
        """All singular fields are there, with their default values; fields
        of messages only when they were sent."""
        fields = {field[1]: field for field in self.messages[message]}
        result = {}
        for name, _, type_, repeated, package in self.messages[message]:
            kind = self._kind(type_, package)
            if repeated:
                result[name] = []
            elif kind != "message":
                result[name] = {"string": "", "bytes": b""}.get(kind, 0)
        at = 0
        while at < len(data):
            key, at = _take(data, at)
            if key & 7 == 2:
                length, at = _take(data, at)
                value = bytes(data[at:at + length])
                at += length
            else:
                assert key & 7 == 0, key
                value, at = _take(data, at)
            name, _, type_, repeated, package = fields[key >> 3]
            kind = self._kind(type_, package)
            if kind == "message":
                value = self.decode(self._full(type_, package, self.messages),
                                    value)
            elif kind == "string":
                value = value.decode()
            if repeated and kind in VARINT and key & 7 == 2:
                inner = 0
                while inner < len(value):
                    each, inner = _take(value, inner)
                    result[name].append(each)
            elif repeated:
                result[name].append(value)
            else:
                result[name] = value
        return result


def _varint(number):
    out = bytearray()
    while True:
        out.append(number & 127 | (128 if number > 127 else 0))
        number >>= 7
        if not number:
            return bytes(out)


def _take(data, at):
    number = shift = 0
    while True:
        number |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return number, at
