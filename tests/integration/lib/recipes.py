# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes that admins copy: tests run their text, not one like it."""

import os
import re

_TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
RECIPES = os.path.join(_TOP, "mda-hook/recipes.md")
PROXIES = os.path.join(_TOP, "doc/proxies.md")
HOOK = "/usr/lib/belfry/belfry-hook"
LDA = "/usr/lib/dovecot/dovecot-lda"


def recipe(name, replaced, manual=RECIPES):
    """The text of the block with this name. replaced: what is otherwise in a
    test, {text of the recipe: text}; each must be there."""
    with open(manual, encoding="utf-8") as file:
        blocks = re.findall(r"^```%s\n(.*?)^```$" % re.escape(name),
                            file.read(), re.M | re.S)
    if len(blocks) != 1:
        raise AssertionError("%d recipes are called %s" % (len(blocks), name))
    text, = blocks
    for old, new in replaced.items():
        if old not in text:
            raise AssertionError("recipe %s has no %s" % (name, old))
        text = text.replace(old, new)
    return text
