"""A key that strayed into the arguments is not repeated on stderr: nothing is that is as long.

Length is the one rule, because it holds for a key however it is written: hex or base64, padded or
not, with any punctuation, cut out of a longer argument.
"""

from __future__ import annotations

import re
from typing import Final

from ..errors import FieldError

__all__ = ["refusal", "repeated", "without_keys"]

_LONGEST_NAME: Final = 21  # a key in base64 has 22 characters
_WORD: Final = re.compile(r"""(?<!\w)(['"])(?P<quoted>.*?)\1(?!\w)|[^\s'"]+""", re.DOTALL)
_OPTION: Final = re.compile(r"-[-a-z/]*")
_PUNCTUATION: Final = "()[],.:;"


def repeated(word: str) -> str:
    """Return a word to repeat in a sentence, unless it is so long that it may be a key."""
    return _described(word) or repr(word)


def refusal(error: FieldError) -> str:
    """Return the sentence of an error about an argument, without text that may be a key."""
    if type(error.value) is not str:  # no text, or a description in its place
        return str(error)
    return f"{error.message}.{error.field} = {repeated(error.value)}: expected {error.expected}"


def without_keys(sentence: str) -> str:
    """Return a sentence with a description for each word that is so long that it may be a key.

    What stands in quotes is one word, whatever is in it.  Names of options may be of any length.
    """

    def shown(found: re.Match[str]) -> str:
        if found["quoted"] is not None:
            return _described(found["quoted"]) or found[0]
        word = found[0].strip(_PUNCTUATION)
        if _OPTION.fullmatch(word):
            return found[0]
        return found[0].replace(word, _described(word) or word)

    return _WORD.sub(shown, sentence)


def _described(word: str) -> str:
    """Return what a word that may be a key is called, or nothing for a shorter one."""
    return f"a word of {len(word)} characters" if len(word) > _LONGEST_NAME else ""
