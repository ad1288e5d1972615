# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks ActiveSync answers against Microsoft's response schemas.

The schemas are not part of this project. They are looked for in $BELFRY_XSD
and beside the source checkout; where they are missing nothing is checked and
one notice says so: no package brings them, so this is no error in CI either.

As published they import nothing and several files share one namespace. Here
they are joined in memory: one document a namespace, each importing all
namespaces that it names.
"""

import glob
import os
import sys

from lxml import etree

XS = "{http://www.w3.org/2001/XMLSchema}"
# The root element of each command's answer. Autodiscover's is plain XML.
ROOTS = ("{AirSync}Sync {Ping}Ping {FolderHierarchy}FolderSync "
         "{FolderHierarchy}FolderCreate {FolderHierarchy}FolderDelete "
         "{FolderHierarchy}FolderUpdate {Provision}Provision "
         "{GetItemEstimate}GetItemEstimate {ItemOperations}ItemOperations "
         "{Move}MoveItems {MeetingResponse}MeetingResponse {Search}Search "
         "{Settings}Settings {ResolveRecipients}ResolveRecipients "
         "{ValidateCert}ValidateCert {ComposeMail}SendMail "
         "{ComposeMail}SmartForward {ComposeMail}SmartReply {Find}Find "
         "{http://schemas.microsoft.com/exchange/autodiscover/responseschema/"
         "2006}Autodiscover").split()

_HERE = os.path.dirname(os.path.abspath(__file__))
_loaded = {}
# Nobody is told that the schemas are missing.
quiet = False


class SchemaError(AssertionError):
    """An answer is not what its schema says."""


def folder():
    """Where the schemas are, or None."""
    beside = os.path.normpath(os.path.join(
        _HERE, *[os.pardir] * 4, "shared", "activesync-xsd"))
    for path in (os.environ.get("BELFRY_XSD"), beside):
        if path and os.path.isfile(os.path.join(path, "SyncResponse.xsd")):
            return path
    return None


def files_by_namespace(path):
    namespaces = {}
    parser = etree.XMLParser(remove_comments=True, resolve_entities=False)
    for name in sorted(glob.glob(os.path.join(path, "*.xsd"))):
        root = etree.parse(name, parser).getroot()
        namespaces.setdefault(root.get("targetNamespace"), []).append(root)
    return namespaces


def _join(target, roots, known):
    """One schema document for all files of one namespace."""
    prefixes = {}
    for root in roots:
        for prefix, uri in root.nsmap.items():
            assert prefixes.setdefault(prefix, uri) == uri
    joined = etree.Element(XS + "schema", targetNamespace=target,
                           elementFormDefault="qualified",
                           attributeFormDefault="unqualified", nsmap=prefixes)
    for uri in sorted(known.intersection(prefixes.values()) - {target}):
        etree.SubElement(joined, XS + "import", namespace=uri,
                         schemaLocation="belfry:" + uri)
    for root in roots:
        joined.extend(child for child in root if child.tag != XS + "import")
    return joined


class _Resolver(etree.Resolver):
    def __init__(self, documents):
        self.documents = documents

    def resolve(self, url, public_id, context):
        if url.startswith("belfry:"):
            return self.resolve_string(self.documents[url[7:]], context)
        return None


def load(path):
    """The one etree.XMLSchema that knows every answer."""
    if path in _loaded:
        return _loaded[path]
    namespaces = files_by_namespace(path)
    documents = {target: etree.tostring(
                     _join(target, roots, set(namespaces)))
                 for target, roots in namespaces.items()}
    top = etree.Element(XS + "schema")
    for target in sorted(documents):
        etree.SubElement(top, XS + "import", namespace=target,
                         schemaLocation="belfry:" + target)
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Resolver(documents))
    _loaded[path] = etree.XMLSchema(
        etree.fromstring(etree.tostring(top), parser))
    return _loaded[path]


def prepare():
    """Load the schemas now, if they are here: before threads would."""
    path = folder()
    if path is not None:
        load(path)


def validate(answer):
    """Raise SchemaError when a decoded answer breaks its schema.

    Returns whether it was checked at all."""
    path = folder()
    if path is None:
        if "notice" not in _loaded and not quiet:
            _loaded["notice"] = True
            sys.stderr.write("# no ActiveSync schemas found, answers are not "
                             "checked against them (set BELFRY_XSD)\n")
        return False
    if answer.tag not in ROOTS:
        raise SchemaError("%s is not the root of any answer" % answer.tag)
    xsd = load(path)
    # a copy, because line numbers and namespaces of a tree made by hand
    # differ from those of a parsed one
    document = etree.fromstring(etree.tostring(answer),
                                etree.XMLParser(huge_tree=True))
    if not xsd.validate(document):
        raise SchemaError("%s\nin %s" % (
            "\n".join("line %d: %s" % (entry.line, entry.message)
                      for entry in xsd.error_log),
            etree.tostring(document, pretty_print=True).decode()))
    return True
