"""Every error code of base/error.h has a golden case that shows its message.

The case's folder begins with the code (`e102_option`), its `expected` holds the message with the
exit status of the code's class. Codes that no script can provoke are met by a C test instead.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.report import Report  # noqa: E402

# Refusals of the system, saved state that does not fit, books that do not balance.
ONLY_IN_C = {207, 208, 306}
STATUS = {1: 2, 2: 1, 3: 1, 4: 130}
STATUS_OF = {208: 4, 303: 3, 304: 3}


def problem_of(name, code):
    if code in ONLY_IN_C:
        tests = (path.read_text() for path in ROOT.glob("tests/*/*_test.c"))
        return None if any(name in text for text in tests) else "no C test meets it"
    for folder in (ROOT / "tests/golden").glob(f"e{code}_*"):
        text = (folder / "expected").read_text()
        status = STATUS_OF.get(code, STATUS[code // 100])
        message = rf"^! error\[E{code}\]: .+?^\[exit {status}\]$"
        if re.search(message, text, re.MULTILINE | re.DOTALL):
            return None
        return f"{folder.name}/expected shows no error[E{code}] that ends with {status}"
    return "no golden case"


def main():
    report = Report()
    header = (ROOT / "runtime/base/error.h").read_text()
    codes = re.findall(r"^  (TM_E_\w+) = ([1-9]\d\d),", header, re.MULTILINE)
    assert len(codes) > 30
    for name, code in codes:
        report.add(f"{name} ({code})", problem_of(name, int(code)))
    report.close()


if __name__ == "__main__":
    main()
