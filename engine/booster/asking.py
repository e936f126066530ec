"""Which operations a module can be asked for at all; light, since the engine asks it at every submission.

Owner: nobody.
"""

from typing import Final

# The tree takes what Python refuses (`if x:` without a body), and the judges are Python's own: the agent asks them.
LEFT_TO_AGENT: Final = frozenset({"code.syntax_check"})
