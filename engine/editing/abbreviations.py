"""Words in a comment that stand for code which an edit does not repeat, whatever the language.

Owner: nobody.
"""

import re
from typing import Final

_CODE: Final = r"(code|functions?|methods?|class|body|bodies|file|module|members?|lines?|logic|implementation)"
_SAME: Final = r"(unchanged|as\s+before|as\s+is|(the\s+)?same(\s+as\s+(before|above))?)"
# "...", "rest of the code", "body as before", "unchanged".
_PLACEHOLDER: Final = re.compile(
    rf"""^\s*(\.\.\.|…)
    | (\.\.\.|…)\s*$
    | \b(existing|remaining|unchanged)\s+(code|methods?|lines?)\b
    | ^\W*(the\s+)?rest\s+of\s+(the\s+|this\s+)?{_CODE}\b
    | ^\W*((the|this|other|all\s+other)\s+)*({_CODE}|rest|everything\s+else)\s+((is|are|stays?|remains?)\s+)?{_SAME}\W*$
    | ^\W*({_SAME}|no\s+changes?(\s+here)?)\W*$""",
    re.IGNORECASE | re.VERBOSE,
)


def abbreviates(comment: str) -> bool:
    """Tell whether a line of a comment, without its sign, stands for code."""
    return _PLACEHOLDER.search(comment) is not None
